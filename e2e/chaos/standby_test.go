package chaos

import (
	"net/http"
	"testing"

	"vault-plugin-secrets-github/internal/oidctest"
)

// A job that knows only a standby logs in there, and has its token made, renewed
// and revoked by the active node.
func TestJobOnAStandby(t *testing.T) {
	w := newWorld(t)
	w.writeRole("api-read", map[string]any{"ttl": "60s"})
	standby, err := cluster.Standby(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	login := standby.Client("").Post(t, "auth/"+auth+"/login", map[string]any{
		"role": "ci", "jwt": w.issuer.Sign(oidctest.GitHubActionsClaims(nil)),
	}).Secret(t)
	job := standby.Client(login.Auth.ClientToken)

	secret := job.Get(t, mount+"/token/api-read").Secret(t)
	token := tokenOf(secret)
	if status := w.useToken(token); status != http.StatusOK {
		t.Errorf("GitHub answers %d to the token", status)
	}
	if minted := w.github.Minted(); minted != 1 {
		t.Errorf("GitHub made %d tokens, not one", minted)
	}
	lease := map[string]any{"lease_id": secret.LeaseID}
	if renewed := job.Post(t, "sys/leases/renew", lease).Secret(t).LeaseDuration; renewed > 60 || renewed < 55 {
		t.Errorf("renewed it lasts %d s, not 60", renewed)
	}
	lease["sync"] = true
	if a := job.Post(t, "sys/leases/revoke", lease); a.Status != http.StatusNoContent {
		t.Fatalf("revoke: %d %s", a.Status, a.Errors())
	}
	if status := w.useToken(token); status != http.StatusUnauthorized {
		t.Errorf("GitHub answers %d to the token of a revoked lease", status)
	}
}
