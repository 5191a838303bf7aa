package ciidentity

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// jwt has the form of one; nothing here verifies it.
const jwt = "aGVhZGVy.Y2xhaW1z.c2lnbmF0dXJl"

func environment(vars map[string]string) Environment {
	return func(name string) string { return vars[name] }
}

func TestEachCIIsFoundByItsEnvironment(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(jwt+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env     map[string]string
		options Options
	}{
		"GitLab CI (VAULT_ID_TOKEN)":       {env: map[string]string{"GITLAB_CI": "true", DefaultVariable: jwt}},
		"CircleCI":                         {env: map[string]string{"CIRCLECI": "true", "CIRCLE_OIDC_TOKEN_V2": jwt}},
		"Jenkins":                          {env: map[string]string{"JENKINS_URL": "x", DefaultVariable: " " + jwt + "\n"}},
		"the environment (VAULT_ID_TOKEN)": {env: map[string]string{DefaultVariable: jwt}},
		"the environment (MINE)":           {env: map[string]string{"GITHUB_ACTIONS": "true", "MINE": jwt}, options: Options{Variable: "MINE"}},
		"the file " + file:                 {env: map[string]string{"CIRCLECI": "true"}, options: Options{File: file}},
	} {
		source, err := Find(environment(test.env), test.options)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := source.IDToken(t.Context(), "vault"); got != jwt || err != nil || source.Name != name {
			t.Errorf("%s: found as %s, gave %q, %v", name, source.Name, got, err)
		}
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	for want, env := range map[string]map[string]string{
		"this is no CI that is known":               {},
		"give it the permission id-token: write":    {"GITHUB_ACTIONS": "true"},
		"is not an https URL":                       {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": "http://runner.example/token", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"},
		"declare it in the job's id_tokens":         {"GITLAB_CI": "true"},
		"let the job use at least one context":      {"CIRCLECI": "true"},
		"bind the credential of the OpenID Connect": {"JENKINS_URL": "x"},
	} {
		if _, err := Find(environment(env), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v; want %q", env, err, want)
		}
	}
}

// TestWhatIsNoJWTIsNotRepeated: it may be a secret all the same, such as a
// variable that a CI did not fill in as meant.
func TestWhatIsNoJWTIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, given := range []string{"s3cret", "a.b", "a.b.c.d", jwt + "\n" + jwt, "$ID_TOKEN"} {
		source, err := Find(environment(map[string]string{DefaultVariable: given}), Options{})
		if err != nil {
			t.Fatal(err)
		}
		token, err := source.IDToken(t.Context(), "vault")
		if err == nil || token != "" || strings.Contains(err.Error(), given) {
			t.Errorf("%q: %q, %v", given, token, err)
		}
	}
}

// actions is a job in GitHub Actions whose token service behaves as handled.
func actions(t *testing.T, handle http.HandlerFunc) *Source {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	source, err := Find(environment(map[string]string{
		"GITHUB_ACTIONS":                 "true",
		"ACTIONS_ID_TOKEN_REQUEST_URL":   server.URL + "/token?api-version=2.0",
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer-secret",
	}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestActionsIsAskedForTheAudienceAndAgainAfterAFailure(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	source := actions(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.URL.Query().Get("audience") != "a&b" || r.URL.Query().Get("api-version") != "2.0" || r.Header.Get("Authorization") != "Bearer bearer-secret" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte(`{"value":"` + jwt + `"}`))
	})
	if got, err := source.IDToken(t.Context(), "a&b"); got != jwt || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestActionsFailuresHoldNoSecret(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]http.HandlerFunc{
		"refused":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bearer-secret", http.StatusForbidden) },
		"not JSON":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("bearer-secret")) },
		"empty":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
		"redirects": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/bearer-secret", http.StatusFound) },
	} {
		if token, err := actions(t, handle).IDToken(t.Context(), "vault"); err == nil || strings.Contains(err.Error(), "bearer-secret") {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := actions(t, http.NotFound).IDToken(ctx, "vault"); err == nil || strings.Contains(err.Error(), "/token") {
		t.Errorf("cancelled: %v", err)
	}
}
