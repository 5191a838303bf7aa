package githubtest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// use is what the tests look at of an entry.
type use struct {
	Action, Repo, Method, Route string
	Status                      int
}

func (s *Server) uses() []use {
	var uses []use
	for _, e := range s.AuditLog() {
		uses = append(uses, use{e.Action, e.Repo, e.RequestMethod, e.Route, e.StatusCode})
	}
	return uses
}

func TestAuditLogHasWhatGitDoes(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"0", "2"} {
		t.Run("protocol "+protocol, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, WithAuditLog())
			token := f.mint(t, `{"repositories":["api"],"permissions":{"contents":"write"}}`)
			dir := filepath.Join(t.TempDir(), "clone")
			git := func(args ...string) {
				t.Helper()
				if out, err := runGit(t, "", append([]string{"-c", "protocol.version=" + protocol}, args...)...); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			git("ls-remote", "--quiet", f.gitURL(token, "/acme/api.git"))
			git("clone", "--quiet", f.gitURL(token, "/ACME/api"), dir)
			// Above http.postBuffer, so that git probes first.
			if err := os.WriteFile(filepath.Join(dir, "big"), incompressible(2<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			git("-C", dir, "add", "big")
			git("-C", dir, "commit", "--quiet", "-m", "Add")
			git("-C", dir, "push", "--quiet")
			if err := f.api.git.commit(t.Context(), "Another", map[string]string{"other": "file"}); err != nil {
				t.Fatal(err)
			}
			git("-C", dir, "fetch", "--quiet")
			git("-C", dir, "fetch", "--quiet") // there is nothing new
			want := []use{
				{Action: "git.clone", Repo: "acme/api"},
				{Action: "git.push", Repo: "acme/api"},
				{Action: "git.fetch", Repo: "acme/api"},
			}
			if diff := cmp.Diff(want, f.uses()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAuditLogHasRequestsOfTokensThatGitHubTakes(t *testing.T) {
	t.Parallel()
	clock := newClock()
	f := newFixture(t, WithAuditLog(), WithClock(clock.Now))
	token := f.mint(t, `{"repositories":["api"],"permissions":{"contents":"read"}}`)
	f.call(t, http.MethodGet, "/repos/acme/api/contents/README.md", token, "")
	f.call(t, http.MethodGet, "/repos/acme/api/issues", token, "") // no permission
	f.call(t, http.MethodGet, "/repos/acme/web", token, "")        // another repository
	f.call(t, http.MethodGet, "/installation/repositories", token, "")
	f.call(t, http.MethodGet, "/repos/acme/api", "ghs_"+token[4:20], "") // nobody's
	f.call(t, http.MethodDelete, "/installation/token", token, "")
	f.call(t, http.MethodGet, "/repos/acme/api", token, "") // dead

	const contents = "/repos/{owner}/{repo}/contents/{path}"
	want := []use{
		{"api.request", "acme/api", "GET", contents, 200},
		{"api.request", "acme/api", "GET", "/repos/{owner}/{repo}/issues", 403},
		{"api.request", "acme/web", "GET", "/repos/{owner}/{repo}", 404},
		{"api.request", "", "GET", "/installation/repositories", 200},
		{"api.request", "", "DELETE", "/installation/token", 204},
	}
	if diff := cmp.Diff(want, f.uses()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	hash := sha256.Sum256([]byte(token))
	whole := AuditEvent{
		Timestamp: clock.Now().UnixMilli(), DocumentID: "fake-1", Action: "api.request",
		Actor: "ci-broker[bot]", ActorIsBot: true, Org: "acme", Repo: "acme/api",
		HashedToken: base64.StdEncoding.EncodeToString(hash[:]), TokenID: 1,
		ProgrammaticAccessType: "GitHub App server-to-server token", UserAgent: "Go-http-client/1.1",
		RequestMethod: "GET", Route: contents, URLPath: "/repos/acme/api/contents/README.md", StatusCode: 200,
	}
	if diff := cmp.Diff(whole, f.AuditLog()[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNoAuditLogUnlessItIsAskedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.call(t, http.MethodGet, "/installation/repositories", f.mint(t, ""), "")
	if got := f.AuditLog(); got != nil {
		t.Errorf("it keeps %v", got)
	}
}
