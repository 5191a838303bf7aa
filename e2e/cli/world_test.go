package cli

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/githubtest"
	"vault-plugin-secrets-github/internal/oidctest"
)

// world is what one test has to itself: a GitHub with an App installed on acme,
// which has the repositories api, web and secret-plans; the engine mounted for
// it; and a JWT auth mount that trusts the CI. Roles:
//
//	api-read     contents=read on api, for whom Vault's policies let
//	self         contents=write on the job's own repository, for pushes to main
//	brief        the same for 5 seconds, renewable
//	fleeting     the same for 3 seconds, which cannot be made more than 4
//	modules      contents=read on api and web
type world struct {
	t      *testing.T
	github *githubtest.Server
	app    *githubtest.App
	ci     *oidctest.Issuer

	mount, auth string
	home        string // of the job: HOME, TMPDIR and RUNNER_TEMP are below it
}

var worlds atomic.Int64

func newWorld(t *testing.T) *world {
	t.Helper()
	n := worlds.Add(1)
	w := &world{
		t: t, github: githubtest.New(t), ci: oidctest.New(t),
		mount: fmt.Sprintf("github-%d", n), auth: fmt.Sprintf("jwt-%d", n), home: shortTempDir(t),
	}
	w.populateGitHub()
	t.Cleanup(func() { w.awaitLive(0) }) // after the engine is unmounted
	w.mountEngine()
	w.trustCI()
	w.writeRoles()
	return w
}

// shortTempDir is a directory whose name leaves room for that of a socket below
// it, which t.TempDir does not.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "job-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, name := range []string{"home", "tmp", "temp"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (w *world) populateGitHub() {
	w.app = w.github.AddApp("ci-broker", map[string]string{"contents": "write", "metadata": "read", "pull_requests": "write"})
	w.github.AddOrganization("acme")
	for _, name := range []string{"api", "web", "secret-plans"} {
		w.github.AddRepository("acme", name, map[string]string{"README.md": name + "\n"})
	}
	w.github.Install(w.app, "acme", githubtest.InstallOptions{})
}

// mountEngine mounts and tunes the engine as README.md says.
func (w *world) mountEngine() {
	w.t.Helper()
	w.write("sys/mounts/"+w.mount, map[string]any{"type": pluginName})
	w.t.Cleanup(func() {
		if a := vault.Root().Delete(w.t, "sys/mounts/"+w.mount); a.Status != http.StatusNoContent {
			w.t.Errorf("unmount the engine: %d %s", a.Status, a.Errors())
		}
	})
	w.write("sys/mounts/"+w.mount+"/tune", map[string]any{
		"default_lease_ttl": "15m", "max_lease_ttl": "1h",
		"allowed_response_headers":    []string{"Retry-After"},
		"passthrough_request_headers": []string{"X-CI-Id-Token"},
		"audit_non_hmac_request_keys": []string{"repositories", "repository_ids", "permissions", "ttl", "role"},
		"audit_non_hmac_response_keys": []string{
			"hashed_token", "scope", "role", "app", "organization", "repositories", "repository_selection", "subject",
			"expires_at", "run_id", "workflow_ref", "ref", "event_name", "error",
		},
	})
	w.write(w.mount+"/config", map[string]any{
		"client_id": w.app.ClientID, "private_key": w.app.PrivateKeyPEM(), "base_url": w.github.APIURL,
	})
}

