package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	noSuchRepository = "There is at least one repository that does not exist or is not accessible to the parent installation."
	notGranted       = "The permissions requested are not granted to this installation."
)

func TestMintRules(t *testing.T) {
	t.Parallel()
	var ignored violations // some bodies are bad on purpose
	f := newFixture(t, ignored.option())
	f.AddUser("octocat")
	foreign := f.AddRepository("octocat", "hello", nil)
	all := map[string]string{"contents": "write", "issues": "read", "metadata": "read"}

	tests := []struct {
		name, body   string
		status       int
		message      string
		permissions  map[string]string
		repositories []string
		selection    string
	}{
		{"no body is everything", ``, 201, "", all, nil, "all"},
		{"empty lists are everything", `{"repositories":[],"repository_ids":[],"permissions":{}}`, 201, "", all, nil, "all"},
		{"names in any case", `{"repositories":["API"]}`, 201, "", all, []string{"api"}, "selected"},
		{"ids", fmt.Sprintf(`{"repository_ids":[%d]}`, f.web.ID), 201, "", all, []string{"web"}, "selected"},
		{"names and ids are a union", fmt.Sprintf(`{"repositories":["api","web"],"repository_ids":[%d]}`, f.web.ID), 201, "", all, []string{"api", "web"}, "selected"},
		{"a lower level, and metadata is added", `{"permissions":{"contents":"read"}}`, 201, "", map[string]string{"contents": "read", "metadata": "read"}, nil, "all"},
		{"unknown name", `{"repositories":["api","nope"]}`, 422, noSuchRepository, nil, nil, ""},
		{"unknown id", `{"repository_ids":[1]}`, 422, noSuchRepository, nil, nil, ""},
		{"name with its owner", `{"repositories":["acme/api"]}`, 422, noSuchRepository, nil, nil, ""},
		{"repository of another account", fmt.Sprintf(`{"repository_ids":[%d]}`, foreign.ID), 422, noSuchRepository, nil, nil, ""},
		{"permission not granted", `{"permissions":{"actions":"read"}}`, 422, notGranted, nil, nil, ""},
		{"level above the grant", `{"permissions":{"issues":"write"}}`, 422, notGranted, nil, nil, ""},
		{"level that is none", `{"permissions":{"contents":"all"}}`, 422, notGranted, nil, nil, ""},
		{"more than 500", `{"repositories":["api"` + strings.Repeat(`,"api"`, 500) + `]}`, 422, "Invalid request.\n\nNo more than 500 repositories are allowed.", nil, nil, ""},
		{"id that is no integer", `{"repository_ids":[3.7]}`, 422, "Invalid request.", nil, nil, ""},
		{"not JSON", `{"repositories":`, 400, "Problems parsing JSON", nil, nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := f.call(t, http.MethodPost, f.mintPath(), f.app.JWT(), test.body)
			if got.status != test.status || !strings.HasPrefix(got.message(), test.message) {
				t.Fatalf("%d %q, want %d %q", got.status, got.message(), test.status, test.message)
			}
			if test.status != http.StatusCreated {
				return
			}
			var answer struct {
				Permissions         map[string]string
				RepositorySelection string `json:"repository_selection"`
				Repositories        []struct{ Name string }
			}
			if err := json.Unmarshal(got.body, &answer); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, repository := range answer.Repositories {
				names = append(names, repository.Name)
			}
			if diff := cmp.Diff(test.permissions, answer.Permissions); diff != "" {
				t.Errorf("permissions (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.repositories, names); diff != "" {
				t.Errorf("repositories (-want +got):\n%s", diff)
			}
			if answer.RepositorySelection != test.selection {
				t.Errorf("repository_selection %q, want %q", answer.RepositorySelection, test.selection)
			}
		})
	}
}

