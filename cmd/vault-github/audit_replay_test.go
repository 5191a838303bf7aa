package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestARoleIsReadAsVaultShowsIt: a role that was read can be tried, numbers and
// all.
func TestARoleIsReadAsVaultShowsIt(t *testing.T) {
	t.Parallel()
	fields := `{"organization": "acme", "repository_ids": [700000001], "permissions": {"contents": "read"}, "ttl": 600, "max_ttl": 0}`
	for name, text := range map[string]string{
		"the body of a write":        fields,
		"what vault read shows":      `{"request_id": "1", "lease_id": "", "data": ` + fields + `}`,
		"the data of what was shown": `{"data": ` + fields + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "role.json")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := readProposal("api", file, ""); err != nil {
				t.Error(err)
			}
		})
	}
}
