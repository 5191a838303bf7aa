// Package clients tests the engine with what people already have: Vault's own
// clients, other people's clients, and the jobs of every CI of docs/ci. What is
// printed in docs/clients.md and docs/ci is what runs here.
package clients

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	forgetVaultEnvironment()
	for _, binary := range []string{vaultBinary(), filepath.Join(engineDir, engineName)} {
		if _, err := os.Stat(binary); err != nil {
			fmt.Fprintf(os.Stderr, "e2e/clients: %s (make build vault builds what the tests need)\n", err)
			os.Exit(1)
		}
	}
	code := m.Run()
	if os.Getenv(vaultActionDir) == "" {
		fmt.Fprintf(os.Stderr, "e2e/clients: hashicorp/vault-action was imitated; %s=CHECKOUT runs the action itself\n", vaultActionDir)
	}
	if code == 0 && everyTestRan() {
		if err := checkEveryBlockWasUsed(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e/clients:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// everyTestRan reports whether go test was asked for all of them.
func everyTestRan() bool {
	for _, selection := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(selection).Value.String() != "" {
			return false
		}
	}
	return true
}

// forgetVaultEnvironment keeps the developer's own Vault out of the tests.
func forgetVaultEnvironment() {
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "VAULT_") && name != "VAULT_BIN" && name != vaultActionDir {
			os.Unsetenv(name)
		}
	}
}

// engineName is the engine's, as a file and in Vault's catalog.
const engineName = "vault-plugin-secrets-github"

var (
	// root is the repository's.
	root = filepath.Join("..", "..")
	// engineDir is where make build builds the engine.
	engineDir = filepath.Join(root, "bin")
)

func vaultBinary() string {
	if given := os.Getenv("VAULT_BIN"); given != "" {
		return given
	}
	return filepath.Join(root, "bin", "vault")
}