func TestMintIsLimitedToTheInstallation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	other := f.AddApp("other", nil)
	selected := f.Install(other, "acme", InstallOptions{
		Permissions: map[string]string{"contents": "read"}, RepositorySelection: "selected", Repositories: []string{"api"},
	})
	mint := func(installation int64, app *App, body string) reply {
		return f.call(t, http.MethodPost, fmt.Sprintf("/app/installations/%d/access_tokens", installation), app.JWT(), body)
	}
	if got := mint(selected.ID, f.app, ""); got.status != http.StatusNotFound {
		t.Errorf("another App's installation: %d, want 404", got.status)
	}
	if got := mint(1, f.app, ""); got.status != http.StatusNotFound {
		t.Errorf("unknown installation: %d, want 404", got.status)
	}
	if got := mint(selected.ID, other, `{"repositories":["web"]}`); got.message() != noSuchRepository {
		t.Errorf("a repository that was not selected: %d %q", got.status, got.message())
	}
	everything := mint(selected.ID, other, "")
	token, _ := f.Token(everything.object["token"].(string))
	if diff := cmp.Diff([]string{"acme/api"}, f.RepositoriesOf(token)); diff != "" {
		t.Errorf("repositories (-want +got):\n%s", diff)
	}
	if everything.object["repository_selection"] != "selected" {
		t.Errorf("repository_selection %v, want selected", everything.object["repository_selection"])
	}
	f.Suspend(selected)
	if got := mint(selected.ID, other, ""); got.status != http.StatusForbidden || got.message() != "This installation has been suspended" {
		t.Errorf("suspended: %d %q", got.status, got.message())
	}
	f.Unsuspend(selected)
	if got := mint(selected.ID, other, ""); got.status != http.StatusCreated {
		t.Errorf("no longer suspended: %d %q", got.status, got.message())
	}
}

func TestTokensHaveGitHubsForms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		length int
		prefix string
		dots   int
	}{
		{520, "ghs_1001_eyJ", 2},
		{40, "ghs_", 0},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.length), func(t *testing.T) {
			t.Parallel()
			token := newFixture(t, WithTokenLength(test.length)).mint(t, "")
			if len(token) != test.length || !strings.HasPrefix(token, test.prefix) || strings.Count(token, ".") != test.dots {
				t.Errorf("%d characters: %s", len(token), token)
			}
		})
	}
}

func TestAnswerFor500RepositoriesIsAsLargeAsGitHubs(t *testing.T) {
	t.Parallel()
	s := New(t)
	app := s.AddApp("ci-broker", nil)
	s.AddOrganization("acme")
	var names []string
	for i := range 500 {
		names = append(names, s.AddRepository("acme", fmt.Sprintf("repository-%03d", i), nil).Name)
	}
	installation := s.Install(app, "acme", InstallOptions{})
	body, err := json.Marshal(map[string]any{"repositories": names})
	if err != nil {
		t.Fatal(err)
	}
	got := s.call(t, http.MethodPost, fmt.Sprintf("/app/installations/%d/access_tokens", installation.ID), app.JWT(), string(body))
	if size := len(got.body); size < 2_500_000 || size > 3_500_000 {
		t.Errorf("the answer has %d bytes, want about 2.7 to 3 MB", size)
	}
}

func TestTokenDies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		kill func(t *testing.T, f fixture, c *clock, token string)
		live bool
	}{
		{"revoked by itself", func(t *testing.T, f fixture, _ *clock, token string) {
			if got := f.call(t, http.MethodDelete, "/installation/token", token, ""); got.status != http.StatusNoContent {
				t.Errorf("DELETE: %d", got.status)
			}
		}, false},
		{"revoked by GitHub", func(_ *testing.T, f fixture, _ *clock, token string) { f.RevokeToken(token) }, false},
		{"expired", func(_ *testing.T, _ fixture, c *clock, _ string) { c.advance(time.Hour) }, false},
		{"uninstalled", func(_ *testing.T, f fixture, _ *clock, _ string) { f.Uninstall(f.installation) }, false},
		{"installed again", func(_ *testing.T, f fixture, _ *clock, _ string) { f.Install(f.app, "acme", InstallOptions{}) }, false},
		{"a second before it expires", func(_ *testing.T, _ fixture, c *clock, _ string) { c.advance(time.Hour - time.Second) }, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			f := newFixture(t, WithClock(c.Now))
			token := f.mint(t, "")
			test.kill(t, f, c, token)

			live := slices.ContainsFunc(f.LiveTokens(), func(l Token) bool { return l.Value == token })
			if live != test.live {
				t.Errorf("among the live tokens: %v, want %v", live, test.live)
			}
			got := f.call(t, http.MethodGet, "/repos/acme/api", token, "")
			if test.live && got.status != http.StatusOK {
				t.Errorf("GET: %d %q", got.status, got.message())
			}
			if !test.live && (got.status != http.StatusUnauthorized || got.message() != "Bad credentials") {
				t.Errorf("GET: %d %q, want 401 Bad credentials", got.status, got.message())
			}
			if _, minted := f.Token(token); !minted || f.Minted() != 1 {
				t.Error("the token is forgotten")
			}
		})
	}
}

func TestRevokingADeadTokenIsUnauthorized(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.mint(t, "")
	f.RevokeToken(token)
	if got := f.call(t, http.MethodDelete, "/installation/token", token, ""); got.status != http.StatusUnauthorized {
		t.Errorf("status %d, want 401", got.status)
	}
}
