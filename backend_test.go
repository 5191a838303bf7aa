package githubsecrets

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/helper/testhelpers/schema"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubtest"
)

// engine is a mounted engine with a fake GitHub behind it.
type engine struct {
	*backend
	t       *testing.T
	storage logical.Storage
	system  *logical.StaticSystemView
	github  *githubtest.Server
	app     *githubtest.App
	acme    *githubtest.Installation
	clock   *clock
	log     *logBuffer
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// vaultView is the engine's view of Vault. Its edition is asked for in the
// background, while tests change the rest.
type vaultView struct {
	*logical.StaticSystemView
	versionMetadata string
}

func (v vaultView) PluginEnv(context.Context) (*logical.PluginEnvironment, error) {
	return &logical.PluginEnvironment{VaultVersionMetadata: v.versionMetadata}, nil
}

// logBuffer is what the engine logs.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// newEngine mounts an engine before a fake GitHub on which the App ci-broker is
// installed on the organization acme, with the repositories api, web and docs.
func newEngine(t *testing.T) *engine {
	t.Helper()
	clock := &clock{now: time.Now().Truncate(time.Second)}
	github := githubtest.New(t, githubtest.WithClock(clock.Now))
	app := github.AddApp("ci-broker", map[string]string{
		"contents": "write", "issues": "write", "pull_requests": "write", "metadata": "read", "attestations": "write",
	})
	github.AddOrganization("acme")
	for _, name := range []string{"api", "web", "docs"} {
		github.AddRepository("acme", name, nil)
	}
	e := &engine{
		backend: newBackend(clock.Now),
		t:       t,
		storage: &logical.InmemStorage{},
		system:  &logical.StaticSystemView{DefaultLeaseTTLVal: 15 * time.Minute, MaxLeaseTTLVal: time.Hour},
		github:  github,
		app:     app,
		clock:   clock,
		log:     &logBuffer{},
	}
	e.acme = e.install("acme")
	logger := hclog.New(&hclog.LoggerOptions{Output: e.log, Level: hclog.Trace})
	if err := e.Setup(t.Context(), &logical.BackendConfig{StorageView: e.storage, System: vaultView{StaticSystemView: e.system}, Logger: logger}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Cleanup(context.Background()) })
	return e
}

// newReadyEngine is newEngine with the App configured.
func newReadyEngine(t *testing.T) *engine {
	t.Helper()
	e := newEngine(t)
	e.must(logical.CreateOperation, "config", map[string]any{
		"client_id": e.app.ClientID, "private_key": e.app.PrivateKeyPEM(), "base_url": e.github.APIURL,
	})
	return e
}

func (e *engine) install(login string) *githubtest.Installation {
	return e.github.Install(e.app, login, githubtest.InstallOptions{
		RepositorySelection: "all",
		Permissions: map[string]string{
			"contents": "write", "issues": "write", "pull_requests": "write", "metadata": "read", "attestations": "write",
		},
	})
}

// mustWriteRole creates a role for contents=read on acme/api, changed by data.
func (e *engine) mustWriteRole(name string, data map[string]any) {
	e.t.Helper()
	role := map[string]any{"organization": "acme", "repositories": "api", "permissions": "contents=read", "ttl": "10m"}
	for field, value := range data {
		role[field] = value
		if value == nil {
			delete(role, field)
		}
	}
	e.must(logical.CreateOperation, "roles/"+name, role)
}

// answer is what an HTTP client would see.
type answer struct {
	*logical.Response
	status int
	err    string
}

// data is a field of the answer, nil if it is missing.
func (a answer) data(field string) any {
	if a.Response == nil {
		return nil
	}
	return a.Data[field]
}

// do sends a request as Vault would, holds the answer to the path's response
// schema, and returns it as Vault's HTTP layer would.
func (e *engine) do(ctx context.Context, op logical.Operation, path string, data map[string]any) answer {
	e.t.Helper()
	return e.send(ctx, &logical.Request{
		ID: "request-1", Operation: op, Path: path, Data: data, MountPoint: "github/", DisplayName: "jwt-acme/api",
	})
}

func (e *engine) send(ctx context.Context, req *logical.Request) answer {
	e.t.Helper()
	req.Storage = e.storage
	req.Data = throughJSON(e.t, req.Data)
	resp, err := e.HandleRequest(ctx, req)
	if err == nil && resp != nil && !resp.IsError() && resp.Data != nil && req.Operation != logical.RenewOperation {
		schema.ValidateResponse(e.t, schema.GetResponseSchema(e.t, e.Route(req.Path), req.Operation), resp, true)
	}
	a := answer{Response: resp, status: http.StatusOK}
	if status, failure := logical.RespondErrorCommon(req, resp, err); failure != nil {
		logical.AdjustErrorStatusCode(&status, failure)
		a.status, a.err = status, failure.Error()
	}
	return a
}

// throughJSON gives the parameters the types that they have when they have come
// over the plugin's gRPC (sdk/plugin/pb/translation.go).
func throughJSON(t *testing.T, data map[string]any) map[string]any {
	t.Helper()
	text, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// must sends a request that must succeed.
func (e *engine) must(op logical.Operation, path string, data map[string]any) answer {
	e.t.Helper()
	a := e.do(e.t.Context(), op, path, data)
	if a.status != http.StatusOK {
		e.t.Fatalf("%s %s: status %d: %s", op, path, a.status, a.err)
	}
	return a
}

// wantRefusal sends a request that must be refused with the status and a text
// that holds every part.
func (e *engine) wantRefusal(op logical.Operation, path string, data map[string]any, status int, parts ...string) {
	e.t.Helper()
	a := e.do(e.t.Context(), op, path, data)
	a.wantRefusal(e.t, status, parts...)
}

func (a answer) wantRefusal(t *testing.T, status int, parts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d (%s), want %d", a.status, a.err, status)
	}
	for _, part := range parts {
		if !strings.Contains(a.err, part) {
			t.Errorf("error %q does not say %q", a.err, part)
		}
	}
}

// wantNoLiveToken waits until every token that GitHub made is revoked.
func (e *engine) wantNoLiveToken() {
	e.t.Helper()
	e.wantLiveTokens(0)
}

func (e *engine) wantLiveTokens(want int) {
	e.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		live := len(e.github.LiveTokens())
		if live == want {
			return
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("%d tokens are live at GitHub, want %d\n%s", live, want, e.log)
		}
	}
}

const mintPattern = "POST /app/installations/{installation_id}/access_tokens"
