package action

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// useForGit is a step that configures git.
func (j *job) useForGit(others map[string]string) *step {
	j.t.Helper()
	inputs := j.inputs(others)
	inputs["configure-git"] = "true"
	s := j.use(inputs)
	if s.main.code != 0 {
		j.t.Fatalf("main ended with %d:\n%s", s.main.code, s.main.annotations("error"))
	}
	return s
}

func TestGitUsesTheTokenUntilTheJobEnds(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	j.useForGit(nil)
	host := strings.TrimPrefix(j.github.URL, "http://")
	name, _, _ := strings.Cut(host, ":")
	for dir, remote := range map[string]string{
		"https":    j.remote("", "acme/api"),
		"scp-like": "git@" + name + ":acme/api.git",
		"ssh":      "ssh://git@" + name + "/acme/api.git",
		"a user":   "http://git@" + host + "/acme/api.git",
	} {
		j.mustRun("git", "clone", "--quiet", remote, dir)
	}
	j.mustRun("git", "-C", "https", "commit", "--quiet", "--allow-empty", "--message=From the job")
	j.mustRun("git", "-C", "https", "push", "--quiet", "origin", "HEAD:main")
	j.mustRun("git", "-C", "https", "submodule", "--quiet", "add", "git@"+name+":acme/web.git", "web")

	j.end()
	if out, err := j.run("git", "clone", j.remote("", "acme/api"), "later"); err == nil {
		t.Errorf("git has a credential after the job's end:\n%s", out)
	}
	if left, err := filepath.Glob(filepath.Join(j.temp, "vault-github-*")); err != nil || len(left) > 0 {
		t.Errorf("post left %q (%v)", left, err)
	}
	j.awaitLive(0)
}

// The credential is in one private directory, and nowhere else: not in a clone,
// not in the user's configuration, not in the environment.
func TestGitCredentialIsInAPrivateFile(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	s := j.useForGit(nil)
	j.mustRun("git", "clone", "--quiet", j.remote("", "acme/api"), "clone")
	directory, token := s.state["git-directory"], s.outputs["token"]
	holders := 0
	err := filepath.WalkDir(filepath.Dir(j.temp), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !strings.Contains(readFile(t, path), token) {
			return err
		}
		holders++
		if path != filepath.Join(directory, "credential") {
			t.Errorf("%s holds the token", path)
		}
		return nil
	})
	if err != nil || holders != 1 {
		t.Errorf("%d files hold the token (%v)", holders, err)
	}
	for path, want := range map[string]fs.FileMode{"": 0o700, "credential": 0o600, "config": 0o600} {
		info, err := os.Stat(filepath.Join(directory, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v (%v), want permissions %o", path, info.Mode(), err, want)
		}
	}
	for name, value := range j.env {
		if strings.Contains(value, token) {
			t.Errorf("%s holds the token", name)
		}
	}
	j.end()
}

func TestGitOffersTheTokenToNoOtherHost(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	var asked, offered atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "" {
			offered.Add(1)
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(other.Close)
	j.useForGit(nil)
	if out, err := j.run("git", "clone", other.URL+"/acme/api.git", "clone"); err == nil {
		t.Errorf("a clone without a credential succeeded:\n%s", out)
	}
	if asked.Load() == 0 || offered.Load() > 0 {
		t.Errorf("of %d requests to another host %d had a credential", asked.Load(), offered.Load())
	}
	j.end()
}

// What the machine has for credentials would keep the token.
func TestGitStoresTheTokenNowhere(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	keychain := filepath.Join(j.temp, "keychain")
	j.mustRun("git", "config", "--global", "credential.helper", "store --file="+keychain)
	j.useForGit(nil)
	j.mustRun("git", "clone", "--quiet", j.remote("", "acme/api"), "clone")
	if content, err := os.ReadFile(keychain); err == nil {
		t.Errorf("the machine's credential helper has stored %d bytes", len(content))
	}
	j.end()
}

func TestGitConfigurationOfTheEnvironmentStays(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	j.env["GIT_CONFIG_COUNT"], j.env["GIT_CONFIG_KEY_0"], j.env["GIT_CONFIG_VALUE_0"] = "1", "user.name", "from the workflow"
	j.useForGit(map[string]string{"repositories": "web"})
	j.useForGit(map[string]string{"repositories": "api"}) // the later one holds
	if name := j.mustRun("git", "config", "user.name"); name != "from the workflow\n" {
		t.Errorf("user.name is %q", name)
	}
	j.mustRun("git", "clone", "--quiet", j.remote("", "acme/api"), "api")
	if out, err := j.run("git", "clone", j.remote("", "acme/web"), "web"); err == nil {
		t.Errorf("the first step's token is used still:\n%s", out)
	}
	j.end()
}

// actions/checkout configures a credential of its own for what it checked out.
func TestGitPrefersTheCredentialOfCheckout(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	other := j.use(j.inputs(map[string]string{"repositories": "api"}))
	j.useForGit(map[string]string{"repositories": "web"})
	j.checkout(other.outputs["token"])
	j.mustRun("git", "clone", "--quiet", j.remote("", "acme/web"), "web")
	j.end()
}

func TestGitIsLeftAloneUnlessAsked(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	before := len(j.env)
	j.use(j.inputs(nil))
	if left, err := os.ReadDir(j.temp); err != nil || len(left) > 0 || len(j.env) != before {
		t.Errorf("it left %v in RUNNER_TEMP (%v) and %d variables", left, err, len(j.env)-before)
	}
	j.end()
}
