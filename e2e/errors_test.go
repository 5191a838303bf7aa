package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-github/internal/githubtest"
)

// A parameter that is not understood would be a restriction that is not kept.
func TestMisspeltParameterIsRefusedOnEveryPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.github.Requests(githubtest.MintToken)
	for _, test := range []struct {
		path, method string
		parameter    string
		command      []string // the same by the vault command
	}{
		{"config", http.MethodPost, "privat_key", []string{"write"}},
		{"config/other", http.MethodPost, "Client_id", []string{"write"}},
		{"roles/api-read", http.MethodPost, "permisions", []string{"write"}},
		{"roles/other", http.MethodPost, "Repositories", []string{"write"}},
		{"token/api-read", http.MethodPost, "permisions", []string{"write"}},
		{"token/api-read", http.MethodGet, "Repositories", []string{"read"}},
		{"token/api-read", http.MethodPost, "role", []string{"write"}}, // another than the path's
		{"token/api-read", http.MethodGet, "role", []string{"read"}},
		{"config", http.MethodGet, "verfy", []string{"read"}},
		{"config/", "LIST", "afer", nil},
		{"roles/api-read", http.MethodGet, "fields", []string{"read"}},
		{"roles/", "LIST", "afer", nil},
		{"roles/api-read", http.MethodDelete, "forse", nil},
		{"info", http.MethodGet, "verbose", []string{"read"}},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			path, body := w.path(test.path), any(map[string]any{test.parameter: "x"})
			if test.method != http.MethodPost {
				path, body = path+"?"+test.parameter+"=x", nil
			}
			wantError(t, w.root.Do(t, test.method, path, body), http.StatusBadRequest, fmt.Sprintf("%q", test.parameter))
			if test.command == nil {
				return
			}
			out := w.root.CLI(t, append(test.command, w.path(test.path), test.parameter+"=x")...)
			if out.Code != 2 || !strings.Contains(out.Stderr, test.parameter) || !strings.Contains(out.Stderr, "Code: 400") {
				t.Errorf("vault %s ended with %d: %s", test.command[0], out.Code, out.Stderr)
			}
		})
	}
	if after := w.github.Requests(githubtest.MintToken); after != before {
		t.Errorf("GitHub was asked for %d tokens", after-before)
	}
}

func TestFormIsReadLikeJSON(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	w := newWorld(t)
	job := w.job()
	for body, says := range map[string]string{"permisions=contents": `"permisions"`, "ttl=60&ttl=3600": "ttl"} {
		a := job.Do(t, http.MethodPost, w.path("token/api-read"), []byte(body), "Content-Type", form)
		wantError(t, a, http.StatusBadRequest, says)
	}
	w.wantMinted(0)
	a := job.Do(t, http.MethodPost, w.path("token/api-read"), []byte("ttl=60"), "Content-Type", form)
	if lease := a.Secret(t).LeaseDuration; lease != 60 {
		t.Errorf("the lease lasts %d s, want 60", lease)
	}
}

func TestBadRoleIsRefusedAndNotWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tooMany := make([]string, 501)
	for i := range tooMany {
		tooMany[i] = fmt.Sprintf("r%d", i)
	}
	long := strings.Repeat("x", 300)
	for name, test := range map[string]struct {
		field string
		value any
		says  string
	}{
		"no permissions":           {"permissions", map[string]string{}, "permissions"},
		"empty permissions":        {"permissions", "", "permissions"},
		"a permission that is on":  {"permissions", map[string]any{"contents": true}, "contents"},
		"permissions as JSON text": {"permissions", `{"contents":"read"}`, "JSON"},
		"an unknown level":         {"permissions", map[string]string{"contents": "all"}, `"all"`},
		"no repositories":          {"repositories", []string{}, "repositories"},
		"empty repositories":       {"repositories", "", "repositories"},
		"a null repository":        {"repositories", []any{nil}, "null"},
		"two names in one":         {"repositories", []string{"a,b"}, `a,b`},
		"repositories as JSON":     {"repositories", `["api"]`, "JSON"},
		"501 repositories":         {"repositories", tooMany, "501"},
		"a repository twice":       {"repositories", []string{"api", "API"}, "API"},
		"another owner":            {"repositories", "other/api", "other/api"},
		"a path":                   {"repositories", "../api", "../api"},
		"two dots":                 {"repositories", "..", ".."},
		"a NUL":                    {"repositories", []string{"a\x00b"}, "repositories"},
		"300 characters":           {"repositories", long, "100"},
		"no ASCII":                 {"repositories", "ärger", "ärger"},
		"a negative ttl":           {"ttl", -1, "ttl"},
		"half a second":            {"ttl", "500ms", "500ms"},
		"a hundred hours":          {"ttl", "100h", "1h"},
		"an octal id":              {"repository_ids", []string{"010"}, "010"},
		"a huge id":                {"repository_ids", []float64{1e18}, "1000000000000000000"},
		"a broken id":              {"repository_ids", []float64{3.7}, "3.7"},
		"an unknown selection":     {"repository_selection", "every", "every"},
		"an organization's path":   {"organization", "acme/api", "acme/api"},
		"an App's path":            {"app", "a/b", "a/b"},
	} {
		t.Run(name, func(t *testing.T) {
			role := map[string]any{
				"organization": "acme", "repositories": "api", "permissions": map[string]string{"contents": "read"},
			}
			if test.field == "repository_ids" {
				delete(role, "repositories")
			}
			role[test.field] = test.value
			wantError(t, w.root.Post(t, w.path("roles/bad"), role), http.StatusBadRequest, test.says)
			if a := w.root.Get(t, w.path("roles/bad")); a.Status != http.StatusNotFound {
				t.Errorf("it was written: %s", a.Body)
			}
		})
	}
}

func TestBadTTLOfARequestIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.job()
	for _, ttl := range []any{-1, 0, "0", "500ms", "", "soon", true, []int{60}} {
		wantError(t, job.Post(t, w.path("token/api-read"), map[string]any{"ttl": ttl}), http.StatusBadRequest, "ttl")
	}
	w.wantMinted(0)
}

func TestUnknownRoleAndApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.job()
	wantError(t, job.Get(t, w.path("token/nobody")), http.StatusBadRequest, `"nobody"`, w.path("roles"))
	w.writeRole("elsewhere", map[string]any{"app": "other"})
	wantError(t, job.Get(t, w.path("token/elsewhere")), http.StatusBadRequest, `"other"`, w.path("config/other"))
}

func TestTenMegabytesAreRefusedAndHarmless(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := slices.Repeat([]string{strings.Repeat("x", 1000)}, 10_000)
	for name, body := range map[string]map[string]any{
		"a text":       {"description": strings.Repeat("x", 10<<20)}, // Vault itself refuses this one
		"repositories": {"repositories": list},
		"permissions":  {"permissions": list},
	} {
		a := w.root.Post(t, w.path("roles/api-read"), body)
		if a.Status < http.StatusBadRequest || len(a.Body) > 1000 {
			t.Errorf("10 MB of %s were answered with %d and %d bytes", name, a.Status, len(a.Body))
		}
	}
	w.token(w.job(), "api-read")
}

func TestGitHubsRefusalsReachTheCaller(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		role    map[string]any
		prepare func(*world)
		status  int
		says    []string
	}{
		"a repository that is not there": {
			role:   map[string]any{"repositories": "nowhere"},
			status: http.StatusBadRequest, says: []string{"422", "There is at least one repository that does not exist"},
		},
		"a permission that the App lacks": {
			role:   map[string]any{"permissions": map[string]string{"administration": "write"}},
			status: http.StatusBadRequest, says: []string{"422", "The permissions requested are not granted to this installation."},
		},
		"an organization without the App": {
			role:   map[string]any{"organization": "octocat"},
			status: http.StatusBadRequest, says: []string{"octocat", "not installed", "default"},
		},
		"a suspended installation": {
			prepare: func(w *world) {
				w.github.Suspend(w.installation)
				w.t.Cleanup(func() { w.github.Unsuspend(w.installation) })
			},
			status: http.StatusForbidden, says: []string{"suspended", "acme"},
		},
		"a key that GitHub has deleted": {
			prepare: func(w *world) { w.app.RotateKey(); w.app.RemoveKey() },
			status:  http.StatusInternalServerError, says: []string{"the App's key was refused"},
		},
		"a bad gateway": {
			prepare: func(w *world) { w.github.Inject(githubtest.BadGateway().On(githubtest.MintToken)) },
			status:  http.StatusBadGateway, says: []string{"502"},
		},
		"a captive portal": {
			prepare: func(w *world) { w.github.Inject(html(http.StatusOK).On(githubtest.MintToken)) },
			status:  http.StatusBadGateway, says: []string{"text/html"},
		},
		"a page in place of the token": {
			prepare: func(w *world) { w.github.Inject(html(http.StatusCreated).On(githubtest.MintToken)) },
			status:  http.StatusFailedDependency, says: []string{"text/html"},
		},
		"an outage at the look-up": {
			prepare: func(w *world) {
				w.github.Inject(githubtest.Outage().On("GET /orgs/{org}/installation"))
			},
			status: http.StatusBadGateway,
		},
		"no answer in time": {
			prepare: func(w *world) {
				w.write(w.path("config"), map[string]any{"request_timeout": "1s"})
				w.github.Inject(githubtest.Fault{Latency: 3 * time.Second}.On(githubtest.MintToken))
			},
			status: http.StatusGatewayTimeout,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.writeRole("refused", test.role)
			if test.prepare != nil {
				test.prepare(w)
			}
			a := w.job().Get(t, w.path("token/refused"))
			wantError(t, a, test.status, append(test.says, `"refused"`)...)
			if strings.Contains(a.Errors(), "<html") {
				t.Error("GitHub's HTML is in the error")
			}
		})
	}
}

