package githubtest

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// runGit runs the real git as a user would and returns what it printed.
func runGit(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", args...)
	command.Dir = dir
	command.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=job", "GIT_AUTHOR_EMAIL=job@example.com",
		"GIT_COMMITTER_NAME=job", "GIT_COMMITTER_EMAIL=job@example.com",
	}, gitEnvironment...)
	out, err := command.CombinedOutput()
	return string(out), err
}

func (f fixture) gitURL(token, path string) string {
	u, _ := url.Parse(f.URL)
	u.Path = path
	if token != "" {
		u.User = url.UserPassword("x-access-token", token)
	}
	return u.String()
}

func TestGitCloneRules(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	readAPI := f.mint(t, `{"repositories":["api"],"permissions":{"contents":"read"}}`)
	noContents := f.mint(t, `{"repositories":["api"],"permissions":{"issues":"read"}}`)
	dead := f.mint(t, `{"repositories":["api"]}`)
	f.RevokeToken(dead)

	tests := []struct {
		name, token, path, want string // want: in git's message; empty if it clones
	}{
		{"with .git", readAPI, "/acme/api.git", ""},
		{"without .git", readAPI, "/acme/api", ""},
		{"in another case", readAPI, "/ACME/API.git", ""},
		{"another repository", readAPI, "/acme/web.git", "Repository not found."},
		{"no such repository", readAPI, "/acme/nope.git", "Repository not found."},
		{"no contents permission", noContents, "/acme/api.git", "403"},
		{"dead token", dead, "/acme/api.git", "Authentication failed"},
		{"no token", "", "/acme/api.git", "could not read Username"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "clone")
			out, err := runGit(t, "", "clone", "--quiet", f.gitURL(test.token, test.path), dir)
			if test.want != "" {
				if err == nil || !strings.Contains(out, test.want) {
					t.Errorf("git said %q (%v), want %q", out, err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if readme, err := os.ReadFile(filepath.Join(dir, "README.md")); err != nil || string(readme) != "# api\n" {
				t.Errorf("README.md holds %q (%v)", readme, err)
			}
		})
	}
}

func TestGitPushRules(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, scope, want string
	}{
		{"contents=write pushes", `{"permissions":{"contents":"write"}}`, ""},
		{"contents=read does not", `{"permissions":{"contents":"read"}}`, "Write access to repository not granted."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			token := f.mint(t, test.scope)
			dir := filepath.Join(t.TempDir(), "clone")
			if out, err := runGit(t, "", "clone", "--quiet", f.gitURL(token, "/acme/api.git"), dir); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			// Above http.postBuffer, so that git sends it in chunks.
			if err := os.WriteFile(filepath.Join(dir, "big"), incompressible(2<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"add", "big"}, {"commit", "--quiet", "-m", "Add"}} {
				if out, err := runGit(t, dir, args...); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			out, err := runGit(t, dir, "push", "--quiet")
			if pushed := err == nil; pushed != (test.want == "") || !strings.Contains(out, test.want) {
				t.Fatalf("git push: %v, %q", err, out)
			}
			want := http.StatusOK
			if test.want != "" {
				want = http.StatusNotFound
			}
			if got := f.call(t, http.MethodGet, "/repos/acme/api/contents/big", token, ""); got.status != want {
				t.Errorf("the file at GitHub: %d, want %d", got.status, want)
			}
		})
	}
}

func incompressible(n int) []byte {
	data, state := make([]byte, n), uint32(1)
	for i := range data {
		state = state*1664525 + 1013904223
		data[i] = byte(state >> 24)
	}
	return data
}

func TestGitHTTPAnswers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.mint(t, "")
	f.AddRepository("acme", "empty", nil)
	const refs = "/info/refs?service=git-upload-pack"
	tests := []struct {
		name, token, path string
		status            int
	}{
		{"no token", "", "/acme/api" + refs, 401},
		{"unknown service", token, "/acme/api/info/refs?service=git-shell", 403},
		{"the dumb protocol", token, "/acme/api/info/refs", 403},
		{"a repository without a commit", token, "/acme/empty.git" + refs, 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if test.token != "" {
				r.SetBasicAuth("anyone", test.token)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != test.status {
				t.Errorf("status %d, want %d", resp.StatusCode, test.status)
			}
			if asks := resp.Header.Get("WWW-Authenticate") != ""; asks != (test.status == http.StatusUnauthorized) {
				t.Errorf("asks for a password: %v", asks)
			}
		})
	}
}

func TestRepositoriesCostNothingUntilUsed(t *testing.T) {
	t.Parallel()
	s := New(t)
	s.AddOrganization("acme")
	for i := range 500 {
		s.AddRepository("acme", fmt.Sprint("repository-", i), map[string]string{"README.md": "hello"})
	}
	made, err := os.ReadDir(s.gitRoot)
	if err != nil || len(made) != 0 {
		t.Errorf("%d git repositories made (%v), want none", len(made), err)
	}
	s.Close()
	if _, err := os.Stat(s.gitRoot); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}
