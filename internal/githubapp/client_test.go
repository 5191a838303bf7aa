package githubapp

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-github/internal/githubtest"
)

const mintPattern = "POST /app/installations/{installation_id}/access_tokens"

// world is a fake GitHub, an App installed on the organization acme, and a
// client of it.
type world struct {
	github       *githubtest.Server
	app          *githubtest.App
	installation *githubtest.Installation
	client       *Client
	custodian    *Custodian
}

func newWorld(t *testing.T, opts ...githubtest.Option) *world {
	t.Helper()
	w := &world{github: githubtest.New(t, opts...), custodian: NewCustodian(hclog.NewNullLogger())}
	w.custodian.firstPause = 10 * time.Millisecond
	t.Cleanup(func() { w.custodian.Close(context.Background()) })
	permissions := map[string]string{"contents": "write", "metadata": "read"}
	w.app = w.github.AddApp("ci-broker", permissions)
	w.github.AddOrganization("acme")
	w.github.AddRepository("acme", "api", nil)
	w.installation = w.github.Install(w.app, "acme", githubtest.InstallOptions{RepositorySelection: "all", Permissions: permissions})
	key, err := ParsePrivateKey(w.app.PrivateKeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	w.client, err = New(Config{
		Endpoint: Endpoint{BaseURL: w.github.APIURL, RequestTimeout: 5 * time.Second},
		ClientID: w.app.ClientID, Key: key, UserAgent: "test", Custodian: w.custodian,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.client.tokens.settlingPause = time.Millisecond
	return w
}

var readAPI = TokenRequest{Repositories: []string{"api"}, Permissions: map[string]string{"contents": "read"}}

func (w *world) mint(t *testing.T) *Token {
	t.Helper()
	token, err := w.client.Mint(t.Context(), w.installation.ID, readAPI)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestMintRefusesWhatGitHubWouldReadAsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tests := map[string]TokenRequest{
		"no permissions":       {Repositories: []string{"api"}},
		"no repositories":      {Permissions: map[string]string{"contents": "read"}},
		"nothing":              {},
		"all and one":          {AllRepositories: true, Repositories: []string{"api"}, Permissions: map[string]string{"contents": "read"}},
		"all, no permissions":  {AllRepositories: true},
		"an empty permissions": {Repositories: []string{"api"}, Permissions: map[string]string{}},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := w.client.Mint(t.Context(), w.installation.ID, want); err == nil {
				t.Error("minted")
			}
		})
	}
	if n := w.github.Requests(mintPattern); n != 0 {
		t.Errorf("GitHub was asked %d times", n)
	}
}

// TestNoCredentialFollowsARedirect: neither the App's JWT nor a token may reach
// another host.
func TestNoCredentialFollowsARedirect(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached.Add(1)
	}))
	t.Cleanup(evil.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		w := newWorld(t)
		token := w.mint(t)
		w.github.Inject(githubtest.Redirect(status, evil.URL+"/app"))
		calls := map[string]func() error{
			"GET /app":            func() error { _, err := w.client.App(t.Context()); return err },
			"GET an installation": func() error { _, err := w.client.Installation(t.Context(), "acme"); return err },
			"POST access_tokens":  func() error { _, err := w.client.Mint(t.Context(), w.installation.ID, readAPI); return err },
			"DELETE the token":    func() error { return w.client.Revoke(t.Context(), token.Value, time.Hour) },
		}
		for name, call := range calls {
			err := call()
			if !IsKind(err, Unavailable) || !strings.Contains(err.Error(), "was not followed") {
				t.Errorf("%s, %d: error %v, want one that says that the redirect was not followed", name, status, err)
			}
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests reached the other host", n)
	}
}

func TestAnotherAccountsInstallationIsNotTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.github.Inject(githubtest.Fault{Match: "GET /orgs/{org}/installation", Mutate: func(answer map[string]any) {
		answer["account"].(map[string]any)["login"] = "evil"
	}})
	_, err := w.client.Installation(t.Context(), "acme")
	if !IsKind(err, NotFound) || !strings.Contains(err.Error(), `"evil"`) {
		t.Errorf("error %v, want one that names the other account", err)
	}
	if found, err := w.client.InstallationByID(t.Context(), w.installation.ID); err != nil || found.Account != "acme" {
		t.Errorf("by its id: %+v, %v", found, err)
	}
}

func TestAnInstallationWithoutAccountIsTheOneAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.github.Inject(githubtest.Fault{Match: "GET /orgs/{org}/installation", Mutate: func(answer map[string]any) { answer["account"] = nil }})
	if found, err := w.client.Installation(t.Context(), "acme"); err != nil || found.Account != "acme" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestRevokeIsDoneWhenTheTokenIsDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.mint(t)
	for i, age := range []time.Duration{0, 0, time.Hour} {
		if err := w.client.Revoke(t.Context(), token.Value, age); err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if len(w.github.LiveTokens()) != 0 {
		t.Error("the token is alive")
	}
}

func TestTheCustodianTriesUntilTheTokenIsDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.mint(t)
	const pattern = "DELETE /installation/token"
	w.github.Inject(githubtest.Fault{Match: pattern, Times: 3, Status: 503, Body: "{}"})
	w.client.Discard(token.Value, token.ExpiresAt)
	w.waitForNoLiveToken(t)
	if n := w.github.Requests(pattern); n != 4 {
		t.Errorf("asked %d times, want 4", n)
	}
}

