// Package action tests the GitHub Action as a runner runs it: main and post in
// processes of their own, told through the environment and through files what to
// do, against a real Vault with the engine, a fake GitHub and real git.
package action

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// pluginName is the engine's name in Vault's catalog.
const pluginName = "vault-plugin-secrets-github"

// vault is what all tests share. Each has its own mounts, GitHub and CI in it.
var vault *vaulttest.Server

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e/action:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	forgetVaultEnvironment()
	if vault, err = vaulttest.StartServer(context.Background(), vaultBinary()); err != nil {
		return 1, fmt.Errorf("%w (make build vault builds what the tests need)", err)
	}
	defer func() {
		if closing := vault.Close(); closing != nil && err == nil {
			err = closing
		}
	}()
	if err := registerEngine(filepath.Join("..", "..", "bin", pluginName)); err != nil {
		return 1, err
	}
	code = m.Run()
	if code != 0 {
		fmt.Fprintf(os.Stderr, "Vault's log ends with:\n%s", vault.LogTail(100))
	}
	return code, leaked(vault.LogFile(), vault.AuditFile())
}

// forgetVaultEnvironment keeps the developer's own Vault out of the tests.
func forgetVaultEnvironment() {
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "VAULT_") && name != "VAULT_BIN" {
			os.Unsetenv(name)
		}
	}
}

func vaultBinary() string {
	if given := os.Getenv("VAULT_BIN"); given != "" {
		return given
	}
	return filepath.Join("..", "..", "bin", "vault")
}

func registerEngine(binary string) error {
	version, err := exec.Command(binary, "-version").Output()
	if err != nil {
		return fmt.Errorf("ask the plugin for its version: %w", err)
	}
	plugin, err := vault.InstallPlugin(binary, pluginName)
	if err != nil {
		return err
	}
	return vault.RegisterPlugin(context.Background(), plugin, pluginName, strings.TrimSpace(string(version)))
}

// secret matches GitHub's installation tokens and JSON Web Tokens.
var secret = regexp.MustCompile(`ghs_[A-Za-z0-9._-]{36,}|eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+`)

// leaked fails if a file that Vault wrote holds a secret of a job.
func leaked(files ...string) error {
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("look for leaked secrets: %w", err)
		}
		if at := secret.FindIndex(content); at != nil {
			return fmt.Errorf("%s, line %d, holds a secret", filepath.Base(file), 1+bytes.Count(content[:at[0]], []byte("\n")))
		}
	}
	return nil
}
