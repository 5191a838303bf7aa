package clients

import (
	"fmt"
	"testing"

	"vault-plugin-secrets-github/internal/oidctest"
)

// newClientWorld is a world set up as docs/clients.md says at its beginning.
func newClientWorld(t *testing.T) (*world, *page) {
	t.Helper()
	w := newWorld(t)
	p := readPage(t, "docs/clients.md")
	w.setUp(p, map[string]string{
		"ORGANIZATION": "acme", "CI_ISSUER": w.issuer.URL, "API_ID": fmt.Sprint(w.api.ID),
	})
	return w, p
}

// pushToMain are the claims of the job that may log in.
func (w *world) pushToMain() map[string]any {
	return oidctest.GitHubActionsClaims(map[string]any{"repository_id": fmt.Sprint(w.api.ID)})
}

// vaultToken is the Vault token of that job, for the environment of a client.
func (w *world) vaultToken() map[string]string {
	w.t.Helper()
	return map[string]string{"VAULT_TOKEN": w.login("jwt", "ci", w.pushToMain())}
}

// shell is how people run the lines of docs/clients.md.
var shell = []string{"bash", "-euo", "pipefail", "-c"}
