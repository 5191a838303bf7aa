package githubsecrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
	"vault-plugin-secrets-github/internal/githubtest"
)

func TestTokenAnswersWhatGitHubGranted(t *testing.T) {
	t.Parallel()
	for _, op := range []logical.Operation{logical.ReadOperation, logical.UpdateOperation} {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.mustWriteRole("ci", map[string]any{"repositories": "acme/web,api", "permissions": "contents=write,pull-requests=read"})
			a := e.must(op, "token/ci", nil)
			live := e.github.LiveTokens()
			if len(live) != 1 {
				t.Fatalf("%d live tokens at GitHub, want 1", len(live))
			}
			want := map[string]any{
				"token":                live[0].Value,
				"expires_at":           live[0].ExpiresAt.UTC().Format(time.RFC3339),
				"hashed_token":         githubapp.HashToken(live[0].Value),
				"ttl":                  int64(600),
				"role":                 "ci",
				"app":                  "default",
				"installation_id":      live[0].InstallationID,
				"organization":         "acme",
				"repository_selection": "selected",
				"permissions":          map[string]string{"contents": "write", "pull_requests": "read", "metadata": "read"},
				"subject":              "jwt-acme/api",
			}
			got := map[string]any{}
			for field := range want {
				got[field] = a.data(field)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			for _, part := range []string{"acme: ", "api", "web", ": contents=write,metadata=read,pull_requests=read"} {
				if !strings.Contains(a.data("scope").(string), part) {
					t.Errorf("scope %q lacks %q", a.data("scope"), part)
				}
			}
			if len(a.data("repositories").([]string)) != 2 || len(a.data("repository_ids").([]int64)) != 2 {
				t.Errorf("repositories %v, ids %v; want two of each", a.data("repositories"), a.data("repository_ids"))
			}
			for key := range a.Data {
				if key == "data" || key != "token" && strings.HasSuffix(key, `"token`) {
					t.Errorf("a key is called %q", key)
				}
			}
		})
	}
}

func TestTokenForAllRepositoriesIsAskedForInSoManyWords(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("all", map[string]any{"repositories": nil, "repository_selection": "all"})
	a := e.must(logical.ReadOperation, "token/all", nil)
	if a.data("repository_selection") != "all" || a.data("repositories") != nil {
		t.Errorf("selection %v, repositories %v; want all and none named", a.data("repository_selection"), a.data("repositories"))
	}
	if got, want := a.data("scope"), "acme: *: contents=read,metadata=read"; got != want {
		t.Errorf("scope %q, want %q", got, want)
	}
}

