package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDemo runs what a new user runs first, with the README's commands in it.
func TestDemo(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs("../scripts/demo.sh")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := filepath.Abs(vaultBinary())
	if err != nil {
		t.Fatal(err)
	}
	temporary := t.TempDir()
	demo := exec.CommandContext(t.Context(), script)
	demo.Env = append(os.Environ(), "VAULT_BIN="+binary, "TMPDIR="+temporary)
	output, err := demo.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if !strings.Contains(string(output), "Done. Nothing is left running.") {
		t.Errorf("the demo did not come to its end:\n%s", output)
	}
	if left := processesNaming(t, temporary); len(left) > 0 {
		t.Errorf("the demo left running: %q", left)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("the demo left %v behind (%v)", left, err)
	}
}

// processesNaming are the command lines of running processes that hold a text.
func processesNaming(t *testing.T, text string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		if command := strings.ReplaceAll(string(line), "\x00", " "); strings.Contains(command, text) {
			found = append(found, command)
		}
	}
	return found
}
