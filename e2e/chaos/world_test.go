package chaos

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/githubtest"
	"vault-plugin-secrets-github/internal/oidctest"
)

const (
	// recoveryLimit is how soon after a fault service must be back, generously.
	recoveryLimit = 30 * time.Second
	// requestTimeout is how long the engine waits for GitHub.
	requestTimeout = 2 * time.Second
)

// Where the engine and the jobs' auth method are mounted.
const (
	mount = "github"
	auth  = "jwt"
)

// world is what the jobs live in: GitHub with an App installed on acme, a network
// on the way there, an issuer of identities, and the engine, mounted in the
// cluster and configured for them.
type world struct {
	t       *testing.T
	github  *githubtest.Server
	network *network
	app     *githubtest.App
	issuer  *oidctest.Issuer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, github: githubtest.New(t), issuer: oidctest.New(t)}
	at, err := url.Parse(w.github.APIURL)
	if err != nil {
		t.Fatal(err)
	}
	w.network = newNetwork(t, at.Host)
	w.app = w.github.AddApp("ci-broker", map[string]string{"contents": "write"})
	w.github.AddOrganization("acme")
	w.github.AddRepository("acme", "api", map[string]string{"README.md": "api\n"})
	w.github.Install(w.app, "acme", githubtest.InstallOptions{})

	at.Host = w.network.Addr
	w.mountEngine(at.String())
	w.trustIssuer()
	return w
}

func (w *world) mountEngine(baseURL string) {
	w.t.Helper()
	w.write("sys/mounts/"+mount, map[string]any{"type": pluginName})
	w.t.Cleanup(func() { w.delete("sys/mounts/" + mount) })
	w.write("sys/mounts/"+mount+"/tune", map[string]any{"allowed_response_headers": []string{"Retry-After"}})
	leaks.WatchFor(w.app.PrivateKeyPEM())
	w.write(mount+"/config", map[string]any{
		"client_id": w.app.ClientID, "private_key": w.app.PrivateKeyPEM(), "base_url": baseURL,
		"request_timeout": requestTimeout.String(),
	})
}

func (w *world) trustIssuer() {
	w.t.Helper()
	w.write("sys/auth/"+auth, map[string]any{"type": "jwt"})
	w.t.Cleanup(func() { w.delete("sys/auth/" + auth) })
	w.write("auth/"+auth+"/config", map[string]any{"oidc_discovery_url": w.issuer.URL, "bound_issuer": w.issuer.URL})
	w.write("sys/policies/acl/ci", map[string]any{"policy": fmt.Sprintf(`
		path "%s/token/*" { capabilities = ["read", "update"] }
		path "sys/leases/revoke" { capabilities = ["update"] }`, mount)})
	w.write("auth/"+auth+"/role/ci", map[string]any{
		"role_type": "jwt", "user_claim": "repository", "bound_audiences": "vault",
		"bound_claims":   map[string]any{"repository": "acme/api"},
		"token_policies": "ci", "token_ttl": "30m",
	})
}

// writeRole writes a role for reading acme/api.
func (w *world) writeRole(name string, fields map[string]any) {
	w.t.Helper()
	role := map[string]any{
		"organization": "acme", "repositories": "api", "permissions": map[string]string{"contents": "read"},
	}
	maps.Copy(role, fields)
	w.write(mount+"/roles/"+name, role)
}

// write writes as root.
func (w *world) write(path string, fields map[string]any) {
	w.t.Helper()
	w.asRoot("write "+path, func(root *api.Client) error {
		_, err := root.Logical().WriteWithContext(context.Background(), path, fields)
		return err
	})
}

func (w *world) delete(path string) {
	w.t.Helper()
	w.asRoot("delete "+path, func(root *api.Client) error {
		_, err := root.Logical().DeleteWithContext(context.Background(), path)
		return err
	})
}

// asRoot does at the active node what must succeed, if not at once.
func (w *world) asRoot(what string, do func(*api.Client) error) {
	w.t.Helper()
	vaulttest.Eventually(w.t, recoveryLimit, func() error {
		active, err := cluster.Active(context.Background())
		if err != nil {
			return err
		}
		root, err := active.Client(cluster.RootToken).API()
		if err != nil {
			return err
		}
		if err := do(root); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	})
}

// tokenOf is the token in the answer.
func tokenOf(secret *api.Secret) string {
	token, _ := secret.Data["token"].(string)
	return token
}

// useToken does what the token is for, and returns GitHub's status. A job has a
// network of its own.
func (w *world) useToken(token string) int {
	req, err := http.NewRequest(http.MethodGet, w.github.URL+"/repos/acme/api/contents/README.md", nil)
	if err != nil {
		panic(err) // the URL is the fake's
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("User-Agent", "job")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Errorf("ask GitHub: %s", err)
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
	return resp.StatusCode
}
