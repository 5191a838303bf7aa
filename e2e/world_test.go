package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/githubtest"
	"vault-plugin-secrets-github/internal/oidctest"
)

// world is what one test has to itself in the shared Vault: a GitHub with the
// App ci-broker installed on the organization acme, the engine mounted and
// configured for it, and an auth mount that trusts an issuer of job identities.
//
// The engine has the role api-read: contents=read on acme/api for ten minutes.
type world struct {
	t      *testing.T
	github *githubtest.Server
	app    *githubtest.App
	issuer *oidctest.Issuer
	root   *vaulttest.Client

	repositories map[string]*githubtest.Repository
	installation *githubtest.Installation

	mount, auth string
	// lost is how many tokens the test made GitHub make that nobody can know of.
	lost int
}

var worlds atomic.Int64

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, pluginName)
}

// newWorldOf is newWorld for a plugin of another name in Vault's catalog.
func newWorldOf(t *testing.T, plugin string) *world {
	t.Helper()
	n := worlds.Add(1)
	w := &world{
		t:      t,
		github: githubtest.New(t),
		issuer: oidctest.New(t),
		root:   vault.Root(),
		mount:  fmt.Sprintf("github-%d", n),
		auth:   fmt.Sprintf("jwt-%d", n),
	}
	w.populateGitHub()
	// Runs after the mount's own clean-up, which ends every lease: no token may
	// be left, because none was made that Vault does not know of.
	t.Cleanup(func() { w.awaitLiveTokens(w.lost) })
	w.mountEngine(plugin)
	w.trustIssuer()
	w.writeRole("api-read", nil)
	return w
}

func (w *world) populateGitHub() {
	w.app = w.github.AddApp("ci-broker", map[string]string{
		"contents": "write", "issues": "write", "metadata": "read", "pull_requests": "write",
	})
	w.github.AddOrganization("acme")
	w.repositories = map[string]*githubtest.Repository{}
	for _, name := range []string{"api", "web", "secret-plans"} {
		w.repositories[name] = w.github.AddRepository("acme", name, map[string]string{"README.md": name + "\n"})
	}
	w.github.AddUser("octocat")
	w.installation = w.github.Install(w.app, "acme", githubtest.InstallOptions{})
	leaks.WatchFor(w.app.PrivateKeyPEM())
}

// mountEngine mounts a plugin as the README says, and configures it.
func (w *world) mountEngine(plugin string) {
	w.t.Helper()
	mount(w.t, w.mount, plugin)
	w.write("sys/mounts/"+w.mount+"/tune", map[string]any{
		"default_lease_ttl":            "15m",
		"max_lease_ttl":                "1h",
		"allowed_response_headers":     []string{"Retry-After"},
		"audit_non_hmac_response_keys": []string{"hashed_token", "scope", "role", "subject", "expires_at"},
	})
	w.write(w.path("config"), map[string]any{
		"client_id": w.app.ClientID, "private_key": w.app.PrivateKeyPEM(), "base_url": w.github.APIURL,
	})
}

func (w *world) trustIssuer() {
	w.t.Helper()
	w.write("sys/auth/"+w.auth, map[string]any{"type": "jwt"})
	w.write("auth/"+w.auth+"/config", map[string]any{
		"oidc_discovery_url": w.issuer.URL, "bound_issuer": w.issuer.URL,
	})
	w.write("sys/policies/acl/"+w.auth, map[string]any{
		"policy": fmt.Sprintf(`path "%s/token/*" { capabilities = ["read", "update"] }`, w.mount),
	})
	w.writeJWTRole("ci", nil)
}

// writeJWTRole lets jobs of acme/api log in as a role of the auth mount.
func (w *world) writeJWTRole(name string, fields map[string]any) {
	w.t.Helper()
	role := map[string]any{
		"role_type":       "jwt",
		"user_claim":      "repository",
		"bound_audiences": "vault",
		"bound_claims":    map[string]any{"repository": "acme/api"},
		"claim_mappings":  map[string]string{"ref": "ref", "run_id": "run_id"},
		"token_policies":  w.auth,
		"token_ttl":       "20m",
	}
	maps.Copy(role, fields)
	w.write("auth/"+w.auth+"/role/"+name, role)
}

// job is a job of acme/api that has logged in.
func (w *world) job() *vaulttest.Client {
	w.t.Helper()
	return w.login("ci", nil)
}

// login presents the identity of a job of acme/api, a push to main but for the
// claims given.
func (w *world) login(role string, claims map[string]any) *vaulttest.Client {
	w.t.Helper()
	jwt := w.issuer.Sign(oidctest.GitHubActionsClaims(claims))
	a := vault.Client("").Post(w.t, "auth/"+w.auth+"/login", map[string]any{"role": role, "jwt": jwt})
	return vault.Client(a.Secret(w.t).Auth.ClientToken)
}

