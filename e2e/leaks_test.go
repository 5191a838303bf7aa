package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// leaks looks for secrets of the whole run in what Vault and the engine leave
// behind.
var leaks leakCheck

// leakCheck knows every private key of the run. Tokens it knows by their form.
type leakCheck struct {
	mu   sync.Mutex
	keys [][]byte
}

// gitHubToken matches installation tokens, all of which begin so and are at
// least 40 characters long.
var gitHubToken = regexp.MustCompile(`ghs_[A-Za-z0-9._-]{36,}`)

// watchFor remembers a private key in PEM, by a line of it: line ends are
// encoded in many ways.
func (l *leakCheck) watchFor(key string) {
	lines := strings.Split(strings.TrimSpace(key), "\n")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys = append(l.keys, []byte(lines[len(lines)/2]))
}

// check fails if a file holds a secret in the clear. It does not repeat it.
func (l *leakCheck) check(files ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("look for leaked secrets: %w", err)
		}
		for number, line := range bytes.Split(content, []byte("\n")) {
			if what := l.find(line); what != "" {
				return fmt.Errorf("%s, line %d, holds %s in the clear", filepath.Base(file), number+1, what)
			}
		}
	}
	return nil
}

func (l *leakCheck) find(line []byte) string {
	if gitHubToken.Match(line) {
		return "a GitHub token"
	}
	for _, key := range l.keys {
		if bytes.Contains(line, key) {
			return "a private key"
		}
	}
	return ""
}

func TestLeakCheckFindsTokensAndKeys(t *testing.T) {
	t.Parallel()
	var check leakCheck
	check.watchFor("-----BEGIN RSA PRIVATE KEY-----\nfirst\nmiddle\nlast\n-----END RSA PRIVATE KEY-----\n")
	file := filepath.Join(t.TempDir(), "log")
	for line, want := range map[string]string{
		"nothing to hide, ghs_short":             "",
		"short " + ghsToken(40):                  "line 2, holds a GitHub token",
		"long " + ghsToken(520):                  "line 2, holds a GitHub token",
		`{"key":"first\nmiddle\nlast"}`:          "line 2, holds a private key",
		`{"hashed_token":"` + hashOf("x") + `"}`: "",
	} {
		if err := os.WriteFile(file, []byte("first\n"+line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := check.check(file); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%.20s…: %q, want %q", line, got, want)
		}
	}
}

func ghsToken(length int) string { return "ghs_" + strings.Repeat("x", length-len("ghs_")) }
