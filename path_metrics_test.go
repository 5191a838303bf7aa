package githubsecrets

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubtest"
	"vault-plugin-secrets-github/internal/oidctest"
)

// scrape returns the metrics as Prometheus gets them.
func (e *engine) scrape() string {
	e.t.Helper()
	return string(e.must(logical.ReadOperation, "metrics", nil).data(logical.HTTPRawBody).([]byte))
}

func (e *engine) wantMetrics(lines ...string) {
	e.t.Helper()
	got := e.scrape()
	for _, line := range lines {
		if !strings.Contains(got, "\n"+line+"\n") {
			e.t.Errorf("there is no line %q in\n%s", line, onlyOurs(got))
		}
	}
}

func onlyOurs(text string) string {
	var ours strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, metricsNamespace) {
			ours.WriteString(line)
		}
	}
	return ours.String()
}

func TestMetricsTellWhatBecameOfEachRequest(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	secret := e.lease("ci")
	e.renew(secret)
	e.revoke(secret)
	e.do(t.Context(), logical.ReadOperation, "token/ci", map[string]any{"ttl": "30m"})
	e.do(t.Context(), logical.ReadOperation, "token/ci", map[string]any{"ttl": "nonsense"})
	for _, madeUp := range []string{"x1", "x2", "x3"} {
		e.do(t.Context(), logical.ReadOperation, "token/"+madeUp, nil)
	}
	e.wantMetrics(
		`vault_github_tokens_issued_total{app="default",role="ci"} 1`,
		`vault_github_tokens_refused_total{reason="policy",role="ci"} 1`,
		`vault_github_tokens_refused_total{reason="bad_request",role="ci"} 1`,
		`vault_github_tokens_refused_total{reason="bad_request",role=""} 3`,
		`vault_github_lease_renewals_total{result="ok"} 1`,
		`vault_github_lease_revocations_total{app="default",result="ok"} 1`,
		`vault_github_github_request_duration_seconds_count{app="default",operation="create an installation token",result="ok",status="201"} 1`,
		`vault_github_github_request_duration_seconds_count{app="default",operation="look up the App",result="ok",status="200"} 1`,
		`vault_github_github_request_duration_seconds_count{app="default",operation="revoke the token",result="ok",status="204"} 1`,
		`vault_github_github_requests_in_flight{app="default"} 0`,
		`vault_github_github_breaker_state{app="default",state="closed"} 1`,
		`vault_github_tokens_watched 0`,
		`vault_github_tokens_in_custody 0`,
		`vault_github_leases_live 0`,
		fmt.Sprintf(`vault_github_build_info{go_version=%q,revision="",version=%q} 1`, runtime.Version(), Version),
	)
	if text := e.scrape(); strings.Contains(text, "x1") || strings.Contains(text, "ghs_") {
		t.Errorf("a made-up name or a token is among the metrics:\n%s", onlyOurs(text))
	}
}

// TestAnOutageIsAnsweredAtOnceAndSeen: GitHub is knocked at a few times, not by
// every request.
func TestAnOutageIsAnsweredAtOnceAndSeen(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	e.lease("ci")
	end := e.github.Inject(githubtest.Outage())
	var a answer
	for range 20 {
		a = e.do(t.Context(), logical.ReadOperation, "token/ci", nil)
	}
	a.wantRefusal(t, http.StatusServiceUnavailable, "could not be reached several times in a row", "try again in")
	if len(a.Headers["Retry-After"]) != 1 {
		t.Error("it does not say when to come back")
	}
	if n := e.github.Requests(mintPattern); n > 10 {
		t.Errorf("GitHub was asked %d times", n)
	}
	e.wantMetrics(`vault_github_github_breaker_state{app="default",state="open"} 1`,
		`vault_github_tokens_refused_total{reason="github_not_asked",role="ci"} 15`)
	end()
	for deadline := time.Now().Add(20 * time.Second); e.do(t.Context(), logical.ReadOperation, "token/ci", nil).status != http.StatusOK; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("GitHub is back, and no token is given")
		}
	}
}

