// Package chaos tests that no token is orphaned, and none dies early, on a Vault
// of three nodes, whatever fails below it, beside it or in front of it.
package chaos

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// What all tests share. They run one after another: some of them break it.
var (
	cluster *vaulttest.Cluster
	// leaks looks for secrets of the whole run in what Vault, the engine and
	// errors leave behind.
	leaks vaulttest.LeakCheck
)

var full = flag.Bool("full", false, "let each fault last as long as in earnest: a quarter of an hour")

// pluginName is the engine's name in Vault's catalog.
const pluginName = "vault-plugin-secrets-github"

// bin is where make build puts what the tests need.
var bin = filepath.Join("..", "..", "bin")

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	vaulttest.ForgetEnvironment()
	const nodes = 3
	if cluster, err = vaulttest.StartCluster(context.Background(), vaulttest.Binary(filepath.Join(bin, "vault")), nodes); err != nil {
		return 1, fmt.Errorf("%w (make build vault builds what the tests need)", err)
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	if _, err := addEngine(context.Background(), filepath.Join(bin, pluginName), pluginName); err != nil {
		return 1, err
	}
	if code = m.Run(); code != 0 {
		for _, n := range cluster.Nodes {
			fmt.Fprintf(os.Stderr, "The log of the node at %s ends with:\n%s", n.Addr, n.LogTail(50))
		}
	}
	return code, leaks.CheckFiles(logFiles()...)
}

// addEngine registers a binary of the engine as the version that it says it is,
// to be run as command.
func addEngine(ctx context.Context, binary, command string) (version string, err error) {
	said, err := exec.CommandContext(ctx, binary, "-version").Output()
	if err != nil {
		return "", fmt.Errorf("ask the plugin for its version: %w", err)
	}
	installed, err := cluster.InstallPlugin(binary, command)
	if err != nil {
		return "", err
	}
	version = strings.TrimSpace(string(said))
	return version, cluster.RegisterPlugin(ctx, installed, pluginName, version)
}

// logFiles are the log of each node, and the audit log of each that was active.
func logFiles() []string {
	var files []string
	for _, n := range cluster.Nodes {
		files = append(files, n.LogFile())
		if _, err := os.Stat(n.AuditFile()); err == nil {
			files = append(files, n.AuditFile())
		}
	}
	return files
}