// TestTheBodySentToGitHub is the promise that nothing is left out by accident.
func TestTheBodySentToGitHub(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		role map[string]any
		want string
	}{
		"names":                {nil, `{"repositories":["api"],"permissions":{"contents":"read"}}`},
		"a full name":          {map[string]any{"repositories": "acme/api"}, `{"repositories":["api"],"permissions":{"contents":"read"}}`},
		"all":                  {map[string]any{"repositories": nil, "repository_selection": "all"}, `{"permissions":{"contents":"read"}}`},
		"a dash":               {map[string]any{"permissions": "pull-requests=write"}, `{"repositories":["api"],"permissions":{"pull_requests":"write"}}`},
		"go-github lacks this": {map[string]any{"permissions": "attestations=write"}, `{"repositories":["api"],"permissions":{"attestations":"write"}}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.mustWriteRole("ci", test.role)
			e.must(logical.ReadOperation, "token/ci", nil)
			var want, got any
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(e.github.LastRequest(mintPattern).Body, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTokenTTL(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		role   map[string]any
		asked  any
		want   time.Duration
		status int
		err    string
	}{
		"the role's":                {nil, nil, 10 * time.Minute, 200, ""},
		"less, as asked":            {nil, "5m", 5 * time.Minute, 200, ""},
		"just the role's":           {nil, 600, 10 * time.Minute, 200, ""},
		"more than the role's":      {nil, "11m", 0, 403, "wanted at most 10m0s, seen 11m0s"},
		"the mount's":               {map[string]any{"ttl": nil}, nil, 15 * time.Minute, 200, ""},
		"max_ttl under the mount":   {map[string]any{"ttl": nil, "max_ttl": "5m"}, nil, 5 * time.Minute, 200, ""},
		"more than the mount's":     {map[string]any{"ttl": nil}, "16m", 0, 403, "wanted at most 15m0s, seen 16m0s"},
		"GitHub's hour":             {map[string]any{"ttl": "1h"}, nil, time.Hour, 200, ""},
		"none":                      {nil, 0, 0, 400, "a lease of 0 seconds"},
		"negative":                  {nil, -1, 0, 400, "negative"},
		"half a second":             {nil, "500ms", 0, 400, "whole number of seconds"},
		"a hundred hours":           {nil, "100h", 0, 400, "more than 1h"},
		"something else":            {nil, "soon", 0, 400, `"soon" is not a duration`},
		"a list":                    {nil, []any{"1m"}, 0, 400, "a list, not a duration"},
		"null":                      {nil, json.RawMessage(nil), 0, 400, "not a duration"},
		"more than fits in a lease": {nil, "9999999999999999999s", 0, 400, "not a duration"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.mustWriteRole("ci", test.role)
			var data map[string]any
			if test.asked != nil {
				data = map[string]any{"ttl": test.asked}
			}
			a := e.do(t.Context(), logical.ReadOperation, "token/ci", data)
			if test.status != http.StatusOK {
				a.wantRefusal(t, test.status, test.err)
				if n := e.github.Minted(); n != 0 {
					t.Errorf("%d tokens were minted", n)
				}
				return
			}
			if a.status != http.StatusOK || a.Secret.TTL != test.want {
				t.Errorf("status %d (%s), TTL %s; want %s", a.status, a.err, a.Secret.TTL, test.want)
			}
			if got := a.data("ttl"); got != int64(test.want.Seconds()) {
				t.Errorf("the answer says a ttl of %v s, want that of the lease, %s", got, test.want)
			}
		})
	}
}

func TestTheInstallationIsLookedUpOnceForAll(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	remove := e.github.Inject(githubtest.Fault{Match: "GET /orgs/{org}/installation", Latency: 50 * time.Millisecond})
	defer remove()
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			if a := e.do(t.Context(), logical.ReadOperation, "token/ci", nil); a.status != http.StatusOK {
				t.Errorf("status %d: %s", a.status, a.err)
			}
		})
	}
	callers.Wait()
	e.must(logical.ReadOperation, "token/ci", nil)
	if n := e.github.Requests("GET /orgs/{org}/installation"); n != 1 {
		t.Errorf("GitHub was asked %d times, want once", n)
	}
}

func TestALookupOutlivesTheCallerWhoBeganIt(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	defer e.github.Inject(githubtest.Fault{Match: "GET /orgs/{org}/installation", Latency: 200 * time.Millisecond})()
	ctx, hangUp := context.WithCancel(t.Context())
	first := make(chan answer)
	go func() { first <- e.do(ctx, logical.ReadOperation, "token/ci", nil) }()
	for e.github.Requests("GET /orgs/{org}/installation") == 0 {
		time.Sleep(time.Millisecond)
	}
	second := make(chan answer)
	go func() { second <- e.do(t.Context(), logical.ReadOperation, "token/ci", nil) }()
	hangUp()
	if a := <-first; a.status == http.StatusOK {
		t.Error("the caller that hung up got a token")
	}
	if a := <-second; a.status != http.StatusOK {
		t.Errorf("the other caller: status %d: %s", a.status, a.err)
	}
}

func TestAReinstalledAppIsFoundAgain(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	first := e.must(logical.ReadOperation, "token/ci", nil)
	e.github.Uninstall(e.acme)
	e.wantRefusal(logical.ReadOperation, "token/ci", nil, http.StatusBadRequest, `App "default" on acme`, "not installed")
	e.install("acme")
	second := e.must(logical.ReadOperation, "token/ci", nil)
	if first.data("installation_id") == second.data("installation_id") {
		t.Error("the installation has not changed: the test proves nothing")
	}
}

func TestAFalse404CostsOneLookup(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	e.must(logical.ReadOperation, "token/ci", nil)
	e.github.Inject(githubtest.Fault{Match: mintPattern, Times: 1, Status: http.StatusNotFound, Body: `{"message":"Not Found","documentation_url":"https://docs.github.com/rest","status":"404"}`})
	e.wantRefusal(logical.ReadOperation, "token/ci", nil, http.StatusBadRequest, "404")
	e.must(logical.ReadOperation, "token/ci", nil)
}

func TestTokenForAUserAndByInstallation(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.github.AddUser("octocat")
	e.github.AddRepository("octocat", "hello", nil)
	installation := e.install("octocat")
	e.mustWriteRole("user", map[string]any{"organization": "octocat", "repositories": "hello"})
	e.mustWriteRole("id", map[string]any{"organization": nil, "installation_id": installation.ID, "repositories": "hello"})
	for _, role := range []string{"user", "id"} {
		a := e.must(logical.ReadOperation, "token/"+role, nil)
		if a.data("organization") != "octocat" || a.data("installation_id") != installation.ID {
			t.Errorf("role %s: organization %v, installation %v", role, a.data("organization"), a.data("installation_id"))
		}
	}
}

func TestGitHubsErrorsBecomeVaults(t *testing.T) {
	t.Parallel()
	const echo = `{"message":"bad ghs_abcdefghijklmnopqrstuvwxyz0123456789 and eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2ln","documentation_url":"https://docs.github.com/rest","status":"422"}`
	tests := map[string]struct {
		fault  githubtest.Fault
		status int
		parts  []string
		header string // Retry-After
	}{
		"401":               {githubtest.Fault{Status: 401, Body: `{"message":"A JSON web token could not be decoded","documentation_url":"https://docs.github.com/rest","status":"401"}`}, 500, []string{"the App's key was refused", "A JSON web token could not be decoded", "GitHub request id"}, ""},
		"403":               {githubtest.Fault{Status: 403, Body: `{"message":"Forbidden","documentation_url":"https://docs.github.com/rest","status":"403"}`}, 403, []string{"Forbidden"}, ""},
		"an echoed secret":  {githubtest.Fault{Status: 422, Body: echo}, 400, []string{"[redacted] and [redacted]"}, ""},
		"500":               {githubtest.Fault{Status: 500, Body: `{"message":"Server Error"}`}, 502, []string{"GitHub answered 500", "Server Error"}, ""},
		"503":               {githubtest.Fault{Status: 503, Body: `{}`}, 502, []string{"503"}, ""},
		"HTML":              {githubtest.BadGateway(), 502, []string{"502", "text/html", "base_url"}, ""},
		"HTML with 200":     {githubtest.Fault{Status: 200, Body: "<html>", Header: http.Header{"Content-Type": {"text/html"}}}, 502, []string{"text/html"}, ""},
		"empty with 200":    {githubtest.Fault{Status: 200, Body: ""}, 502, []string{"not a token"}, ""},
		"empty with 201":    {githubtest.Fault{Status: 201, Body: ""}, 424, []string{"not a token"}, ""},
		"a primary limit":   {githubtest.PrimaryRateLimit(http.StatusForbidden, time.Now().Add(30*time.Minute)), 429, []string{"rate limit", "try again in"}, "1"},
		"a secondary limit": {githubtest.SecondaryRateLimit(http.StatusForbidden, 90*time.Second), 429, []string{"secondary rate limit", "try again in 90 s"}, "90"},
		"a limit by 429":    {githubtest.SecondaryRateLimit(http.StatusTooManyRequests, 90*time.Second), 429, []string{"try again in 90 s"}, "90"},
		"a redirect":        {githubtest.Redirect(http.StatusTemporaryRedirect, "https://evil.example/"), 502, []string{"redirect to https://evil.example/ was not followed"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.mustWriteRole("ci", nil)
			test.fault.Match = mintPattern
			e.github.Inject(test.fault)
			a := e.do(t.Context(), logical.ReadOperation, "token/ci", nil)
			a.wantRefusal(t, test.status, test.parts...)
			a.wantRefusal(t, test.status, `role "ci"`)
			if test.header != "" && !strings.HasPrefix(strings.Join(a.Headers["Retry-After"], ""), test.header) {
				t.Errorf("Retry-After is %q, want %s…", a.Headers["Retry-After"], test.header)
			}
			if strings.Contains(a.err, "ghs_") || strings.Contains(a.err, "eyJ") {
				t.Errorf("the error holds a secret: %s", a.err)
			}
		})
	}
}

func TestWhatTheInstallationLacksIsTheCallersMistake(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.github.AddOrganization("asleep")
	e.github.AddRepository("asleep", "api", nil)
	e.github.Suspend(e.install("asleep"))
	tests := map[string]struct {
		role   map[string]any
		status int
		parts  []string
	}{
		"a repository":         {map[string]any{"repositories": "gone"}, 400, []string{"422", "There is at least one repository that does not exist or is not accessible"}},
		"a permission":         {map[string]any{"permissions": "administration=write"}, 400, []string{"422", "The permissions requested are not granted to this installation."}},
		"a misspelt one":       {map[string]any{"permissions": "content=read"}, 400, []string{"422"}},
		"an installation":      {map[string]any{"organization": "nobody"}, 400, []string{"404", "on nobody", "not installed"}},
		"an installation's id": {map[string]any{"organization": nil, "installation_id": 999999}, 400, []string{"404", "installation 999999"}},
		"its being awake":      {map[string]any{"organization": "asleep"}, 403, []string{"This installation has been suspended", "on asleep"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			role := strings.ReplaceAll(name, " ", "-")
			role = strings.ReplaceAll(role, "'", "")
			e.mustWriteRole(role, test.role)
			e.wantRefusal(logical.ReadOperation, "token/"+role, nil, test.status, append(test.parts, "GitHub request id")...)
			e.wantNoLiveToken()
		})
	}
}

// TestATokenThatIsGoodForMoreIsRevoked: GitHub, or what answers in its place,
// grants what was not asked.
func TestATokenThatIsGoodForMoreIsRevoked(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		mutate func(map[string]any)
		err    string
	}{
		"another permission": {func(a map[string]any) { a["permissions"].(map[string]any)["administration"] = "read" }, "permissions administration=read"},
		"a higher level":     {func(a map[string]any) { a["permissions"].(map[string]any)["contents"] = "write" }, "permissions contents=write"},
		"an unknown level":   {func(a map[string]any) { a["permissions"].(map[string]any)["contents"] = "owner" }, "permissions contents=owner"},
		"metadata=write":     {func(a map[string]any) { a["permissions"].(map[string]any)["metadata"] = "write" }, "permissions metadata=write"},
		"all repositories":   {func(a map[string]any) { a["repository_selection"] = "all" }, "all repositories"},
		"another repository": {func(a map[string]any) {
			other := map[string]any{"id": 424242, "name": "secret-plans"}
			a["repositories"] = append(a["repositories"].([]any), other)
		}, `repository "secret-plans" (id 424242)`},
		"a renamed repository":      {func(a map[string]any) { a["repositories"].([]any)[0].(map[string]any)["name"] = "renamed" }, `repository "renamed"`},
		"no expires_at":             {func(a map[string]any) { delete(a, "expires_at") }, "no expires_at"},
		"an expires_at of another":  {func(a map[string]any) { a["expires_at"] = "tomorrow" }, "no expires_at"},
		"an expires_at in the past": {func(a map[string]any) { a["expires_at"] = "2001-01-01T00:00:00Z" }, "in the past"},
		"a list for permissions":    {func(a map[string]any) { a["permissions"] = []any{"contents"} }, "not a token in GitHub's form"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.mustWriteRole("ci", nil)
			e.github.Inject(githubtest.Fault{Match: mintPattern, Mutate: test.mutate})
			a := e.do(t.Context(), logical.ReadOperation, "token/ci", nil)
			a.wantRefusal(t, http.StatusFailedDependency, test.err, "revoked")
			if e.github.Minted() != 1 {
				t.Errorf("%d tokens were minted, want 1", e.github.Minted())
			}
			e.wantNoLiveToken()
		})
	}
}

func TestAnAnswerThatSaysLessIsTaken(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	e.github.Inject(githubtest.Fault{Match: mintPattern, Mutate: func(a map[string]any) {
		delete(a, "permissions") // GitHub's description has these as optional
		delete(a, "repository_selection")
		delete(a, "repositories")
	}})
	a := e.must(logical.ReadOperation, "token/ci", nil)
	if got, want := a.data("scope"), "acme: api: contents=read"; got != want {
		t.Errorf("scope %q, want %q", got, want)
	}
	if diff := cmp.Diff(map[string]string{"contents": "read"}, a.data("permissions")); diff != "" {
		t.Error(diff)
	}
}

func TestTokenOf500Repositories(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	names := make([]any, 500)
	for i := range names {
		names[i] = fmt.Sprintf("repository-with-a-long-name-%d", i)
		e.github.AddRepository("acme", names[i].(string), nil)
	}
	e.mustWriteRole("many", map[string]any{"repositories": names})
	a := e.must(logical.ReadOperation, "token/many", nil)
	if n := len(a.data("repositories").([]string)); n != 500 {
		t.Errorf("%d repositories, want 500", n)
	}
}

// TestNoTokenIsLeftBehind: whatever goes wrong after GitHub was asked, no token
// lives that nobody holds.
func TestNoTokenIsLeftBehind(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault  githubtest.Fault
		status int
		err    string
	}{
		"a late answer":     {githubtest.Fault{LateBy: 1500 * time.Millisecond}, 504, "no answer within 1s"},
		"a cut answer":      {githubtest.Fault{Truncate: true}, 424, "the token is being revoked"},
		"an endless answer": {githubtest.Fault{PadTo: 20 << 20}, 424, "the answer is longer than"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			if test.status == http.StatusGatewayTimeout {
				e.must(logical.UpdateOperation, "config", map[string]any{"request_timeout": "1s"})
			}
			e.mustWriteRole("ci", nil)
			test.fault.Match = mintPattern
			e.github.Inject(test.fault)
			a := e.do(t.Context(), logical.ReadOperation, "token/ci", nil)
			a.wantRefusal(t, test.status, test.err)
			if e.github.Minted() != 1 {
				t.Errorf("%d tokens were minted, want 1: the fault did not bite", e.github.Minted())
			}
			e.wantNoLiveToken()
		})
	}
}

func TestAClientThatHangsUpLeavesNoToken(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	e.github.Inject(githubtest.Fault{Match: mintPattern, LateBy: 300 * time.Millisecond})
	ctx, hangUp := context.WithCancel(t.Context())
	done := make(chan answer)
	go func() { done <- e.do(ctx, logical.ReadOperation, "token/ci", nil) }()
	for e.github.Minted() == 0 {
		time.Sleep(time.Millisecond)
	}
	hangUp()
	if a := <-done; a.status == http.StatusOK {
		t.Error("a client that hung up got a token")
	}
	e.wantNoLiveToken()
	e.Cleanup(context.Background()) // the log line comes after the revocation
	if !strings.Contains(e.log.String(), "revoked a token that nobody received") {
		t.Error("the log does not tell of it")
	}
}

func TestStoppingThePluginRevokesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	e.github.Inject(githubtest.Fault{Match: mintPattern, LateBy: 300 * time.Millisecond})
	ctx, hangUp := context.WithCancel(t.Context())
	done := make(chan answer)
	go func() { done <- e.do(ctx, logical.ReadOperation, "token/ci", nil) }()
	for e.github.Minted() == 0 {
		time.Sleep(time.Millisecond)
	}
	hangUp()
	<-done
	e.Cleanup(context.Background())
	if n := len(e.github.LiveTokens()); n != 0 {
		t.Errorf("%d tokens are live after the plugin stopped", n)
	}
}

func TestAReadOnlyNodeForwardsBeforeItMints(t *testing.T) {
	t.Parallel()
	path := newBackend(nil).Route("token/ci")
	for op, handler := range path.Operations {
		if p := handler.Properties(); !p.ForwardPerformanceStandby || !p.ForwardPerformanceSecondary {
			t.Errorf("%s: a standby would mint, fail to write the lease, and mint again on the active node", op)
		}
	}
}

// readOnlyStorage is what a performance standby has: reads go through, a write
// sends the whole request on to the active node, to be made again.
type readOnlyStorage struct {
	logical.Storage
	writes int
}

func (s *readOnlyStorage) Put(context.Context, *logical.StorageEntry) error {
	s.writes++
	return logical.ErrReadOnly
}

func (s *readOnlyStorage) Delete(context.Context, string) error {
	s.writes++
	return logical.ErrReadOnly
}

// TestNoWriteFollowsAMint: sent on after it, the request would mint twice.
func TestNoWriteFollowsAMint(t *testing.T) {
	t.Parallel()
	e := newIdentityEngine(t)
	storage := &readOnlyStorage{Storage: e.storage}
	e.storage = storage
	if a := e.ask(nil); a.err != "" {
		t.Error(a.err)
	}
	if storage.writes != 0 || e.github.Minted() != 1 {
		t.Errorf("%d writes, %d tokens", storage.writes, e.github.Minted())
	}
}

// newIdentityEngine has the role ci, which decides by the caller's identity: all
// that a decision can need is in use.
func newIdentityEngine(t *testing.T) *engine {
	t.Helper()
	e := newReadyEngine(t)
	e.trustIssuer(nil)
	e.loginAs(jobAlias("acme/api", map[string]string{"repository_id": "7", "repository_owner": "acme"}))
	e.mustWriteRole("ci", map[string]any{
		"organization": "{{claims.repository_owner}}",
		"bound_claims": map[string]any{"repository": "acme/api", "repository_id": "7", "repository_owner": "acme"},
	})
	e.must(logical.CreateOperation, "limits", map[string]any{"max_ttl": "30m"})
	return e
}

func TestMintingNeedsNoStorageOnceWarm(t *testing.T) {
	t.Parallel()
	e := newIdentityEngine(t)
	if a := e.ask(nil); a.err != "" {
		t.Fatal(a.err)
	}
	storage := &brokenStorage{}
	e.storage = storage
	if a := e.ask(nil); a.err != "" {
		t.Error(a.err)
	}
	if storage.asked != 0 {
		t.Errorf("storage was asked %d times", storage.asked)
	}
}

var errStorage = errors.New("storage is down")

// brokenStorage fails whatever is asked of it.
type brokenStorage struct{ asked int }

func (s *brokenStorage) Get(context.Context, string) (*logical.StorageEntry, error) {
	s.asked++
	return nil, errStorage
}

func (s *brokenStorage) Put(context.Context, *logical.StorageEntry) error {
	s.asked++
	return errStorage
}

func (s *brokenStorage) Delete(context.Context, string) error {
	s.asked++
	return errStorage
}

func (s *brokenStorage) List(context.Context, string) ([]string, error) {
	s.asked++
	return nil, errStorage
}

func TestDisabledRolesAndAppsRefuse(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	e.must(logical.ReadOperation, "token/ci", nil)
	e.must(logical.UpdateOperation, "roles/ci", map[string]any{"disabled": true})
	e.wantRefusal(logical.ReadOperation, "token/ci", nil, http.StatusForbidden, `role "ci" is disabled`, "disabled=false")
	e.must(logical.UpdateOperation, "roles/ci", map[string]any{"disabled": false})
	e.must(logical.UpdateOperation, "config", map[string]any{"disabled": true})
	e.wantRefusal(logical.ReadOperation, "token/ci", nil, http.StatusForbidden, `App "default" is disabled`, "github/config")
}

func TestIssuanceIsLogged(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	a := e.must(logical.ReadOperation, "token/ci", nil)
	log := e.log.String()
	for _, part := range []string{"request_id=request-1", "role=ci", a.data("hashed_token").(string), "acme: api: contents=read"} {
		if !strings.Contains(log, part) {
			t.Errorf("the log lacks %q", part)
		}
	}
	if strings.Contains(log, a.data("token").(string)) || strings.Contains(log, "PRIVATE KEY") {
		t.Error("the log holds a secret")
	}
}
