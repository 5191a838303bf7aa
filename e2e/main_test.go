// Package e2e tests the engine as its users meet it: in a real Vault, asked by
// jobs with real JWTs, with the fake GitHub behind it and real git before it.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// What all tests share. Each has its own mounts, GitHub and issuer in it.
var (
	vault  *vaulttest.Server
	engine registeredPlugin
	// leaks looks for secrets of the whole run in what Vault and the engine
	// leave behind.
	leaks vaulttest.LeakCheck
)

// pluginName is the engine's name in Vault's catalog.
const pluginName = "vault-plugin-secrets-github"

// registeredPlugin is the engine's binary as Vault knows it.
type registeredPlugin struct {
	vaulttest.Plugin
	version string
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	vaulttest.ForgetEnvironment()
	if vault, err = vaulttest.StartServer(context.Background(), vaultBinary()); err != nil {
		return 1, fmt.Errorf("%w (make build vault builds what the tests need)", err)
	}
	defer func() {
		if closing := vault.Close(); closing != nil && err == nil {
			err = closing
		}
	}()
	if engine, err = registerEngine(); err != nil {
		return 1, err
	}
	code = m.Run()
	if why := skippedRealGitHub(); why != "" {
		fmt.Fprintln(os.Stderr, "e2e:", why)
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "Vault's log ends with:\n%s", vault.LogTail(100))
	}
	return code, leaks.CheckFiles(vault.LogFile(), vault.AuditFile())
}

func vaultBinary() string { return vaulttest.Binary(filepath.Join("..", "bin", "vault")) }

// engineBinary is what make build builds.
func engineBinary() string { return filepath.Join("..", "bin", pluginName) }

func registerEngine() (registeredPlugin, error) {
	version, err := exec.Command(engineBinary(), "-version").Output()
	if err != nil {
		return registeredPlugin{}, fmt.Errorf("ask the plugin for its version: %w", err)
	}
	installed, err := vault.InstallPlugin(engineBinary(), pluginName)
	if err != nil {
		return registeredPlugin{}, err
	}
	p := registeredPlugin{Plugin: installed, version: strings.TrimSpace(string(version))}
	return p, vault.RegisterPlugin(context.Background(), installed, pluginName, p.version)
}
