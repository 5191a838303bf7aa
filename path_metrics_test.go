package githubsecrets

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubtest"
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
		`vault_github_tokens_refused_total{reason="bad_request",role=""} 3`,
		`vault_github_lease_renewals_total{result="ok"} 1`,
		`vault_github_lease_revocations_total{app="default",result="ok"} 1`,
		`vault_github_github_request_duration_seconds_count{app="default",operation="create an installation token",result="ok"} 1`,
		`vault_github_github_requests_in_flight{app="default"} 0`,
		`vault_github_github_breaker_state{app="default",state="closed"} 1`,
		`vault_github_tokens_watched 0`,
		`vault_github_tokens_in_custody 0`,
		fmt.Sprintf(`vault_github_build_info{version=%q} 1`, Version),
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
