package clients

import (
	"fmt"
	"os"
	"testing"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// renewals counts how often Vault renewed a lease.
func (w *world) renewals() int {
	w.t.Helper()
	n := 0
	for _, path := range []string{"sys/leases/renew", "sys/renew"} {
		for _, e := range w.vault.Audit(w.t, path) {
			if e.Type == "response" && e.Error == "" {
				n++
			}
		}
	}
	return n
}

func TestAgentKeepsTheTokenInAPrivateFileAndReplacesIt(t *testing.T) {
	t.Parallel()
	w, p := newClientWorld(t)
	// The page's role, but for its times.
	w.write("github/roles/ci", map[string]any{"ttl": "5s", "max_ttl": "12s"})
	agent := w.start(p.block("run", "agent"), map[string]string{
		"agent.hcl": p.block("file", "agent.hcl"), "id-token": w.issuer.Sign(w.pushToMain()),
	})
	file := agent.path("github-token")
	first := w.awaitToken(file, "")
	wantPrivate(t, file)
	w.wantLive(first)
	if _, err := os.Stat(agent.path("id-token")); !os.IsNotExist(err) {
		t.Errorf("the agent left the ID token where it was: %v", err)
	}
	second := w.awaitToken(file, first)
	wantPrivate(t, file)
	w.wantLive(second)
	if w.renewals() == 0 {
		t.Error("the agent did not renew the lease")
	}
	vaulttest.Eventually(t, patience, func() error {
		if w.isLive(first) {
			return fmt.Errorf("the token that was replaced is alive")
		}
		return nil
	})
}

func TestAgentShowsTheIDTokenAndLeavesTheLease(t *testing.T) {
	t.Parallel()
	w, p := newClientWorld(t)
	agent := w.start(p.block("run", "agent-id-token"), map[string]string{
		"agent-id-token.hcl": p.block("file", "agent-id-token.hcl"), "id-token": w.issuer.Sign(w.pushToMain()),
	})
	file := agent.path("github-token")
	token := w.awaitToken(file, "")
	wantPrivate(t, file)
	agent.stop()
	w.wantMinted(1)
	w.wantLive(token) // the lease's own time ends it
}

// awaitToken waits until a file holds a token, and another than the one before.
func (w *world) awaitToken(file, before string) string {
	w.t.Helper()
	var token string
	vaulttest.Eventually(w.t, patience, func() error {
		content, err := os.ReadFile(file)
		switch token = string(content); {
		case err != nil:
			return err
		case !gitHubToken.MatchString(token):
			return fmt.Errorf("the file holds %d bytes that are no token", len(token))
		case token == before:
			return fmt.Errorf("the file still holds the first token")
		}
		return nil
	})
	return token
}
