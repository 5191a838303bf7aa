// Package observability tests what is in deploy/observability with a real
// Prometheus that scrapes a real Vault of three nodes.
package observability

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

const pluginName = "vault-plugin-secrets-github"

var (
	// cluster is what Prometheus scrapes.
	cluster *vaulttest.Cluster

	root     = filepath.Join("..", "..")
	bin      = filepath.Join(root, "bin")
	deployed = filepath.Join(root, "deploy", "observability")
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e/observability:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	vaulttest.ForgetEnvironment()
	install := exec.Command(filepath.Join(root, "scripts", "install-debian.sh"), "prometheus=prometheus", "promtool=prometheus")
	if output, err := install.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("install Prometheus: %w\n%s", err, output)
	}
	ctx := context.Background()
	if cluster, err = vaulttest.StartCluster(ctx, vaulttest.Binary(filepath.Join(bin, "vault")), 3); err != nil {
		return 1, fmt.Errorf("%w (make build vault builds what the tests need)", err)
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	plugin := filepath.Join(bin, pluginName)
	version, err := exec.Command(plugin, "-version").Output()
	if err != nil {
		return 1, fmt.Errorf("ask the plugin for its version: %w", err)
	}
	installed, err := cluster.InstallPlugin(plugin, pluginName)
	if err != nil {
		return 1, err
	}
	if err := cluster.RegisterPlugin(ctx, installed, pluginName, strings.TrimSpace(string(version))); err != nil {
		return 1, err
	}
	return m.Run(), nil
}
