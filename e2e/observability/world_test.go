package observability

import (
	"net/http"
	"testing"

	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/githubtest"
	"vault-plugin-secrets-github/internal/oidctest"
)

// world is an engine at github/ with an App that works, one whose GitHub is gone,
// and jobs that get tokens and are refused.
type world struct {
	t      *testing.T
	github *githubtest.Server
	issuer *oidctest.Issuer
	root   *vaulttest.Client
	job    *vaulttest.Client
	// issued counts the tokens that jobs got.
	issued int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, github: githubtest.New(t), issuer: oidctest.New(t), root: cluster.Root()}
	app := w.github.AddApp("ci-broker", map[string]string{"contents": "write"})
	w.github.AddOrganization("acme")
	w.github.AddRepository("acme", "api", map[string]string{"README.md": "api\n"})
	w.github.Install(app, "acme", githubtest.InstallOptions{})

	w.write("sys/mounts/github", map[string]any{"type": pluginName})
	w.write("github/config", map[string]any{"client_id": app.ClientID, "private_key": app.PrivateKeyPEM(), "base_url": w.github.APIURL})
	w.write("github/config/gone", map[string]any{
		"client_id": app.ClientID, "private_key": app.PrivateKeyPEM(), "base_url": "https://127.0.0.1:1", "verify": false,
	})
	w.trustIssuer()
	read := map[string]any{"organization": "acme", "repositories": "api", "permissions": map[string]string{"contents": "read"}}
	w.write("github/roles/open", read)
	w.write("github/roles/gone", with(read, "app", "gone"))
	w.write("github/roles/bound", with(read, "bound_claims", map[string]any{"ref": "refs/heads/main"}))
	return w
}

func with(fields map[string]any, name string, value any) map[string]any {
	more := map[string]any{name: value}
	for n, v := range fields {
		more[n] = v
	}
	return more
}

// trustIssuer lets jobs log in, and the engine verify their ID tokens.
func (w *world) trustIssuer() {
	w.write("sys/auth/jwt", map[string]any{"type": "jwt"})
	w.write("auth/jwt/config", map[string]any{"oidc_discovery_url": w.issuer.URL, "bound_issuer": w.issuer.URL})
	w.write("sys/policies/acl/ci", map[string]any{"policy": `
		path "github/token/*" { capabilities = ["read", "update"] }
		path "sys/leases/renew" { capabilities = ["update"] }`})
	w.write("auth/jwt/role/ci", map[string]any{
		"role_type": "jwt", "user_claim": "repository", "bound_audiences": "vault", "token_policies": "ci",
	})
	accessor := w.root.Get(w.t, "sys/auth/jwt").Secret(w.t).Data["accessor"]
	w.write("github/issuers/default", map[string]any{
		"mount_accessor": accessor, "user_claim": "repository",
		"oidc_discovery_url": w.issuer.URL, "bound_issuer": w.issuer.URL, "bound_audiences": "vault",
	})
	a := w.root.Post(w.t, "auth/jwt/login", map[string]any{"role": "ci", "jwt": w.idToken()})
	w.job = cluster.Nodes[0].Client(a.Secret(w.t).Auth.ClientToken)
}

func (w *world) idToken() string {
	return w.issuer.Sign(oidctest.GitHubActionsClaims(nil))
}

// traffic is some of everything that the metrics tell of.
func (w *world) traffic() {
	w.t.Helper()
	for _, fields := range []map[string]any{nil, {"ttl": 60}} {
		lease := w.job.Post(w.t, "github/token/open", fields).Secret(w.t)
		w.issued++
		w.want(w.root.Post(w.t, "sys/leases/renew", map[string]any{"lease_id": lease.LeaseID}), http.StatusOK)
		w.want(w.root.Post(w.t, "sys/leases/revoke", map[string]any{"lease_id": lease.LeaseID, "sync": true}), http.StatusNoContent)
	}
	w.want(w.job.Post(w.t, "github/token/bound", map[string]any{"id_token": w.idToken()}), http.StatusOK)
	w.issued++
	w.want(w.job.Post(w.t, "github/token/open", map[string]any{"permissions": map[string]any{"contents": "write"}}), http.StatusForbidden)
	w.want(w.job.Post(w.t, "github/token/open", map[string]any{"permision": "contents=read"}), http.StatusBadRequest)
	heal := w.github.Inject(githubtest.Fault{Status: http.StatusBadGateway, Times: 1}.On(githubtest.MintToken))
	w.job.Post(w.t, "github/token/open", nil)
	heal()
}

// lose asks for tokens of the App whose GitHub is gone until the breaker opens.
func (w *world) lose() {
	w.t.Helper()
	for range 6 {
		if a := w.job.Post(w.t, "github/token/gone", nil); a.Status < http.StatusInternalServerError {
			w.t.Fatalf("status %d of a GitHub that is gone", a.Status)
		}
	}
}

func (w *world) write(path string, fields map[string]any) {
	w.t.Helper()
	if a := w.root.Post(w.t, path, fields); a.Status >= http.StatusBadRequest {
		w.t.Fatalf("write %s: status %d: %s", path, a.Status, a.Body)
	}
}

func (w *world) want(a vaulttest.Answer, status int) {
	w.t.Helper()
	if a.Status != status {
		w.t.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
}
