// Package vaulttest runs a real Vault for tests, and speaks to it as its users
// do: over HTTP, with Vault's Go client and with the vault command.
package vaulttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second
)

// Node is one Vault server: a process, its raft storage, its log.
type Node struct {
	// Addr is the address of Vault's API, http://127.0.0.1:PORT.
	Addr string

	binary string
	dir    string
	hold   *os.File
	cmd    *exec.Cmd
	exited chan error
}

// Names below the directory of a node, and of all.
const (
	auditFile = "audit.log"
	pluginDir = "plugins"
)

// newNode writes the configuration of a node called id, with its own directory
// below the workspace and free ports. It joins the raft cluster of peers, if any.
func newNode(w *workspace, binary, id string, peers ...*Node) (*Node, error) {
	binary, err := filepath.Abs(binary) // it runs in a directory of its own
	if err != nil {
		return nil, fmt.Errorf("find the vault binary: %w", err)
	}
	n := &Node{binary: binary, dir: filepath.Join(w.dir, id), hold: w.hold}
	if err := os.MkdirAll(filepath.Join(n.dir, "raft"), 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of node %s: %w", id, err)
	}
	api, cluster, err := freePorts()
	if err != nil {
		return nil, err
	}
	n.Addr = "http://" + api
	config := nodeConfig(n, id, api, cluster, filepath.Join(w.dir, pluginDir), peers)
	if err := os.WriteFile(n.configFile(), []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("configure node %s: %w", id, err)
	}
	return n, nil
}

func nodeConfig(n *Node, id, api, cluster, plugins string, peers []*Node) string {
	var join strings.Builder
	for _, peer := range peers {
		fmt.Fprintf(&join, "  retry_join { leader_api_addr = %q }\n", peer.Addr)
	}
	return fmt.Sprintf(`storage "raft" {
  path    = %q
  node_id = %q
  # Elections in a fifth of the usual time.
  performance_multiplier = 1
%s}
listener "tcp" {
  address         = %q
  cluster_address = %q
  tls_disable     = true
}
api_addr         = "http://%[4]s"
cluster_addr     = "https://%[5]s"
plugin_directory = %q
log_level        = "info"
log_format       = "json"
disable_mlock    = true
telemetry {
  prometheus_retention_time = "24h"
  disable_hostname          = true
}
`, filepath.Join(n.dir, "raft"), id, join.String(), api, cluster, plugins)
}

// configure adds to the node's configuration.
func (n *Node) configure(config []string) error {
	file, err := os.OpenFile(n.configFile(), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open Vault's configuration: %w", err)
	}
	_, err = file.WriteString(strings.Join(config, "\n"))
	return errors.Join(err, file.Close())
}

// freePorts names two loopback addresses that nobody listens on.
func freePorts() (first, second string, err error) {
	var addresses [2]string
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		addresses[i] = l.Addr().String()
	}
	return addresses[0], addresses[1], nil
}

func (n *Node) configFile() string { return filepath.Join(n.dir, "vault.hcl") }

// LogFile is what Vault and its plugins write, a JSON object a line.
func (n *Node) LogFile() string { return filepath.Join(n.dir, "vault.log") }

// AuditFile is where the node's audit device writes; there is none before the
// node is the active one for the first time.
func (n *Node) AuditFile() string { return filepath.Join(n.dir, auditFile) }

// PID is the process id of the server.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Start runs the server and waits until it answers.
func (n *Node) Start(ctx context.Context) error {
	log, err := os.OpenFile(n.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open Vault's log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(n.binary, "server", "-config="+n.configFile())
	// Nodes that join may vote at once, and not after autopilot has watched them
	// for a while.
	cmd.Dir, cmd.Env = n.dir, append(bareEnv(n.dir), "VAULT_RAFT_AUTOPILOT_DISABLE=true")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{n.hold}
	if err := n.run(cmd); err != nil {
		return fmt.Errorf("start Vault: %w", err)
	}
	return n.awaitAnswer(ctx)
}

// run starts the process such that it is asked to stop when the tests end
// without doing so. The kernel takes the thread that starts a process for its
// parent, so that thread is kept until the process has ended.
func (n *Node) run(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started := make(chan error, 1)
	exited := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			exited <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	n.cmd, n.exited = cmd, exited
	return nil
}

func (n *Node) awaitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return poll(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.Addr+"/v1/sys/seal-status", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("no answer from Vault; its log ends with:\n%s", n.LogTail(20))
		}
		return resp.Body.Close()
	})
}