// path is a path of the engine.
func (w *world) path(below string) string { return w.mount + "/" + below }

// in is the same world for a subtest.
func (w *world) in(t *testing.T) *world {
	same := *w
	same.t = t
	return &same
}

// write writes as root, and must succeed.
func (w *world) write(path string, fields map[string]any) {
	w.t.Helper()
	write(w.t, path, fields)
}

// writeRole writes a role like api-read, but for some fields.
func (w *world) writeRole(name string, fields map[string]any) {
	w.t.Helper()
	role := map[string]any{
		"organization": "acme", "repositories": []string{"api"},
		"permissions": map[string]string{"contents": "read"}, "ttl": "10m",
	}
	maps.Copy(role, fields)
	w.write(w.path("roles/"+name), role)
}

// token reads a token of a role, and must get one.
func (w *world) token(job *vaulttest.Client, role string) *api.Secret {
	w.t.Helper()
	return job.Get(w.t, w.path("token/"+role)).Secret(w.t)
}

// tokenOf is the token in the answer.
func tokenOf(secret *api.Secret) string {
	token, _ := secret.Data["token"].(string)
	return token
}

// mustRevoke ends a lease, and with it the token.
func (w *world) mustRevoke(secret *api.Secret) {
	w.t.Helper()
	if a := revoke(w.t, secret.LeaseID); a.Status >= http.StatusBadRequest {
		w.t.Fatalf("revoke %s: %d %s", secret.LeaseID, a.Status, a.Errors())
	}
	if w.isLive(tokenOf(secret)) {
		w.t.Error("the lease was revoked, and GitHub still takes the token")
	}
}

// isLive asks the fake whether GitHub takes the token.
func (w *world) isLive(token string) bool {
	return slices.ContainsFunc(w.github.LiveTokens(), func(live githubtest.Token) bool { return live.Value == token })
}

const (
	// revocationTimeout is time enough for Vault to try a revocation again,
	// which it does 5 to 15 seconds after the first failure.
	revocationTimeout = 30 * time.Second
	// requestTimeout is time enough for what a request sets off.
	requestTimeout = 10 * time.Second
)

// awaitLiveTokens waits until GitHub has so many.
func (w *world) awaitLiveTokens(want int) {
	w.t.Helper()
	vaulttest.Eventually(w.t, revocationTimeout, func() error {
		if got := len(w.github.LiveTokens()); got != want {
			return fmt.Errorf("GitHub has %d live tokens, not %d", got, want)
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

// awaitRequests waits until GitHub has had so many requests to an endpoint.
func (w *world) awaitRequests(endpoint string, want int) {
	w.t.Helper()
	vaulttest.Eventually(w.t, requestTimeout, func() error {
		if got := w.github.Requests(endpoint); got < want {
			return fmt.Errorf("GitHub had %d requests to %s, not %d", got, endpoint, want)
		}
		return nil
	})
}

// mount mounts a plugin for the length of a test, at the end of which every
// lease of it is revoked.
func mount(t *testing.T, path, plugin string) {
	t.Helper()
	write(t, "sys/mounts/"+path, map[string]any{"type": plugin})
	t.Cleanup(func() {
		if a := vault.Root().Delete(t, "sys/mounts/"+path); a.Status != http.StatusNoContent {
			t.Errorf("unmount %s: %d %s", path, a.Status, a.Errors())
		}
	})
}

// write writes as root, and must succeed.
func write(t *testing.T, path string, fields map[string]any) {
	t.Helper()
	if a := vault.Root().Post(t, path, fields); a.Status >= http.StatusBadRequest {
		t.Fatalf("write %s: %d %s", path, a.Status, a.Errors())
	}
}

// revoke ends a lease and waits for what comes of it.
func revoke(t *testing.T, leaseID string) vaulttest.Answer {
	t.Helper()
	return vault.Root().Post(t, "sys/leases/revoke", map[string]any{"lease_id": leaseID, "sync": true})
}

// wantError checks the status of a refusal and what its text says.
func wantError(t *testing.T, a vaulttest.Answer, status int, says ...string) {
	t.Helper()
	if a.Status != status {
		t.Errorf("Vault answered %d, not %d: %s", a.Status, status, a.Body)
	}
	for _, part := range says {
		if !strings.Contains(a.Errors(), part) {
			t.Errorf("the error does not say %q:\n%s", part, a.Errors())
		}
	}
}