// html answers with a page.
func html(status int) githubtest.Fault {
	return githubtest.Fault{
		Status: status, Header: http.Header{"Content-Type": {"text/html"}}, Body: "<html>Welcome to our Wi-Fi</html>",
	}
}

func TestRateLimitKeepsRetryAfter(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func() githubtest.Fault{
		"secondary 403": func() githubtest.Fault { return githubtest.SecondaryRateLimit(http.StatusForbidden, time.Minute) },
		"secondary 429": func() githubtest.Fault {
			return githubtest.SecondaryRateLimit(http.StatusTooManyRequests, time.Minute)
		},
		"primary 403": func() githubtest.Fault {
			return githubtest.PrimaryRateLimit(http.StatusForbidden, time.Now().Add(time.Minute))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.github.Inject(limit().On(githubtest.MintToken))
			a := w.job().Get(t, w.path("token/api-read"))
			wantError(t, a, http.StatusTooManyRequests, "rate limit")
			if after := a.Header.Get("Retry-After"); !slices.Contains([]string{"58", "59", "60"}, after) {
				t.Errorf("Retry-After: %q, want about 60", after)
			}
			w.wantMinted(0)
		})
	}
}

// GitHub made a token that cannot be handed over. Vault's client must not have
// another one made.
func TestTokenThatCannotBeHandedOverIsMadeOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault githubtest.Fault
		lost  int // nobody saw the token
	}{
		"the answer is cut off in the middle": {fault: githubtest.Fault{Truncate: true}},
		"the answer never comes":              {fault: githubtest.Fault{Cut: true}, lost: 1},
		"an answer of 20 MB":                  {fault: githubtest.Fault{PadTo: 20 << 20}},
		"the token has no expiry": {fault: githubtest.Fault{
			Mutate: func(answer map[string]any) { delete(answer, "expires_at") },
		}},
		"the token has expired": {fault: expiringIn(-time.Minute)},
		"more permissions than asked": {fault: githubtest.Fault{
			Mutate: func(answer map[string]any) { answer["permissions"].(map[string]any)["issues"] = "write" },
		}},
		"more repositories than asked": {fault: githubtest.Fault{
			Mutate: func(answer map[string]any) { answer["repository_selection"] = "all" },
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.lost = test.lost
			w.github.Inject(test.fault.On(githubtest.MintToken))
			client, err := w.job().API() // tries again after 412, 429 and 5xx
			if err != nil {
				t.Fatal(err)
			}
			if secret, err := client.Logical().ReadWithContext(t.Context(), w.path("token/api-read")); err == nil {
				t.Errorf("the client got an answer with %d fields", len(secret.Data))
			}
			w.wantMinted(1)
			w.awaitLiveTokens(test.lost)
		})
	}
}

// What Vault's client asks again after an error has made no token, or one that
// is taken back.
func TestClientThatTriesAgainHoldsTheOnlyToken(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]githubtest.Fault{
		"bad gateway": githubtest.BadGateway(),
		"rate limit":  githubtest.SecondaryRateLimit(http.StatusTooManyRequests, time.Second),
		"too late":    {LateBy: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write(w.path("config"), map[string]any{"request_timeout": "1s"})
			w.github.Inject(fault.On(githubtest.MintToken).Once())
			client, err := w.job().API()
			if err != nil {
				t.Fatal(err)
			}
			secret, err := client.Logical().ReadWithContext(t.Context(), w.path("token/api-read"))
			if err != nil {
				t.Fatal(err)
			}
			if !w.isLive(tokenOf(secret)) {
				t.Error("GitHub does not take the token")
			}
			w.awaitLiveTokens(1)
		})
	}
}

// The JWT of the App must not go where a redirect leads.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	w, elsewhere := newWorld(t), newWorld(t)
	w.github.Inject(githubtest.Redirect(http.StatusTemporaryRedirect, elsewhere.github.APIURL+"/app").On(githubtest.MintToken))
	before := elsewhere.github.Requests("GET /app")
	wantError(t, w.job().Get(t, w.path("token/api-read")), http.StatusBadGateway, "redirect")
	if after := elsewhere.github.Requests("GET /app"); after != before {
		t.Error("the redirect was followed")
	}
}