func TestARateLimitIsPassedOnAndGitHubLeftAlone(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	e.github.Inject(githubtest.SecondaryRateLimit(http.StatusForbidden, 90*time.Second).On(mintPattern).Once())
	for range 5 {
		a := e.do(t.Context(), logical.ReadOperation, "token/ci", nil)
		a.wantRefusal(t, http.StatusTooManyRequests, "try again in 90 s")
	}
	if n := e.github.Requests(mintPattern); n != 1 {
		t.Errorf("GitHub was asked %d times, want once", n)
	}
	e.wantMetrics(`vault_github_github_rate_limit_pause_seconds{app="default"} 90`)
	e.clock.Advance(91 * time.Second)
	e.must(logical.ReadOperation, "token/ci", nil)
}

// wantNoMetrics fails if a line begins so.
func (e *engine) wantNoMetrics(beginnings ...string) {
	e.t.Helper()
	got := e.scrape()
	for _, beginning := range beginnings {
		if strings.Contains(got, "\n"+beginning) {
			e.t.Errorf("there is a line %q in\n%s", beginning, onlyOurs(got))
		}
	}
}

func TestMetricsTellWhatGitHubAnswered(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	e.github.Inject(githubtest.Fault{Status: http.StatusForbidden, Body: `{}`}.On(mintPattern).Once())
	e.do(t.Context(), logical.ReadOperation, "token/ci", nil)
	e.github.Inject(githubtest.Fault{Cut: true}.On(mintPattern).Once())
	e.do(t.Context(), logical.ReadOperation, "token/ci", nil)
	const minted = `vault_github_github_request_duration_seconds_count{app="default",operation="create an installation token",`
	e.wantMetrics(minted+`result="forbidden",status="403"} 1`, minted+`result="undelivered",status="none"} 1`)
}

func TestMetricsTellHowMuchOfTheRateLimitIsLeft(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	const limit, left = `vault_github_github_rate_limit{app="default"}`, `vault_github_github_rate_limit_remaining{app="default"}`
	// The App was verified by a client that the write has dropped.
	e.wantNoMetrics(limit, left)
	e.mustWriteRole("ci", nil)
	secret := e.lease("ci")
	e.wantMetrics(limit+" 15000", left+" 14999")
	e.github.Inject(githubtest.PrimaryRateLimit(http.StatusForbidden, e.clock.Now().Add(10*time.Minute)).On(mintPattern).Once())
	e.do(t.Context(), logical.ReadOperation, "token/ci", nil)
	e.wantMetrics(limit+" 15000", left+" 0")
	e.revoke(secret) // with a limit of its own
	e.wantMetrics(left + " 0")
	e.clock.Advance(11 * time.Minute)
	e.wantMetrics(limit+" 15000", left+" 15000")
}

func TestMetricsTellHowOldKeysAre(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	const age = `vault_github_app_key_age_seconds{app="default"}`
	e.clock.Advance(time.Hour)
	e.wantMetrics(age + " 3600")
	e.must(logical.UpdateOperation, "config", map[string]any{"request_timeout": "20s", "private_key": e.app.PrivateKeyPEM()})
	e.wantMetrics(age + " 3600")
	e.app.RotateKey()
	e.must(logical.UpdateOperation, "config", map[string]any{"private_key": e.app.PrivateKeyPEM()})
	e.wantMetrics(age + " 0")
	if got, want := e.must(logical.ReadOperation, "config", nil).data("key_written"), e.clock.Now().UTC().Format(time.RFC3339); got != want {
		t.Errorf("key_written is %v, want %s", got, want)
	}
}

