package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInstallationLookups(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.AddUser("octocat")
	f.AddOrganization("elsewhere")
	f.AddRepository("elsewhere", "thing", nil)
	personal := f.Install(f.app, "octocat", InstallOptions{})
	stranger := f.AddApp("stranger", nil)
	id := func(i *Installation) string { return fmt.Sprintf("/app/installations/%d", i.ID) }

	tests := []struct {
		name, path string
		app        *App
		want       *Installation // nil for 404
	}{
		{"organization", "/orgs/acme/installation", f.app, f.installation},
		{"organization in another case", "/orgs/ACME/installation", f.app, f.installation},
		{"user", "/users/octocat/installation", f.app, personal},
		{"repository", "/repos/acme/api/installation", f.app, f.installation},
		{"id", id(f.installation), f.app, f.installation},
		{"organization as a user", "/users/acme/installation", f.app, nil},
		{"user as an organization", "/orgs/octocat/installation", f.app, nil},
		{"not installed there", "/orgs/elsewhere/installation", f.app, nil},
		{"repository of where it is not installed", "/repos/elsewhere/thing/installation", f.app, nil},
		{"no such organization", "/orgs/nobody/installation", f.app, nil},
		{"no such repository", "/repos/acme/nope/installation", f.app, nil},
		{"another App's organization", "/orgs/acme/installation", stranger, nil},
		{"another App's id", id(f.installation), stranger, nil},
		{"unknown id", "/app/installations/1", f.app, nil},
		{"no such endpoint", "/orgs/acme/nothing", f.app, nil},
		{"path to be cleaned", "/orgs/../orgs/acme/installation", f.app, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := f.call(t, http.MethodGet, test.path, test.app.JWT(), "")
			if test.want == nil {
				if got.status != http.StatusNotFound || got.message() != "Not Found" {
					t.Errorf("%d %q, want 404 Not Found", got.status, got.message())
				}
				return
			}
			if got.status != http.StatusOK || got.object["id"] != float64(test.want.ID) {
				t.Errorf("%d %s, want installation %d", got.status, got.body, test.want.ID)
			}
		})
	}
}

func TestInstallationsArePaged(t *testing.T) {
	t.Parallel()
	s := New(t)
	app := s.AddApp("ci-broker", nil)
	var want []float64
	for i := range 5 {
		login := fmt.Sprint("org-", i)
		s.AddOrganization(login)
		want = append(want, float64(s.Install(app, login, InstallOptions{}).ID))
	}
	var got []float64
	next := s.URL + "/app/installations?per_page=2"
	for pages := 0; next != "" && pages < 10; pages++ {
		page := s.call(t, http.MethodGet, next, app.JWT(), "")
		for _, item := range page.list {
			got = append(got, item.(map[string]any)["id"].(float64))
		}
		next = nextLink(page.header.Get("Link"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

func nextLink(header string) string {
	for link := range strings.SplitSeq(header, ", ") {
		if url, found := strings.CutSuffix(link, `>; rel="next"`); found {
			return strings.TrimPrefix(url, "<")
		}
	}
	return ""
}

func TestReinstallingGivesANewID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	again := f.Install(f.app, "acme", InstallOptions{})
	got := f.call(t, http.MethodGet, "/orgs/acme/installation", f.app.JWT(), "")
	if again.ID == f.installation.ID || got.object["id"] != float64(again.ID) {
		t.Errorf("installation %v, was %d, installed again as %d", got.object["id"], f.installation.ID, again.ID)
	}
	path := fmt.Sprintf("/app/installations/%d", again.ID)
	if got := f.call(t, http.MethodDelete, path, f.app.JWT(), ""); got.status != http.StatusNoContent {
		t.Errorf("DELETE: %d", got.status)
	}
	if got := f.call(t, http.MethodGet, path, f.app.JWT(), ""); got.status != http.StatusNotFound {
		t.Errorf("after the DELETE: %d, want 404", got.status)
	}
}

func TestSuspendedInstallationSaysSo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.mint(t, "")
	f.Suspend(f.installation)
	if got := f.call(t, http.MethodGet, "/repos/acme/api", token, ""); got.message() != "This installation has been suspended" {
		t.Errorf("%d %q", got.status, got.message())
	}
	if got := f.call(t, http.MethodGet, "/orgs/acme/installation", f.app.JWT(), ""); got.object["suspended_at"] == nil {
		t.Error("the installation has no suspended_at")
	}
}

func TestFormerRepositoryNameRedirects(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.RenameRepository(f.api, "service")
	token := f.mint(t, "")
	for path, bearer := range map[string]string{"/repos/acme/api/installation": f.app.JWT(), "/repos/acme/api": token} {
		moved := f.call(t, http.MethodGet, path, bearer, "")
		if moved.status != http.StatusMovedPermanently {
			t.Fatalf("%s: %d, want 301", path, moved.status)
		}
		if got := f.call(t, http.MethodGet, moved.header.Get("Location"), bearer, ""); got.status != http.StatusOK {
			t.Errorf("%s leads to %s: %d", path, moved.header.Get("Location"), got.status)
		}
	}
	if got := f.call(t, http.MethodPost, f.mintPath(), f.app.JWT(), `{"repositories":["api"]}`); got.message() != noSuchRepository {
		t.Errorf("minting under the former name: %d %q", got.status, got.message())
	}
	squatter := f.AddRepository("acme", "api", nil)
	got := f.call(t, http.MethodGet, "/repos/acme/api", f.mint(t, ""), "")
	if got.object["id"] != float64(squatter.ID) {
		t.Errorf("the name leads to %v, want the new repository %d", got.object["id"], squatter.ID)
	}
}

func TestEveryAnswerHasGitHubsHeadersAndErrors(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, path := range []string{"/app", "/nothing", "/rate_limit", "/meta"} {
		got := f.call(t, http.MethodGet, path, "", "")
		for _, name := range []string{"X-GitHub-Request-Id", "Date", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
			if got.header.Get(name) == "" {
				t.Errorf("%s: no %s", path, name)
			}
		}
		if got.status == http.StatusOK {
			continue
		}
		want := object{"message": got.message(), "documentation_url": documentationURL, "status": fmt.Sprint(got.status)}
		if diff := cmp.Diff(want, got.object); diff != "" || got.message() == "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestAPIIsServedWithAndWithoutAPath(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, base := range []string{f.URL, f.APIURL} {
		if got := f.call(t, http.MethodGet, base+"/app", f.app.JWT(), ""); got.status != http.StatusOK {
			t.Errorf("%s: %d", base, got.status)
		}
	}
	if got := f.Requests("GET /app"); got != 2 {
		t.Errorf("%d requests counted, want 2", got)
	}
}

func TestRequestsAreRemembered(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.mint(t, `{"permissions":{"contents":"read"}}`)
	last := f.LastRequest(MintToken)
	var body map[string]any
	if err := json.Unmarshal(last.Body, &body); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"permissions": map[string]any{"contents": "read"}}, body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if last.Path != f.mintPath() || last.Header.Get("Content-Type") != "application/json" || f.Requests(MintToken) != 1 {
		t.Errorf("%+v", last)
	}
}

func TestOversizedBodyIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, WithoutValidation())
	body := `{"repositories":["` + strings.Repeat("a", maxRequestBody) + `"]}`
	if got := f.call(t, http.MethodPost, f.mintPath(), f.app.JWT(), body); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d, want 413", got.status)
	}
}
