package audit

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// silences are what the audit log does not tell, as the page names it: each shows
// that it does not, and that the server log does.
var silences = map[string]func(*testing.T, *world){
	"The scope and the hash of a wrapped token": func(t *testing.T, w *world) {
		wrapped := w.job(nil).Do(t, "GET", w.mount+"/token/api-read", nil, "X-Vault-Wrap-TTL", "60s").Secret(t)
		_, response := devices[0].pair(t, w.mount+"/token/api-read")
		line := w.awaitLine(t, "issued a token", "request_id", response.text("request", "id"))
		wantNoEntryWith(t, line["hashed_token"].(string))
		unwrapped := vault.Client(wrapped.WrapInfo.Token).Post(t, "sys/wrapping/unwrap", nil).Secret(t)
		if unwrapped.Data["hashed_token"] != line["hashed_token"] || unwrapped.Data["scope"] != line["scope"] {
			t.Errorf("the line tells of another token: %v", line)
		}
	},
	"That a lease ended by its TTL": func(t *testing.T, w *world) {
		secret := w.job(nil).token("api-read", map[string]any{"ttl": "1s"})
		w.awaitLine(t, "revoked a token", "hashed_token", secret.Data["hashed_token"])
		for _, d := range devices {
			after := d.entries(t, func(e entry) bool { return mentions(e, secret.LeaseID) })
			if len(after) != 1 {
				t.Errorf("%s has %d entries about the lease, not the issuance alone", d.path, len(after))
			}
		}
	},
	"Which leases ended with a Vault token": func(t *testing.T, w *world) {
		j := w.job(nil)
		secret := j.token("api-read", nil)
		w.expect(j.Post(t, "auth/token/revoke-self", nil))
		w.awaitRevoked(t, secret)
	},
	"Which leases ended by a prefix": func(t *testing.T, w *world) {
		secret := w.job(nil).token("api-read", nil)
		w.write("sys/leases/revoke-prefix/"+w.mount+"/token/api-read", nil)
		w.awaitRevoked(t, secret)
	},
	"Which lease was revoked by its id in a body": func(t *testing.T, w *world) {
		secret := w.job(nil).token("api-read", nil)
		w.write("sys/leases/revoke", map[string]any{"lease_id": secret.LeaseID})
		w.awaitRevoked(t, secret)
	},
	"How long a renewed lease lasts": func(t *testing.T, w *world) {
		j := w.job(nil)
		secret := j.token("api-read", map[string]any{"ttl": "60s"})
		w.expect(j.Post(t, "sys/leases/renew", map[string]any{"lease_id": secret.LeaseID, "increment": "77s"}))
		line := w.awaitLine(t, "renewed a lease", "hashed_token", secret.Data["hashed_token"])
		if line["ttl"] != "1m17s" {
			t.Errorf("the line says %v", line["ttl"])
		}
		wantNoEntryWith(t, "77s")
	},
	"That GitHub did not take a revocation": func(t *testing.T, w *world) {
		mend := w.failRevocations()
		j := w.job(nil)
		secret := j.token("api-read", nil)
		w.expect(j.Post(t, "auth/token/revoke-self", nil))
		w.awaitLine(t, "could not revoke a token; Vault tries again", "hashed_token", secret.Data["hashed_token"])
		mend()
		w.awaitRevoked(t, secret)
	},
	"What was done with a token": func(t *testing.T, w *world) {
		secret := w.job(nil).token("api-read", nil)
		w.readFile(tokenOf(secret), "api", "README.md")
		uses := w.usesOf(secret)
		if len(uses) != 1 || uses[0].Route != "/repos/{owner}/{repo}/contents/{path}" {
			t.Errorf("GitHub's audit log has %+v", uses)
		}
	},
	"A request beyond a rate-limit quota": func(t *testing.T, w *world) {
		quota := "sys/quotas/rate-limit/" + w.mount
		w.write(quota, map[string]any{"path": w.mount + "/token/api-read", "rate": 1, "interval": "1m"})
		t.Cleanup(func() { vault.Root().Delete(t, quota) })
		j := w.job(nil)
		j.token("api-read", nil)
		if a := j.ask("api-read", nil); a.Status != 429 {
			t.Fatalf("the quota lets it through: %d", a.Status)
		}
		for _, d := range devices {
			if got := len(d.entries(t, func(e entry) bool { return e.text("request", "path") == w.mount+"/token/api-read" })); got != 2 {
				t.Errorf("%s has %d entries, not those of the issuance alone", d.path, got)
			}
		}
	},
}

// TestWhatIsNotInTheAuditLogIsWhereThePageSays tries each row.
func TestWhatIsNotInTheAuditLogIsWhereThePageSays(t *testing.T) {
	t.Parallel()
	named := map[string]bool{}
	for _, cells := range tableOf(t, "silences") {
		named[cells[0]] = true
		if silences[cells[0]] == nil {
			t.Errorf("%q is not tried here", cells[0])
		}
	}
	for name, test := range silences {
		if !named[name] {
			t.Errorf("the page does not say %q", name)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t))
		})
	}
}

// awaitLine waits for the engine's line with a message in Vault's server log that
// has a field.
func (w *world) awaitLine(t *testing.T, message, key string, value any) map[string]any {
	t.Helper()
	var found map[string]any
	vaulttest.Eventually(t, settleTimeout, func() error {
		for _, line := range vault.Log(t) {
			if line["@message"] == message && line[key] == value {
				found = line
				return nil
			}
		}
		return fmt.Errorf("Vault's log has no line %q with %s=%v", message, key, value)
	})
	return found
}

// awaitRevoked waits for the line that tells of the end of a token, which no
// entry of the audit log names beside it.
func (w *world) awaitRevoked(t *testing.T, secret *api.Secret) {
	t.Helper()
	w.awaitLine(t, "revoked a token", "hashed_token", secret.Data["hashed_token"])
	for _, d := range devices {
		about := d.entries(t, func(e entry) bool {
			return strings.Contains(e.text("request", "path"), "revoke") && (mentions(e, secret.LeaseID) || mentions(e, secret.Data["hashed_token"].(string)))
		})
		if len(about) > 0 {
			t.Errorf("%s tells of it: %v", d.path, about)
		}
	}
}

// wantNoEntryWith looks for a text in every device's entries.
func wantNoEntryWith(t *testing.T, text string) {
	t.Helper()
	for _, d := range devices {
		if found := d.entries(t, func(e entry) bool { return mentions(e, text) }); len(found) > 0 {
			t.Errorf("%s has it: %v", d.path, found)
		}
	}
}

func mentions(e entry, text string) bool {
	content, err := json.Marshal(e)
	return err == nil && strings.Contains(string(content), text)
}
