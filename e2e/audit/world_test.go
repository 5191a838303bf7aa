package audit

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/githubtest"
	"vault-plugin-secrets-github/internal/oidctest"
)

// world is what one test has to itself: a GitHub that keeps an audit log, with an
// App on acme's repositories api and web; the engine, tuned as vault-github setup
// does; and jobs that log in with their repository as the name. Roles:
//
//	api-read     contents=read on api
//	self         contents=write on the job's own repository, for pushes to main
type world struct {
	t            *testing.T
	github       *githubtest.Server
	app          *githubtest.App
	installation *githubtest.Installation
	ci           *oidctest.Issuer

	mount, auth string
}

var worlds atomic.Int64

func newWorld(t *testing.T, options ...githubtest.Option) *world {
	t.Helper()
	n := worlds.Add(1)
	return newWorldAt(t, fmt.Sprintf("github-%d", n), fmt.Sprintf("jwt-%d", n), options...)
}

// newWorldAt mounts the engine and the auth method under given names.
func newWorldAt(t *testing.T, mount, auth string, options ...githubtest.Option) *world {
	t.Helper()
	w := &world{t: t, github: githubtest.New(t, append(options, githubtest.WithAuditLog())...), ci: oidctest.New(t), mount: mount, auth: auth}
	w.populateGitHub()
	w.mountEngine()
	w.setup("--mount", w.mount, "--apply")
	w.trustCI()
	w.writeRoles()
	return w
}

func (w *world) populateGitHub() {
	w.app = w.github.AddApp("ci-broker", map[string]string{"contents": "write", "issues": "write", "metadata": "read", "pull_requests": "write"})
	w.github.AddOrganization("acme")
	for _, name := range []string{"api", "web"} {
		w.github.AddRepository("acme", name, map[string]string{"README.md": name + "\n"})
	}
	w.installation = w.github.Install(w.app, "acme", githubtest.InstallOptions{})
	leaks.WatchFor(w.app.PrivateKeyPEM())
}

func (w *world) mountEngine() {
	w.t.Helper()
	w.write("sys/mounts/"+w.mount, map[string]any{"type": pluginName})
	w.t.Cleanup(func() {
		if a := vault.Root().Delete(w.t, "sys/mounts/"+w.mount); a.Status != http.StatusNoContent {
			w.t.Errorf("unmount the engine: %d %s", a.Status, a.Errors())
		}
	})
	w.write(w.mount+"/config", map[string]any{
		"client_id": w.app.ClientID, "private_key": w.app.PrivateKeyPEM(), "base_url": w.github.APIURL,
	})
}

// setup runs vault-github setup as an administrator.
func (w *world) setup(args ...string) {
	w.t.Helper()
	if out, err := w.command(built("vault-github"), append([]string{"setup"}, args...)...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s\n%s", err, out)
	}
}

// command is a program that speaks to the shared Vault as root.
func (w *world) command(program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(w.t.Context(), program, args...)
	cmd.Dir = w.t.TempDir()
	cmd.Env = []string{
		"PATH=" + strings.Join([]string{filepath.Dir(built("vault-github")), filepath.Dir(vaulttest.Binary(built("vault"))), os.Getenv("PATH")}, string(os.PathListSeparator)),
		"HOME=" + cmd.Dir, "VAULT_ADDR=" + vault.Addr, "VAULT_TOKEN=" + vault.RootToken,
	}
	return cmd
}

// trustCI lets jobs log in, and the engine verify their ID tokens.
func (w *world) trustCI() {
	w.t.Helper()
	w.write("sys/auth/"+w.auth, map[string]any{"type": "jwt"})
	w.t.Cleanup(func() { vault.Root().Delete(w.t, "sys/auth/"+w.auth) })
	w.write("auth/"+w.auth+"/config", map[string]any{"oidc_discovery_url": w.ci.URL, "bound_issuer": w.ci.URL})
	w.writeJWTRole(w.mount + "-job")
	accessor := vault.Root().Get(w.t, "sys/auth/"+w.auth).Secret(w.t).Data["accessor"]
	w.write(w.mount+"/issuers/default", map[string]any{
		"mount_accessor": accessor, "user_claim": "repository",
		"oidc_discovery_url": w.ci.URL, "bound_issuer": w.ci.URL, "bound_audiences": "vault",
	})
}

// writeJWTRole lets the jobs of acme log in, with a policy.
func (w *world) writeJWTRole(policy string) {
	w.t.Helper()
	w.write("auth/"+w.auth+"/role/ci", map[string]any{
		"role_type": "jwt", "user_claim": "repository", "bound_audiences": "vault",
		"bound_claims":   map[string]any{"repository_owner": "acme"},
		"claim_mappings": map[string]string{"repository": "repository", "ref": "ref", "event_name": "event_name", "run_id": "run_id"},
		"token_policies": policy, "token_ttl": "20m",
	})
}

func (w *world) writeRoles() {
	w.t.Helper()
	w.write(w.mount+"/roles/api-read", map[string]any{
		"organization": "acme", "repositories": "api", "permissions": map[string]string{"contents": "read"}, "ttl": "10m",
	})
	w.write(w.mount+"/roles/self", map[string]any{
		"organization": "acme", "repositories": "{{claims.repository}}", "ttl": "10m",
		"permissions":  map[string]string{"contents": "write"},
		"bound_claims": map[string]any{"ref": "refs/heads/main", "event_name": "push"},
	})
}

// write writes as root, and must succeed.
func (w *world) write(path string, fields map[string]any) {
	w.t.Helper()
	if a := vault.Root().Post(w.t, path, fields); a.Status >= http.StatusBadRequest {
		w.t.Fatalf("write %s: %d %s", path, a.Status, a.Errors())
	}
}

// job is a job that has logged in, with its ID token.
type job struct {
	*vaulttest.Client
	w       *world
	idToken string
}

// job logs in a push to acme/api's main branch, but for the claims given.
func (w *world) job(claims map[string]any) job {
	w.t.Helper()
	idToken := w.ci.Sign(oidctest.GitHubActionsClaims(claims))
	login := vault.Client("").Post(w.t, "auth/"+w.auth+"/login", map[string]any{"role": "ci", "jwt": idToken})
	return job{vault.Client(login.Secret(w.t).Auth.ClientToken), w, idToken}
}

// ask asks for a token of a role and presents the ID token.
func (j job) ask(role string, fields map[string]any) vaulttest.Answer {
	j.w.t.Helper()
	body := map[string]any{"id_token": j.idToken}
	maps.Copy(body, fields)
	return j.Post(j.w.t, j.w.mount+"/token/"+role, body)
}

// token asks for a token, and must get one.
func (j job) token(role string, fields map[string]any) *api.Secret {
	j.w.t.Helper()
	return j.ask(role, fields).Secret(j.w.t)
}

func tokenOf(secret *api.Secret) string {
	token, _ := secret.Data["token"].(string)
	return token
}

// expect fails the test unless Vault did what was asked.
func (w *world) expect(a vaulttest.Answer) {
	w.t.Helper()
	if a.Status >= http.StatusBadRequest {
		w.t.Fatalf("Vault answered %d: %s", a.Status, a.Errors())
	}
}
