package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// Prometheus gets the text itself, not Vault's JSON around it.
func TestMetricsAreReadAsPrometheusDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mustRevoke(w.token(w.job(), "api-read"))
	a := w.root.Do(t, http.MethodGet, w.path("metrics"), nil)
	if media := a.Header.Get("Content-Type"); a.Status != http.StatusOK || !strings.HasPrefix(media, "text/plain; version=0.0.4") {
		t.Fatalf("status %d, content type %q", a.Status, media)
	}
	for _, line := range []string{
		`vault_github_tokens_issued_total{app="default",role="api-read"} 1`,
		`vault_github_lease_revocations_total{app="default",result="ok"} 1`,
		`vault_github_github_breaker_state{app="default",state="closed"} 1`,
		`vault_github_github_request_duration_seconds_count{app="default",operation="create an installation token",result="ok",status="201"} 1`,
		`vault_github_github_rate_limit_remaining{app="default"} 14999`,
		`vault_github_cache_entries{cache="apps"} 1`,
		`vault_github_leases_live 0`,
	} {
		if !strings.Contains(string(a.Body), "\n"+line+"\n") {
			t.Errorf("there is no line %q", line)
		}
	}
	if !strings.Contains(string(a.Body), "\n"+`vault_github_app_key_age_seconds{app="default"} `) {
		t.Error("it does not tell how old the App's key is")
	}
	wantError(t, w.job().Get(t, w.path("metrics")), http.StatusForbidden, "permission denied")
}
