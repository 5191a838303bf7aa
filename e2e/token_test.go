package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/githubtest"
)

func TestJobGetsTokenByReadAndByWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.job()
	for name, ask := range map[string]func() vaulttest.Answer{
		"read":  func() vaulttest.Answer { return job.Get(t, w.path("token/api-read")) },
		"write": func() vaulttest.Answer { return job.Post(t, w.path("token/api-read"), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			secret := ask().Secret(t)
			token := tokenOf(secret)
			minted, ok := w.github.Token(token)
			if !ok {
				t.Fatal("the answer's token is none of GitHub's")
			}
			want := map[string]any{
				"token":                token,
				"ttl":                  json.Number("600"),
				"expires_at":           minted.ExpiresAt.Format(time.RFC3339),
				"hashed_token":         hashOf(token),
				"role":                 "api-read",
				"app":                  "default",
				"installation_id":      json.Number(fmt.Sprint(w.installation.ID)),
				"organization":         "acme",
				"repository_selection": "selected",
				"repositories":         []any{"api"},
				"repository_ids":       []any{json.Number(fmt.Sprint(w.repositories["api"].ID))},
				"permissions":          map[string]any{"contents": "read", "metadata": "read"},
				"scope":                "acme: api: contents=read,metadata=read",
				"subject":              "acme/api",
			}
			if diff := cmp.Diff(want, secret.Data); diff != "" {
				t.Errorf("the answer's data (-want +got):\n%s", diff)
			}
			if !secret.Renewable || secret.LeaseDuration != 600 || !strings.HasPrefix(secret.LeaseID, w.path("token/api-read/")) {
				t.Errorf("lease %q: renewable %t, %d s; want a renewable one of 600 s", secret.LeaseID, secret.Renewable, secret.LeaseDuration)
			}
		})
	}
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Consumers dig for the first key of a name, at any depth.
func TestAnswerHasOneKeyNamedToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := w.job().Get(t, w.path("token/api-read")).Body
	keys := map[string]int{}
	countKeys(t, json.NewDecoder(bytes.NewReader(body)), keys)
	if keys["token"] != 1 || keys["data"] != 1 {
		t.Errorf("keys named token: %d, named data: %d; want one each", keys["token"], keys["data"])
	}
}

// countKeys counts the keys of all objects in a value, also those given twice.
func countKeys(t *testing.T, value *json.Decoder, keys map[string]int) {
	t.Helper()
	start, err := value.Token()
	if err != nil {
		t.Fatal(err)
	}
	if start != json.Delim('{') && start != json.Delim('[') {
		return
	}
	for value.More() {
		if start == json.Delim('{') {
			key, err := value.Token()
			if err != nil {
				t.Fatal(err)
			}
			keys[key.(string)]++
		}
		countKeys(t, value, keys)
	}
	if _, err := value.Token(); err != nil && err != io.EOF {
		t.Fatal(err)
	}
}

func TestTokenByTheVaultCommandAndGoClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.job()
	path := w.path("token/api-read")
	client, err := job.API()
	if err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func() string{
		"vault read":     func() string { return job.CLI(t, "read", "-field=token", path).Stdout },
		"vault write -f": func() string { return job.CLI(t, "write", "-f", "-field=token", path).Stdout },
		"vault read -format=json": func() string {
			var secret api.Secret
			if err := json.Unmarshal([]byte(job.CLI(t, "read", "-format=json", path).Stdout), &secret); err != nil {
				t.Fatal(err)
			}
			return tokenOf(&secret)
		},
		"vault/api": func() string {
			secret, err := client.Logical().ReadWithContext(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			return tokenOf(secret)
		},
	} {
		if token := ask(); !w.isLive(token) {
			t.Errorf("%s: GitHub does not take the token %q", name, token)
		}
	}
}

func TestTokenClonesItsRepositoryAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.token(w.job(), "api-read")
	token := tokenOf(secret)

	clone := filepath.Join(t.TempDir(), "api")
	if out, err := git(t, "clone", w.remote(token, "acme/api"), clone); err != nil {
		t.Fatalf("clone: %s\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(clone, "README.md")); err != nil {
		t.Error(err)
	}
	if out, err := git(t, "-C", clone, "commit", "--allow-empty", "--message=change"); err != nil {
		t.Fatalf("commit: %s\n%s", err, out)
	}
	if out, err := git(t, "-C", clone, "push"); err == nil || !strings.Contains(out, "403") {
		t.Errorf("a push with contents=read: want a refusal with 403, got %v\n%s", err, out)
	}
	if out, err := git(t, "ls-remote", w.remote(token, "acme/secret-plans")); err == nil {
		t.Errorf("the token sees another repository:\n%s", out)
	}

	w.mustRevoke(secret)
	if out, err := git(t, "-C", clone, "fetch"); err == nil {
		t.Errorf("the revoked token still fetches:\n%s", out)
	}
}

func TestTokenPushesWithContentsWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeRole("api-write", map[string]any{"permissions": map[string]string{"contents": "write"}})
	clone := filepath.Join(t.TempDir(), "api")
	for _, args := range [][]string{
		{"clone", w.remote(tokenOf(w.token(w.job(), "api-write")), "acme/api"), clone},
		{"-C", clone, "commit", "--allow-empty", "--message=change"},
		{"-C", clone, "push"},
	} {
		if out, err := git(t, args...); err != nil {
			t.Fatalf("git %s: %s\n%s", args, err, out)
		}
	}
}

// remote is the URL by which git uses a token for a repository.
func (w *world) remote(token, repository string) string {
	u, err := url.Parse(w.github.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	u.User = url.UserPassword("x-access-token", token)
	return u.JoinPath(repository + ".git").String()
}

// git runs git as on a fresh runner.
func git(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=job", "GIT_AUTHOR_EMAIL=job@acme.example",
		"GIT_COMMITTER_NAME=job", "GIT_COMMITTER_EMAIL=job@acme.example",
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The scope of a token is what GitHub was asked for, to the letter.
func TestRequestToGitHubNamesRepositoriesAndPermissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api, web := w.repositories["api"].ID, w.repositories["web"].ID
	for name, test := range map[string]struct {
		role map[string]any
		want map[string]any
	}{
		"names": {
			role: map[string]any{"repositories": []string{"acme/api", "web"}, "permissions": map[string]string{"pull-requests": "write"}},
			want: map[string]any{"repositories": []any{"api", "web"}, "permissions": map[string]any{"pull_requests": "write"}},
		},
		"ids": {
			role: map[string]any{"repository_ids": []int64{api, web}},
			want: map[string]any{"repository_ids": []any{float64(api), float64(web)}, "permissions": map[string]any{"contents": "read"}},
		},
		"all": {
			role: map[string]any{"repository_selection": "all"},
			want: map[string]any{"permissions": map[string]any{"contents": "read"}},
		},
	} {
		role := map[string]any{"organization": "acme", "permissions": map[string]string{"contents": "read"}}
		maps.Copy(role, test.role)
		w.write(w.path("roles/"+name), role)
		w.token(w.job(), name)
		var sent map[string]any
		if err := json.Unmarshal(w.github.LastRequest(githubtest.MintToken).Body, &sent); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, sent); diff != "" {
			t.Errorf("%s: the body that GitHub got (-want +got):\n%s", name, diff)
		}
	}
}

func TestFiveHundredRepositories(t *testing.T) {
	t.Parallel()
	const most = 500
	w := newWorld(t)
	names := make([]string, most)
	for i := range names {
		names[i] = fmt.Sprintf("repository-%03d", i)
		w.github.AddRepository("acme", names[i], nil)
	}
	w.writeRole("everything", map[string]any{"repositories": names})
	secret := w.token(w.job(), "everything")
	if got := secret.Data["repositories"].([]any); len(got) != most {
		t.Errorf("the answer names %d repositories, not %d", len(got), most)
	}
	if !w.isLive(tokenOf(secret)) {
		t.Error("GitHub does not take the token")
	}
	w.mustRevoke(secret)

	out := w.job().CLI(t, "read", "-field=token", w.path("token/everything"))
	if out.Code != 0 || !w.isLive(out.Stdout) {
		t.Errorf("vault read ended with %d: %s", out.Code, out.Stderr)
	}
}

func TestUserAccountServesAsOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.github.AddRepository("octocat", "hello", nil)
	w.github.Install(w.app, "octocat", githubtest.InstallOptions{})
	w.writeRole("hello", map[string]any{"organization": "octocat", "repositories": "hello"})
	if scope := w.token(w.job(), "hello").Data["scope"]; scope != "octocat: hello: contents=read,metadata=read" {
		t.Errorf("scope: %s", scope)
	}
}

func TestInstallationIsLookedUpOnceAndAgainWhenReinstalled(t *testing.T) {
	t.Parallel()
	const lookup = "GET /orgs/{org}/installation"
	w := newWorld(t)
	job := w.job()
	for range 3 {
		w.token(job, "api-read")
	}
	if n := w.github.Requests(lookup); n != 1 {
		t.Errorf("the installation was looked up %d times for three tokens", n)
	}
	again := w.github.Install(w.app, "acme", githubtest.InstallOptions{})
	if id := w.token(job, "api-read").Data["installation_id"]; id != json.Number(fmt.Sprint(again.ID)) {
		t.Errorf("after the App was installed anew the token is of installation %s, not %d", id, again.ID)
	}
}

func TestWrappedTokenIsInTheWrappingOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wrapped := w.job().Do(t, http.MethodGet, w.path("token/api-read"), nil, "X-Vault-Wrap-TTL", "60s").Secret(t)
	if wrapped.WrapInfo == nil || len(wrapped.Data) != 0 {
		t.Fatalf("the answer is not wrapped: %+v", wrapped)
	}
	unwrapped := vault.Client(wrapped.WrapInfo.Token).Post(t, "sys/wrapping/unwrap", nil).Secret(t)
	if !w.isLive(tokenOf(unwrapped)) {
		t.Error("GitHub does not take the unwrapped token")
	}
}

// Batch tokens cost Vault no storage; many CI set-ups use them.
func TestBatchTokenOfVaultGetsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeJWTRole("batch", map[string]any{"token_type": "batch"})
	job := w.login("batch", nil)
	if !strings.HasPrefix(job.Token, "hvb.") {
		t.Fatal("the job's Vault token is not a batch token")
	}
	secret := w.token(job, "api-read")
	if !w.isLive(tokenOf(secret)) {
		t.Error("GitHub does not take the token")
	}
	w.mustRevoke(secret)
}

func TestAuditLogTellsWhoGotWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.login("ci", map[string]any{"run_id": "4711"})
	token := tokenOf(w.token(job, "api-read"))

	entries := vault.Audit(t, w.path("token/api-read"))
	if len(entries) != 2 || entries[0].Type != "request" || entries[1].Type != "response" {
		t.Fatalf("want a request and its response in the audit log, got %+v", entries)
	}
	issued := entries[1]
	if issued.Request.ID != entries[0].Request.ID {
		t.Error("request and response are not paired")
	}
	if issued.Auth.Metadata["ref"] != "refs/heads/main" || issued.Auth.Metadata["run_id"] != "4711" {
		t.Errorf("who: %v", issued.Auth.Metadata)
	}
	data := issued.Response.Data
	if data["hashed_token"] != hashOf(token) || data["scope"] != "acme: api: contents=read,metadata=read" || data["subject"] != "acme/api" {
		t.Errorf("what: %v", data)
	}
	if hidden, _ := data["token"].(string); !strings.HasPrefix(hidden, "hmac-sha256:") {
		t.Error("the token is in the audit log in the clear")
	}
}
