package vaulttest

import (
	"os"
	"strings"
)

// binaryVariable is the one that names the vault binary to test with.
const binaryVariable = "VAULT_BIN"

// Binary is the vault binary that VAULT_BIN names, else the one that was built.
func Binary(built string) string {
	if given := os.Getenv(binaryVariable); given != "" {
		return given
	}
	return built
}

// ForgetEnvironment keeps the developer's own Vault out of the tests.
func ForgetEnvironment() {
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "VAULT_") && name != binaryVariable {
			os.Unsetenv(name)
		}
	}
}
