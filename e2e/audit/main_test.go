// Package audit tests what an auditor finds: a real Vault with three audit
// devices and the built engine, jobs with real ID tokens and real git, and the
// fake GitHub, which keeps GitHub's own audit log.
//
// docs/audit.md is held to it: every field in its tables is looked for where the
// page says that it is.
package audit

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

const pluginName = "vault-plugin-secrets-github"

// What all tests share. Each has its own mounts, GitHub and issuer.
var (
	vault *vaulttest.Server
	// devices are the audit devices; each hashes with a salt of its own.
	devices []device
	leaks   vaulttest.LeakCheck
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e/audit:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	vaulttest.ForgetEnvironment()
	if vault, err = vaulttest.StartServer(context.Background(), vaulttest.Binary(built("vault"))); err != nil {
		return 1, fmt.Errorf("%w (make build vault builds what the tests need)", err)
	}
	defer func() {
		if closing := vault.Close(); closing != nil && err == nil {
			err = closing
		}
	}()
	socket, err := listenForAudit(filepath.Dir(vault.AuditFile()))
	if err != nil {
		return 1, err
	}
	defer socket.close()
	if devices, err = enableDevices(socket); err != nil {
		return 1, err
	}
	if err := registerEngine(); err != nil {
		return 1, err
	}
	if code = m.Run(); code != 0 {
		fmt.Fprintf(os.Stderr, "Vault's log ends with:\n%s", vault.LogTail(20))
	}
	files := []string{vault.LogFile()}
	for _, d := range devices {
		files = append(files, d.file)
	}
	return code, leaks.CheckFiles(files...)
}

// built is a file that make builds.
func built(name string) string {
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err != nil {
		panic(err) // there is always a working directory
	}
	return path
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
