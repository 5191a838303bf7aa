package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-github/internal/githubtest"
)

// What jobs do at GitHub with a token.

// readFile reads a file of a repository of acme's through the REST API, and
// returns the status.
func (w *world) readFile(token, repository, path string) int {
	w.t.Helper()
	return w.request(http.MethodGet, "/repos/acme/"+repository+"/contents/"+path, token, nil)
}

// openIssue opens an issue, and returns the status.
func (w *world) openIssue(token, repository string) int {
	w.t.Helper()
	return w.request(http.MethodPost, "/repos/acme/"+repository+"/issues", token, map[string]string{"title": "An issue"})
}

func (w *world) request(method, path, token string, body any) int {
	w.t.Helper()
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			w.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.github.APIURL+path, bytes.NewReader(content))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("User-Agent", "job/1.0")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// clone clones a repository of acme's and returns where.
func (w *world) clone(token, repository string) string {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), repository)
	w.git("", "clone", "--quiet", strings.Replace(w.github.URL, "://", "://x-access-token:"+token+"@", 1)+"/acme/"+repository+".git", dir)
	return dir
}

// push adds an empty commit to a clone and pushes it.
func (w *world) push(dir string) {
	w.t.Helper()
	w.git(dir, "commit", "--quiet", "--allow-empty", "-m", "A change")
	w.git(dir, "push", "--quiet")
}

func (w *world) git(dir string, args ...string) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=job", "GIT_AUTHOR_EMAIL=job@example.com", "GIT_COMMITTER_NAME=job", "GIT_COMMITTER_EMAIL=job@example.com",
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("git %s: %s", args[0], out)
	}
}

// usesOf are the entries of GitHub's audit log about a token.
func (w *world) usesOf(secret *api.Secret) []githubtest.AuditEvent {
	var uses []githubtest.AuditEvent
	for _, event := range w.github.AuditLog() {
		if event.HashedToken == secret.Data["hashed_token"] {
			uses = append(uses, event)
		}
	}
	return uses
}

// failRevocations makes GitHub fail every revocation until the returned function
// is called.
func (w *world) failRevocations() (mend func()) {
	return w.github.Inject(githubtest.BadGateway().On(githubtest.RevokeToken))
}

// exportOfGitHub writes GitHub's audit log into a file, as an export has it.
func (w *world) exportOfGitHub() string {
	w.t.Helper()
	content, err := json.Marshal(w.github.AuditLog())
	if err != nil {
		w.t.Fatal(err)
	}
	file := filepath.Join(w.t.TempDir(), "github-audit-log.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return file
}

// githubHash is what GitHub's audit log says of a token.
func githubHash(token string) string {
	hash := sha256.Sum256([]byte(token))
	return base64.StdEncoding.EncodeToString(hash[:])
}