// trustCI lets jobs log in, and the engine verify their ID tokens.
func (w *world) trustCI() {
	w.t.Helper()
	w.write("sys/auth/"+w.auth, map[string]any{"type": "jwt"})
	w.write("auth/"+w.auth+"/config", map[string]any{"oidc_discovery_url": w.ci.URL, "bound_issuer": w.ci.URL})
	w.write("sys/policies/acl/"+w.auth, map[string]any{"policy": strings.ReplaceAll(`
path "MOUNT/token/*" { capabilities = ["read", "update"] }
path "MOUNT/check/*" { capabilities = ["update"] }
path "sys/leases/revoke/MOUNT/token/api-read/*" { capabilities = ["update"] }
`, "MOUNT", w.mount)})
	w.write("auth/"+w.auth+"/role/ci", map[string]any{
		"role_type": "jwt", "user_claim": "repository", "bound_audiences": "vault",
		"bound_claims": map[string]any{"repository_owner": "acme"}, "token_policies": w.auth, "token_ttl": "20m",
	})
	accessor := vault.Root().Get(w.t, "sys/auth/"+w.auth).Secret(w.t).Data["accessor"]
	w.write(w.mount+"/issuers/default", map[string]any{
		"mount_accessor": accessor, "user_claim": "repository",
		"oidc_discovery_url": w.ci.URL, "bound_issuer": w.ci.URL, "bound_audiences": "vault",
	})
}

func (w *world) writeRoles() {
	w.t.Helper()
	read := map[string]string{"contents": "read"}
	w.write(w.mount+"/roles/api-read", map[string]any{
		"organization": "acme", "repositories": "api", "permissions": read, "ttl": "10m",
	})
	w.write(w.mount+"/roles/brief", map[string]any{
		"organization": "acme", "repositories": "api", "permissions": read, "ttl": "5s",
	})
	w.write(w.mount+"/roles/fleeting", map[string]any{
		"organization": "acme", "repositories": "api", "permissions": read, "ttl": "3s", "max_ttl": "4s",
	})
	w.write(w.mount+"/roles/modules", map[string]any{
		"organization": "acme", "repositories": "api,web", "permissions": read, "ttl": "10m",
	})
	w.write(w.mount+"/roles/self", map[string]any{
		"organization": "acme", "repositories": "{{claims.repository}}", "ttl": "10m",
		"permissions":  map[string]string{"contents": "write"},
		"bound_claims": map[string]any{"ref": "refs/heads/main", "event_name": "push"},
	})
}

// environment is a job's in GitHub Actions, at this world's Vault and GitHub.
func (w *world) environment() []string {
	return []string{
		"PATH=" + strings.Join([]string{filepath.Dir(built("vault-github")), filepath.Dir(vaultBinary()), os.Getenv("PATH")}, string(os.PathListSeparator)),
		"HOME=" + filepath.Join(w.home, "home"),
		"TMPDIR=" + filepath.Join(w.home, "tmp"),
		"RUNNER_TEMP=" + filepath.Join(w.home, "temp"),
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"GITHUB_ACTIONS=true",
		"GITHUB_RUN_ID=9000000001",
		"GITHUB_SERVER_URL=" + w.github.URL,
		"ACTIONS_ID_TOKEN_REQUEST_URL=" + w.ci.ActionsTokenURL(),
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN=runner-token",
		"VAULT_ADDR=" + vault.Addr,
		"ROOT_TOKEN=" + vault.RootToken, // for scripts; no program reads it
		"VAULT_GITHUB_MOUNT=" + w.mount,
		"VAULT_GITHUB_AUTH_PATH=" + w.auth,
		"VAULT_GITHUB_AUTH_ROLE=ci",
	}
}

// write writes as root, and must succeed.
func (w *world) write(path string, fields map[string]any) {
	w.t.Helper()
	if a := vault.Root().Post(w.t, path, fields); a.Status >= http.StatusBadRequest {
		w.t.Fatalf("write %s: %d %s", path, a.Status, a.Errors())
	}
}

// settleTimeout is time enough for Vault to revoke leases, and to try again.
const settleTimeout = 30 * time.Second

// awaitLive waits until GitHub takes so many tokens.
func (w *world) awaitLive(want int) {
	w.t.Helper()
	vaulttest.Eventually(w.t, settleTimeout, func() error {
		if got := len(w.github.LiveTokens()); got != want {
			return fmt.Errorf("GitHub has %d live tokens, not %d", got, want)
		}
		return nil
	})
}
