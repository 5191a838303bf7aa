// Package cli tests vault-github as a CI job uses it: the built binary, a real
// Vault with the built engine, real ID tokens, real git, and the fake GitHub.
//
// Most tests are transcripts: the scripts below testdata, each in a world of its
// own (see world_test.go).
package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

const pluginName = "vault-plugin-secrets-github"

// vault is shared; each test has its own mounts in it.
var vault *vaulttest.Server

// built is a file that make builds.
func built(name string) string {
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err != nil {
		panic(err) // there is always a working directory
	}
	return path
}

func vaultBinary() string {
	if given := os.Getenv("VAULT_BIN"); given != "" {
		return given
	}
	return built("vault")
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e/cli:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	// Below nohup a hang-up is ignored, and no child could handle it then.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	for _, setting := range os.Environ() { // nothing of the developer's own Vault or CI
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "VAULT_") && name != "VAULT_BIN" {
			os.Unsetenv(name)
		}
	}
	if vault, err = vaulttest.StartServer(context.Background(), vaultBinary()); err != nil {
		return 1, fmt.Errorf("%w (make build vault builds what the tests need)", err)
	}
	defer func() {
		if closing := vault.Close(); closing != nil && err == nil {
			err = closing
		}
	}()
	if err := registerEngine(); err != nil {
		return 1, err
	}
	if code = m.Run(); code != 0 {
		fmt.Fprintf(os.Stderr, "Vault's log ends with:\n%s", vault.LogTail(10))
	}
	return code, findLeaks(vault.LogFile(), vault.AuditFile())
}

// secretForm matches GitHub tokens and signed JWTs.
var secretForm = regexp.MustCompile(`ghs_[A-Za-z0-9._-]{36,}|eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`)

// findLeaks fails if what Vault writes down holds a secret in the clear. It does
// not repeat it.
func findLeaks(files ...string) error {
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("look for leaked secrets: %w", err)
		}
		if secretForm.Match(content) {
			return fmt.Errorf("%s holds a GitHub token or an ID token in the clear", filepath.Base(file))
		}
	}
	return nil
}

func registerEngine() error {
	version, err := exec.Command(built(pluginName), "-version").Output()
	if err != nil {
		return fmt.Errorf("ask the plugin for its version: %w", err)
	}
	installed, err := vault.InstallPlugin(built(pluginName), pluginName)
	if err != nil {
		return err
	}
	return vault.RegisterPlugin(context.Background(), installed, pluginName, strings.TrimSpace(string(version)))
}

func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]bool{
		"nothing, ghs_short, eyJhbGciOiJSUzI1NiJ9":        false,
		"a token ghs_" + strings.Repeat("x", 36):          true,
		"an ID token eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.sig": true,
	} {
		file := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := findLeaks(file); (err != nil) != want {
			t.Errorf("%q: %v", content, err)
		}
	}
}
