package vaulttest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// LeakCheck looks for the secrets of a run in what Vault and the engine leave
// behind. It knows the private keys that it was told of, and GitHub's tokens by
// their form. The zero value is ready.
type LeakCheck struct {
	mu   sync.Mutex
	keys [][]byte
}

// gitHubToken matches installation tokens, all of which begin so and are at
// least 40 characters long.
var gitHubToken = regexp.MustCompile(`ghs_[A-Za-z0-9._-]{36,}`)

// WatchFor remembers a private key in PEM, by a line of it: line ends are
// encoded in many ways.
func (l *LeakCheck) WatchFor(key string) {
	lines := strings.Split(strings.TrimSpace(key), "\n")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys = append(l.keys, []byte(lines[len(lines)/2]))
}

// CheckFiles fails if a file holds a secret in the clear. It does not repeat it.
func (l *LeakCheck) CheckFiles(files ...string) error {
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("look for leaked secrets: %w", err)
		}
		for number, line := range bytes.Split(content, []byte("\n")) {
			if what := l.Find(line); what != "" {
				return fmt.Errorf("%s, line %d, holds %s in the clear", filepath.Base(file), number+1, what)
			}
		}
	}
	return nil
}

// Find says what secret the line holds; nothing if it holds none.
func (l *LeakCheck) Find(line []byte) string {
	if gitHubToken.Match(line) {
		return "a GitHub token"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range l.keys {
		if bytes.Contains(line, key) {
			return "a private key"
		}
	}
	return ""
}