// TestAnAppOfAnOlderVersionHasNoKeyAge: nobody knows when its key was written.
func TestAnAppOfAnOlderVersionHasNoKeyAge(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	a, err := loadApp(t.Context(), e.storage, "default")
	if err != nil {
		t.Fatal(err)
	}
	a.KeyWritten = time.Time{}
	if err := store(t.Context(), e.storage, appStorage+"default", a); err != nil {
		t.Fatal(err)
	}
	e.must(logical.UpdateOperation, "config", map[string]any{"request_timeout": "20s"})
	e.wantNoMetrics("vault_github_app_key_age_seconds{")
	if got, told := e.must(logical.ReadOperation, "config", nil).Data["key_written"]; told {
		t.Errorf("key_written is %v", got)
	}
}

func TestMetricsTellHowOldTheIssuersKeysAre(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	ci := e.trustIssuer(nil)
	e.wantNoMetrics("vault_github_issuer_keys_age_seconds{")
	e.mustWriteRole("ci", map[string]any{"require_id_token": true})
	e.loginAs(jobAlias("acme/api", nil))
	if a := e.ask(map[string]any{"id_token": ci.Sign(oidctest.GitHubActionsClaims(nil))}); a.status != http.StatusOK {
		t.Fatal(a.err)
	}
	e.clock.Advance(10 * time.Minute)
	e.wantMetrics(`vault_github_issuer_keys_age_seconds{issuer="default"} 600`)
}

func TestMetricsTellWhatIsKept(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("one", nil)
	e.mustWriteRole("two", nil)
	e.lease("one")
	e.lease("two")
	e.wantMetrics(`vault_github_cache_entries{cache="apps"} 1`, `vault_github_cache_entries{cache="roles"} 2`,
		`vault_github_cache_entries{cache="installations"} 1`, `vault_github_cache_entries{cache="issuers"} 0`,
		`vault_github_cache_entries{cache="revokers"} 0`, `vault_github_leases_live 2`)
}

func TestLiveLeasesAreThoseThatWereNotSeenToEnd(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	secret := e.lease("ci")
	e.renew(secret)
	e.wantMetrics("vault_github_leases_live 1")
	end := e.github.Inject(githubtest.BadGateway())
	e.revoke(secret)
	e.wantMetrics("vault_github_leases_live 1", `vault_github_lease_revocations_total{app="default",result="github_unavailable"} 1`)
	end()
	e.revoke(secret)
	e.wantMetrics("vault_github_leases_live 0")
	e.lease("ci")
	e.clock.Advance(time.Hour)
	e.wantMetrics("vault_github_leases_live 0")
}

func TestALeaseOfAProcessBeforeIsLiveOnceItIsRenewed(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	secret := e.lease("ci")
	e.live = liveLeases{}
	e.wantMetrics("vault_github_leases_live 0")
	e.renew(secret)
	e.wantMetrics("vault_github_leases_live 1")
}

func TestWhatIsDeletedLeavesTheMetrics(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.must(logical.CreateOperation, "config/second", e.appData(nil))
	e.mustWriteRole("gone", map[string]any{"app": "second"})
	e.mustWriteRole("stays", nil)
	for _, role := range []string{"gone", "stays"} {
		e.revoke(e.lease(role))
		e.do(t.Context(), logical.ReadOperation, "token/"+role, map[string]any{"ttl": "30m"})
	}
	e.wantMetrics(`vault_github_tokens_issued_total{app="second",role="gone"} 1`)
	e.must(logical.DeleteOperation, "roles/gone", nil)
	e.must(logical.DeleteOperation, "config/second", nil)
	if text := onlyOurs(e.scrape()); strings.Contains(text, `"gone"`) || strings.Contains(text, `"second"`) {
		t.Errorf("what was deleted is among the metrics:\n%s", text)
	}
	e.wantMetrics(`vault_github_tokens_issued_total{app="default",role="stays"} 1`,
		`vault_github_tokens_refused_total{reason="policy",role="stays"} 1`)
}
