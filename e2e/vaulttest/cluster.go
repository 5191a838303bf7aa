package vaulttest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/vault/api"
)

// Cluster is a Vault of one or more nodes that share their storage by raft:
// initialized, unsealed, with a file audit device.
type Cluster struct {
	Nodes []*Node
	// RootToken may do everything.
	RootToken string

	workspace *workspace
	unsealKey string
}

// StartCluster runs so many nodes of the vault binary. Close ends them. What is
// given of config is added to the configuration of each.
func StartCluster(ctx context.Context, binary string, size int, config ...string) (_ *Cluster, err error) {
	w, err := newWorkspace()
	if err != nil {
		return nil, err
	}
	c := &Cluster{workspace: w}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if err := os.Mkdir(c.pluginDir(), 0o700); err != nil {
		return nil, fmt.Errorf("make the plugin directory: %w", err)
	}
	for range size {
		if err := c.addNode(ctx, binary, config); err != nil {
			return nil, err
		}
	}
	return c, c.awaitVoters(ctx)
}

// Close ends every node and removes everything that they wrote.
func (c *Cluster) Close() error {
	var failed error
	for _, n := range c.Nodes {
		if n.Running() {
			failed = errors.Join(failed, n.Stop())
		}
	}
	return errors.Join(failed, killProcessesIn(c.pluginDir()), c.workspace.close())
}

// addNode starts the first node, or one that joins those before it.
func (c *Cluster) addNode(ctx context.Context, binary string, config []string) error {
	n, err := newNode(c.workspace, binary, fmt.Sprintf("n%d", len(c.Nodes)+1), c.Nodes...)
	if err != nil {
		return err
	}
	c.Nodes = append(c.Nodes, n)
	if err := n.configure(config); err != nil {
		return err
	}
	if len(c.Nodes) > 1 {
		return c.Resume(ctx, n)
	}
	if err := n.Start(ctx); err != nil {
		return err
	}
	return c.initialize(ctx)
}

// initialize makes a Vault of the first node.
func (c *Cluster) initialize(ctx context.Context) error {
	first := c.Nodes[0]
	client, err := first.Client("").API()
	if err != nil {
		return err
	}
	keys, err := client.Sys().InitWithContext(ctx, &api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		return fmt.Errorf("initialize Vault: %w", err)
	}
	c.RootToken, c.unsealKey = keys.RootToken, keys.KeysB64[0]
	if err := first.Unseal(ctx, c.unsealKey); err != nil {
		return err
	}
	if err := first.AwaitActive(ctx); err != nil {
		return err
	}
	if client, err = c.Root().API(); err != nil {
		return err
	}
	return enableAudit(ctx, client)
}

func enableAudit(ctx context.Context, client *api.Client) error {
	err := client.Sys().EnableAuditWithOptionsWithContext(ctx, "file", &api.EnableAuditOptions{
		// A relative path, so that each node writes a file of its own.
		Type: "file", Options: map[string]string{"file_path": auditFile},
	})
	if err != nil {
		return fmt.Errorf("enable the audit device: %w", err)
	}
	return nil
}

// awaitVoters waits until the cluster survives the loss of as many nodes as it
// ever will.
func (c *Cluster) awaitVoters(ctx context.Context) error {
	client, err := c.Root().API()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return poll(ctx, func() error {
		count, err := voters(ctx, client)
		if err == nil && count < len(c.Nodes) {
			return fmt.Errorf("%d of %d nodes may vote", count, len(c.Nodes))
		}
		return err
	})
}

// voters counts the nodes that raft counts on.
func voters(ctx context.Context, client *api.Client) (count int, err error) {
	answer, err := client.Logical().ReadRawWithContext(ctx, "sys/storage/raft/configuration")
	if err != nil {
		return 0, fmt.Errorf("ask for raft's configuration: %w", err)
	}
	defer answer.Body.Close()
	var raft struct {
		Data struct {
			Config struct{ Servers []struct{ Voter bool } }
		}
	}
	if err := answer.DecodeJSON(&raft); err != nil {
		return 0, fmt.Errorf("read raft's configuration: %w", err)
	}
	for _, server := range raft.Data.Config.Servers {
		if server.Voter {
			count++
		}
	}
	return count, nil
}

// Root speaks for the root token to the first node.
func (c *Cluster) Root() *Client { return c.Nodes[0].Client(c.RootToken) }

// Active waits for a node to be the one that serves requests, and returns it.
func (c *Cluster) Active(ctx context.Context) (active *Node, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err = poll(ctx, func() error {
		for _, n := range c.Nodes {
			if n.isActive(ctx) == nil {
				active = n
				return nil
			}
		}
		return errors.New("no node of the cluster is active")
	})
	return active, err
}

// Standby returns a node that is not the active one.
func (c *Cluster) Standby(ctx context.Context) (*Node, error) {
	active, err := c.Active(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range c.Nodes {
		if n != active && n.Serves(ctx) {
			return n, nil
		}
	}
	return nil, errors.New("the cluster has no standby")
}

// Resume starts nodes that do not run, unseals all, and waits until they serve
// requests or pass them on.
func (c *Cluster) Resume(ctx context.Context, nodes ...*Node) error {
	for _, n := range nodes {
		if n.Running() {
			continue
		}
		if err := n.Start(ctx); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if err := n.Unseal(ctx, c.unsealKey); err != nil {
			return err
		}
	}
	for _, n := range nodes { // only a majority finds a leader
		if err := n.AwaitLeader(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) pluginDir() string { return filepath.Join(c.workspace.dir, pluginDir) }

// Plugin is a secrets engine's binary where Vault runs it from.
type Plugin struct {
	// Command is its name below Vault's plugin directory.
	Command string
	SHA256  string
}

// InstallPlugin copies a binary into Vault's plugin directory as command.
func (c *Cluster) InstallPlugin(binary, command string) (Plugin, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return Plugin{}, fmt.Errorf("read the plugin: %w", err)
	}
	if err := os.WriteFile(filepath.Join(c.pluginDir(), command), content, 0o700); err != nil {
		return Plugin{}, fmt.Errorf("install the plugin: %w", err)
	}
	sum := sha256.Sum256(content)
	return Plugin{Command: command, SHA256: hex.EncodeToString(sum[:])}, nil
}

// RegisterPlugin enters the plugin into Vault's catalog under a name; version
// may be empty.
func (c *Cluster) RegisterPlugin(ctx context.Context, p Plugin, name, version string) error {
	client, err := c.Root().API()
	if err != nil {
		return err
	}
	return client.Sys().RegisterPluginWithContext(ctx, &api.RegisterPluginInput{
		Name: name, Type: api.PluginTypeSecrets, Command: p.Command, SHA256: p.SHA256, Version: version,
	})
}