// Unseal unseals the node, once it has joined its cluster.
func (n *Node) Unseal(ctx context.Context, key string) error {
	client, err := n.Client("").API()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return poll(ctx, func() error {
		status, err := client.Sys().SealStatusWithContext(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("ask whether Vault is sealed: %w", err)
		case !status.Initialized:
			return errors.New("the node has not joined its cluster")
		case status.Sealed:
			if _, err := client.Sys().UnsealWithContext(ctx, key); err != nil {
				return fmt.Errorf("unseal Vault: %w", err)
			}
			return errors.New("not unsealed yet")
		}
		return nil
	})
}

// AwaitLeader waits until the node serves requests, or knows whom to pass them on
// to.
func (n *Node) AwaitLeader(ctx context.Context) error {
	client, err := n.Client("").API()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return poll(ctx, func() error {
		leader, err := client.Sys().LeaderWithContext(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("ask who is the active node: %w", err)
		case !leader.IsSelf && leader.LeaderClusterAddress == "":
			return errors.New("the node knows of no active node")
		}
		return nil
	})
}

// AwaitActive waits until the node is the one that serves requests.
func (n *Node) AwaitActive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return poll(ctx, func() error { return n.isActive(ctx) })
}

func (n *Node) isActive(ctx context.Context) error {
	health, err := n.health(ctx)
	if err == nil && health != activeHealth {
		return fmt.Errorf("not the active node: its health is %d", health)
	}
	return err
}

// Serves reports whether the node runs, unsealed: it serves requests or passes
// them on.
func (n *Node) Serves(ctx context.Context) bool {
	health, err := n.health(ctx)
	return err == nil && (health == activeHealth || health == standbyHealth)
}

// The statuses of sys/health for nodes that serve requests and that pass them on.
const (
	activeHealth  = http.StatusOK
	standbyHealth = http.StatusTooManyRequests
)

func (n *Node) health(ctx context.Context) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, n.Addr+"/v1/sys/health", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask for Vault's health: %w", err)
	}
	return resp.StatusCode, resp.Body.Close()
}

// Stop asks the server to shut down, and waits until it has.
func (n *Node) Stop() error { return n.end(syscall.SIGTERM) }

// Kill ends the server as a crash does, with no chance to tidy up.
func (n *Node) Kill() error { return n.end(syscall.SIGKILL) }

// Running reports whether the server was started, and not ended since.
func (n *Node) Running() bool { return n.cmd != nil }

func (n *Node) end(signal syscall.Signal) error {
	if err := n.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %s to Vault: %w", signal, err)
	}
	select {
	case err := <-n.exited:
		n.cmd = nil
		var exit *exec.ExitError
		if signal == syscall.SIGKILL && errors.As(err, &exit) {
			return nil
		}
		return err
	case <-time.After(stopTimeout):
		return fmt.Errorf("still running %s after Vault was sent %s", stopTimeout, signal)
	}
}

// LogTail is the end of Vault's log, for people.
func (n *Node) LogTail(lines int) string {
	log, err := os.ReadFile(n.LogFile())
	if err != nil {
		return err.Error()
	}
	all := strings.SplitAfter(string(log), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}

// Log is what Vault and its plugins have logged so far, but for lines that are
// not JSON: Vault's banner.
func (n *Node) Log(t testing.TB) []map[string]any {
	t.Helper()
	log, err := os.ReadFile(n.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	for line := range bytes.Lines(log) {
		var fields map[string]any
		if json.Unmarshal(line, &fields) == nil {
			lines = append(lines, fields)
		}
	}
	return lines
}

// bareEnv is an environment in which nothing of the developer's own Vault shows.
func bareEnv(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}
}
