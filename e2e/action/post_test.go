package action

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-github/internal/githubtest"
)

// allowLeases lets the job revoke the leases of its engine, as README.md says.
func (w *world) allowLeases() {
	w.t.Helper()
	w.writePolicy(`
path "%[1]s/token/*" { capabilities = ["update"] }
path "sys/leases/revoke/%[1]s/token/*" { capabilities = ["update"] }
`, w.mount)
}

// wantSilent checks that a script printed nothing.
func (p *process) wantSilent() {
	p.t.Helper()
	if p.stdout.Len() > 0 {
		p.t.Errorf("it printed:\n%s", p.stdout.String())
	}
}

// wantWarning checks that a script warned, once, and says all this.
func (p *process) wantWarning(says ...string) {
	p.t.Helper()
	message := p.annotations("warning")
	if strings.Count(p.stdout.String(), "::warning ") != 1 {
		p.t.Errorf("not one warning:\n%s", p.stdout.String())
	}
	for _, part := range says {
		if !strings.Contains(message, part) {
			p.t.Errorf("the warning does not say %q:\n%s", part, message)
		}
	}
}

// checkout plays actions/checkout, which keeps the token in the configuration of
// the repository until its post; there it fetches once more here.
func (j *job) checkout(token string) {
	j.t.Helper()
	header := "http." + j.github.URL + "/.extraheader"
	basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + token))
	j.mustRun("git", "init", "--quiet", "checkout")
	j.mustRun("git", "-C", "checkout", "remote", "add", "origin", j.remote("", "acme/api"))
	j.mustRun("git", "-C", "checkout", "config", "--local", header, "AUTHORIZATION: basic "+basic)
	j.mustRun("git", "-C", "checkout", "fetch", "--quiet", "--depth=1", "origin", "main")
	j.posts = append(j.posts, func() {
		j.mustRun("git", "-C", "checkout", "fetch", "--quiet", "origin", "main")
		j.mustRun("git", "-C", "checkout", "config", "--local", "--unset-all", header)
	})
}

// Post steps run in the reverse order of the steps: whatever used the token has
// tidied up when it is revoked.
func TestPostOfALaterStepStillUsesTheToken(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	s := j.use(j.inputs(nil))
	j.checkout(s.outputs["token"])
	j.end()
	j.awaitLive(0)
	wantVaultTokenGone(t, s.state["vault-token"])
}

func TestEachUseInAJobRevokesItsOwnToken(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	j.allowLeases()
	first, second := j.use(j.inputs(nil)), j.use(j.inputs(map[string]string{"repositories": "web"}))
	second.post().wantSilent()
	if j.isLive(second.outputs["token"]) || !j.isLive(first.outputs["token"]) {
		t.Error("the second step's post did not revoke the second token alone")
	}
	first.post().wantSilent()
	if j.isLive(first.outputs["token"]) {
		t.Error("the first token lives on")
	}
}

// A policy may let the job revoke its leases: then the token is dead when post
// ends, not a moment later.
func TestPostWaitsForTheRevocationWherePolicyAllows(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	j.allowLeases()
	s := j.use(j.inputs(nil))
	j.github.Inject(githubtest.Fault{Latency: time.Second}.On(githubtest.RevokeToken))
	s.post().wantSilent()
	if j.isLive(s.outputs["token"]) {
		t.Error("the token lives on")
	}
	wantVaultTokenGone(t, s.state["vault-token"])
}

func TestPostIsSilentAboutWhatIsDeadAlready(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*job, *step){
		"the Vault token": func(j *job, s *step) {
			vault.Client(s.state["vault-token"]).Post(j.t, "auth/token/revoke-self", nil)
			j.awaitLive(0)
		},
		"the lease": func(j *job, s *step) {
			vault.Root().Post(j.t, "sys/leases/revoke", map[string]any{"lease_id": s.state["lease-id"], "sync": true})
			j.awaitLive(0)
		},
		"the GitHub token": func(j *job, s *step) {
			req, err := http.NewRequestWithContext(j.t.Context(), http.MethodDelete, j.github.APIURL+"/installation/token", nil)
			if err != nil {
				j.t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+s.outputs["token"])
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				j.t.Fatal(err)
			}
			resp.Body.Close()
			j.awaitLive(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newWorld(t).newJob()
			j.allowLeases()
			s := j.use(j.inputs(nil))
			end(j, s)
			s.post().wantSilent()
			wantVaultTokenGone(t, s.state["vault-token"])
		})
	}
}

// forward is a proxy in front of Vault.
func forward(t *testing.T) *httputil.ReverseProxy {
	t.Helper()
	target, err := url.Parse(vault.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return httputil.NewSingleHostReverseProxy(target)
}

func TestPostWarnsIfVaultIsDown(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	front := httptest.NewServer(forward(t))
	s := j.use(j.inputs(map[string]string{"vault-address": front.URL}))
	front.Close()
	s.post().wantWarning("no answer from 127.0.0.1", "ends with its lease")
	if !j.isLive(s.outputs["token"]) {
		t.Error("the token was revoked all the same: the test tests nothing")
	}
}

func TestPostWarnsIfGitHubIsDown(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	j.allowLeases()
	s := j.use(j.inputs(nil))
	mend := j.github.Inject(githubtest.Outage().On(githubtest.RevokeToken))
	s.post().wantWarning("Vault answered ", "revoke")
	wantVaultTokenGone(t, s.state["vault-token"])
	mend()
	j.awaitLive(0) // Vault tries again by itself
}

// The answer to the revocation of the lease is lost; the Vault token is revoked
// all the same.
func TestPostRevokesTheVaultTokenWhateverCameOfTheLease(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	proxy := forward(t)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/leases/") {
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	s := j.use(j.inputs(map[string]string{"vault-address": front.URL}))
	s.post().wantWarning("no answer from ")
	wantVaultTokenGone(t, s.state["vault-token"])
	j.awaitLive(0)
}

func TestPostAfterACancelledMain(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	j.github.Inject(githubtest.Fault{LateBy: 2 * time.Second}.On(githubtest.MintToken))
	s := j.begin(j.inputs(nil))
	j.awaitRequests(githubtest.MintToken, 1)
	if err := s.main.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	s.finish()
	if s.main.code != -1 || len(s.outputs) > 0 {
		t.Errorf("main ended with %d and set %d outputs", s.main.code, len(s.outputs))
	}
	j.end()
	wantVaultTokenGone(t, s.state["vault-token"])
	j.awaitLive(0)
	j.wantMinted(1)
}

// Vault cannot revoke a batch token, but its leases.
func TestBatchTokens(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	j.writeJWTRole(map[string]any{"token_type": "batch"})
	s := j.use(j.inputs(nil))
	if !strings.HasPrefix(s.state["vault-token"], "hvb.") {
		t.Fatal("the Vault token is no batch token")
	}
	s.post().wantWarning("Vault answered 403: permission denied", "ends with its lease")

	j.allowLeases()
	s.post().wantSilent()
	j.awaitLive(0)
}
