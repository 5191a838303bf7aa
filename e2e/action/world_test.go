package action

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/githubtest"
)

// world is what one test has to itself: a GitHub with an App installed on acme,
// which has the repositories api and web; the engine mounted for it, with the
// role ci for contents=write on both; and a JWT auth mount that trusts the CI,
// with the role ci for every job of acme.
type world struct {
	t      *testing.T
	github *githubtest.Server
	app    *githubtest.App
	ci     *ci

	mount, auth string
}

var worlds atomic.Int64

func newWorld(t *testing.T) *world {
	t.Helper()
	n := worlds.Add(1)
	w := &world{
		t: t, github: githubtest.New(t), ci: newCI(t),
		mount: fmt.Sprintf("github-%d", n), auth: fmt.Sprintf("jwt-%d", n),
	}
	w.populateGitHub()
	t.Cleanup(func() { w.awaitLive(0) }) // after the engine is unmounted
	w.mountEngine()
	w.trustCI()
	w.writeRole("ci", nil)
	return w
}

func (w *world) populateGitHub() {
	w.app = w.github.AddApp("ci-broker", map[string]string{"contents": "write", "metadata": "read", "pull_requests": "write"})
	w.github.AddOrganization("acme")
	for _, name := range []string{"api", "web"} {
		w.github.AddRepository("acme", name, map[string]string{"README.md": name + "\n"})
	}
	w.github.Install(w.app, "acme", githubtest.InstallOptions{})
}

func (w *world) mountEngine() {
	w.t.Helper()
	w.write("sys/mounts/"+w.mount, map[string]any{"type": pluginName})
	w.t.Cleanup(func() {
		if a := vault.Root().Delete(w.t, "sys/mounts/"+w.mount); a.Status != http.StatusNoContent {
			w.t.Errorf("unmount the engine: %d %s", a.Status, a.Errors())
		}
	})
	w.write("sys/mounts/"+w.mount+"/tune", map[string]any{
		"default_lease_ttl": "15m", "max_lease_ttl": "1h", "allowed_response_headers": []string{"Retry-After"},
	})
	w.write(w.mount+"/config", map[string]any{
		"client_id": w.app.ClientID, "private_key": w.app.PrivateKeyPEM(), "base_url": w.github.APIURL,
	})
}

// trustCI lets jobs log in, with the policy of the action's README, and the
// engine verify their ID tokens.
func (w *world) trustCI() {
	w.t.Helper()
	w.write("sys/auth/"+w.auth, map[string]any{"type": "jwt"})
	w.write("auth/"+w.auth+"/config", map[string]any{"oidc_discovery_url": w.ci.issuer.URL, "bound_issuer": w.ci.issuer.URL})
	w.writePolicy(`path "%s/token/*" { capabilities = ["update"] }`, w.mount)
	w.writeJWTRole(nil)
	accessor := vault.Root().Get(w.t, "sys/auth/"+w.auth).Secret(w.t).Data["accessor"]
	w.write(w.mount+"/issuers/default", map[string]any{
		"mount_accessor": accessor, "user_claim": "repository",
		"oidc_discovery_url": w.ci.issuer.URL, "bound_issuer": w.ci.issuer.URL, "bound_audiences": "vault",
	})
}

// writePolicy writes the policy of the JWT role.
func (w *world) writePolicy(format string, args ...any) {
	w.t.Helper()
	w.write("sys/policies/acl/"+w.auth, map[string]any{"policy": fmt.Sprintf(format, args...)})
}

// writeJWTRole writes the JWT role ci, but for some fields.
func (w *world) writeJWTRole(fields map[string]any) {
	w.t.Helper()
	role := map[string]any{
		"role_type": "jwt", "user_claim": "repository", "bound_audiences": "vault",
		"bound_claims": map[string]any{"repository_owner": "acme"}, "token_policies": w.auth, "token_ttl": "20m",
	}
	maps.Copy(role, fields)
	w.write("auth/"+w.auth+"/role/ci", role)
}

// writeRole writes a role of the engine like ci, but for some fields.
func (w *world) writeRole(name string, fields map[string]any) {
	w.t.Helper()
	role := map[string]any{
		"organization": "acme", "repositories": "api,web", "permissions": map[string]string{"contents": "write"}, "ttl": "10m",
	}
	maps.Copy(role, fields)
	w.write(w.mount+"/roles/"+name, role)
}

// in is the same world for a subtest.
func (w *world) in(t *testing.T) *world {
	same := *w
	same.t = t
	return &same
}

// write writes as root, and must succeed.
func (w *world) write(path string, fields map[string]any) {
	w.t.Helper()
	if a := vault.Root().Post(w.t, path, fields); a.Status >= http.StatusBadRequest {
		w.t.Fatalf("write %s: %d %s", path, a.Status, a.Errors())
	}
}

// isLive asks the fake whether GitHub takes the token.
func (w *world) isLive(token string) bool {
	return slices.ContainsFunc(w.github.LiveTokens(), func(live githubtest.Token) bool { return live.Value == token })
}

// awaitLive waits until GitHub has so many live tokens.
func (w *world) awaitLive(want int) {
	w.t.Helper()
	vaulttest.Eventually(w.t, 30*time.Second, func() error {
		if got := len(w.github.LiveTokens()); got != want {
			return fmt.Errorf("GitHub has %d live tokens, not %d", got, want)
		}
		return nil
	})
}

// awaitRequests waits until GitHub has had so many requests to an endpoint.
func (w *world) awaitRequests(endpoint string, want int) {
	w.t.Helper()
	vaulttest.Eventually(w.t, 10*time.Second, func() error {
		if got := w.github.Requests(endpoint); got < want {
			return fmt.Errorf("GitHub had %d requests to %s, not %d", got, endpoint, want)
		}
		return nil
	})
}

// wantMinted checks how many tokens GitHub has made.
func (w *world) wantMinted(want int) {
	w.t.Helper()
	if got := w.github.Minted(); got != want {
		w.t.Errorf("GitHub made %d tokens, not %d", got, want)
	}
}

// wantVaultTokenGone checks that Vault does not know a token any more.
func wantVaultTokenGone(t *testing.T, token string) {
	t.Helper()
	if token == "" {
		t.Error("there was no Vault token")
	}
	if a := vault.Client(token).Get(t, "auth/token/lookup-self"); a.Status != http.StatusForbidden {
		t.Errorf("Vault still takes its token: %d", a.Status)
	}
}
