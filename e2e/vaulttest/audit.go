package vaulttest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"testing"
	"time"
)

// AuditEntry is a line of Vault's audit log.
type AuditEntry struct {
	Type  string    `json:"type"` // request or response
	Time  time.Time `json:"time"`
	Error string    `json:"error"`
	Auth  struct {
		DisplayName string            `json:"display_name"`
		EntityID    string            `json:"entity_id"`
		Metadata    map[string]string `json:"metadata"`
		Policies    []string          `json:"policies"`
		TokenType   string            `json:"token_type"`
	} `json:"auth"`
	Request struct {
		ID         string         `json:"id"`
		Operation  string         `json:"operation"`
		Path       string         `json:"path"`
		RequestURI string         `json:"request_uri"`
		Data       map[string]any `json:"data"`
	} `json:"request"`
	Response struct {
		Data   map[string]any `json:"data"`
		Secret struct {
			LeaseID string `json:"lease_id"`
		} `json:"secret"`
	} `json:"response"`
}

// Audit returns the entries so far of requests for the path, which is not
// preceded by /v1/.
func (n *Node) Audit(t testing.TB, path string) []AuditEntry {
	t.Helper()
	entries, err := readAudit(n.AuditFile(), func(e AuditEntry) bool { return e.Request.Path == path })
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func readAudit(file string, keep func(AuditEntry) bool) ([]AuditEntry, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	defer f.Close()
	var entries []AuditEntry
	for lines := bufio.NewReader(f); ; {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return entries, nil // what comes after the last newline is still being written
		}
		if err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		var e AuditEntry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("the audit log holds a line that is not JSON: %w", err)
		}
		if keep(e) {
			entries = append(entries, e)
		}
	}
}
