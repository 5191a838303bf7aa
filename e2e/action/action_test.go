package action

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTokenWorksUntilTheJobEnds(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	s := j.use(j.inputs(nil))
	if s.main.code != 0 {
		t.Fatalf("main ended with %d:\n%s", s.main.code, s.main.stdout.String())
	}
	token := s.outputs["token"]
	j.mustRun("git", "clone", j.remote(token, "acme/api"), "clone")

	j.end()
	j.awaitLive(0)
	wantVaultTokenGone(t, s.state["vault-token"])
	if out, err := j.run("git", "clone", j.remote(token, "acme/api"), "again"); err == nil {
		t.Errorf("the token still clones after the job's end:\n%s", out)
	}
	j.wantMinted(1)
}

func TestOutputsSayWhatTheTokenIsForAndUntilWhen(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	s := j.use(j.inputs(map[string]string{"repositories": "api", "permissions": "contents=read", "ttl": "5m"}))
	if want := "acme: api: contents=read,metadata=read"; s.outputs["scope"] != want {
		t.Errorf("scope %q, want %q", s.outputs["scope"], want)
	}
	wantAbout(t, s.outputs["expires-at"], 5*time.Minute)
	minted, ok := j.github.Token(s.outputs["token"])
	if !ok {
		t.Fatal("the token is none of GitHub's")
	}
	if diff := cmp.Diff(map[string]string{"contents": "read", "metadata": "read"}, minted.Permissions); diff != "" {
		t.Errorf("permissions (-want +got):\n%s", diff)
	}
	j.end()
}

// A lease ends with the Vault token that it was made with.
func TestExpiryIsTheVaultTokensIfThatEndsFirst(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	j.writeJWTRole(map[string]any{"token_ttl": "2m"})
	wantAbout(t, j.use(j.inputs(nil)).outputs["expires-at"], 2*time.Minute)
	j.end()
}

func wantAbout(t *testing.T, at string, in time.Duration) {
	t.Helper()
	end, err := time.Parse("2006-01-02T15:04:05Z", at)
	if err != nil {
		t.Fatal(err)
	}
	if off := time.Until(end) - in; off < -20*time.Second || off > 2*time.Second {
		t.Errorf("the token ends at %s, which is %s off", at, off)
	}
}

// Whatever is printed before a mask may hold what it is to hide.
func TestSecretsAreMaskedBeforeAnythingIsPrinted(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	s := j.use(j.inputs(nil))
	masked := []string{j.ci.idTokens()[0], s.state["vault-token"], s.outputs["token"]}
	lines := s.main.lines()
	for i, want := range masked {
		if want == "" || lines[i] != "::add-mask::"+want {
			t.Errorf("line %d is not the mask of secret %d", i+1, i+1)
		}
	}
	if want := "A token for acme: "; len(lines) != 4 || !strings.HasPrefix(lines[3], want) {
		t.Errorf("after the masks: %q, want one line: %s…", lines[3:], want)
	}
	j.end()
}