func TestTheCustodianTriesOnceMoreWhenItIsClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.custodian.firstPause = time.Hour
	token := w.mint(t)
	const pattern = "DELETE /installation/token"
	w.github.Inject(githubtest.Fault{Match: pattern, Times: 1, Status: 503, Body: "{}"})
	w.client.Discard(token.Value, token.ExpiresAt)
	for w.github.Requests(pattern) == 0 {
		time.Sleep(time.Millisecond)
	}
	w.custodian.Close(t.Context())
	if n := len(w.github.LiveTokens()); n != 0 {
		t.Errorf("%d tokens are live", n)
	}
}

// TestATokenThatNoLeaseEndsIsRevoked: the answer that held it was lost.
func TestATokenThatNoLeaseEndsIsRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lost, renewed, ended := w.mint(t), w.mint(t), w.mint(t)
	for _, token := range []*Token{lost, renewed, ended} {
		w.client.Watch(token, 0)
	}
	w.custodian.Release(HashToken(renewed.Value))
	w.custodian.Release(HashToken(ended.Value))
	w.custodian.overdue(HashToken(ended.Value)) // its timer was about to fire
	w.custodian.overdue(HashToken(lost.Value))
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		live := w.github.LiveTokens()
		if len(live) == 2 && live[0].Value == renewed.Value && live[1].Value == ended.Value {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d tokens are live, want the two that leases end", len(live))
		}
	}
	if n := len(w.custodian.watched); n != 0 {
		t.Errorf("%d tokens are watched, want none", n)
	}
	w.custodian.Close(t.Context())
	if n := len(w.custodian.watched); n != 0 {
		t.Errorf("%d tokens are watched after the end", n)
	}
}

// TestTheWatchGoesOnInAnotherProcess: what was heard there before it took over
// counts.
func TestTheWatchGoesOnInAnotherProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lost, renewed, later := w.mint(t), w.mint(t), w.mint(t)
	next := NewCustodian(hclog.NewNullLogger())
	t.Cleanup(func() { next.Close(context.Background()) })
	next.Release(HashToken(renewed.Value))
	tokens := []Watched{}
	for _, token := range []*Token{lost, renewed, later} {
		tokens = append(tokens, Watched{Token: token.Value, Endpoint: w.client.Endpoint(), Expires: token.EndsAt, Overdue: time.Now()})
	}
	tokens[2].Overdue = time.Now().Add(time.Hour)
	next.TakeOver(tokens, func(Endpoint) (*Revoker, error) { return w.client.tokens, nil })
	for deadline := time.Now().Add(10 * time.Second); w.isLive(lost); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the lost token is live")
		}
	}
	if watched, _ := next.Holds(); watched != 1 {
		t.Errorf("%d tokens are watched, want one", watched)
	}
}

func (w *world) isLive(token *Token) bool {
	return slices.ContainsFunc(w.github.LiveTokens(), func(live githubtest.Token) bool { return live.Value == token.Value })
}

func TestClosingDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.mint(t)
	remove := w.github.Inject(githubtest.Fault{Match: "DELETE /installation/token", Latency: time.Hour})
	w.client.Discard(token.Value, token.ExpiresAt)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	w.custodian.Close(ctx)
	if ctx.Err() == nil {
		t.Error("closed although the revocation was still under way")
	}
	remove()
}

func (w *world) waitForNoLiveToken(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(w.github.LiveTokens()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a token is still alive")
		}
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	secrets := []string{
		"ghs_" + strings.Repeat("a", 36),
		"ghs_123456_" + strings.Repeat("eyJ0.-_", 80),
		"ghp_" + strings.Repeat("B", 36),
		"github_pat_" + strings.Repeat("c", 60),
		"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJJdjIzIn0.c2lnbmF0dXJl",
	}
	for _, secret := range secrets {
		got := Redact("before " + secret + " after")
		if got != "before [redacted] after" {
			t.Errorf("%s became %q", secret, got)
		}
	}
	if got := Redact("line\r\nbreak\x1b[31m"); strings.ContainsAny(got, "\r\n\x1b") {
		t.Errorf("control characters were kept: %q", got)
	}
	if got := Redact(strings.Repeat("ä", 1000)); len(got) > maxMessage+len("…") {
		t.Errorf("%d bytes were kept", len(got))
	}
}

// FuzzTokenAnswer gives the reader of GitHub's answers whatever it may get.
func FuzzTokenAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"token":"ghs_a","expires_at":"2099-01-01T00:00:00Z","permissions":{"contents":"read"}}`,
		`{"token":"ghs_a","expires_at":null}`, `{"token":5}`, `[]`, `<html>`, ``, `{"token":"ghs_a","repositories":[{"id":1`,
	} {
		f.Add(seed)
	}
	var (
		body atomic.Value
		made atomic.Bool
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		made.Store(true)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(body.Load().(string)))
	}))
	f.Cleanup(server.Close)
	custodian := NewCustodian(hclog.NewNullLogger())
	f.Cleanup(func() { custodian.Close(context.Background()) })
	client, err := New(Config{
		Endpoint: Endpoint{BaseURL: server.URL, RequestTimeout: 5 * time.Second},
		ClientID: "Iv23", Key: testKey(), Custodian: custodian,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		body.Store(answer)
		made.Store(false)
		token, err := client.Mint(t.Context(), 1, readAPI)
		switch {
		case err != nil && made.Load() && !IsKind(err, Undelivered):
			t.Errorf("a made token is reported as %v", err)
		case err == nil && (token.Value == "" || !token.ExpiresAt.After(time.Now())):
			t.Errorf("took %+v", token)
		}
	})
}
