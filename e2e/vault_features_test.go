package e2e

import (
	"net/http"
	"testing"
)

func TestWrappedTokenIsMadeAndUnwrappedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wrapped := w.job().Do(t, http.MethodGet, w.path("token/api-read"), nil, "X-Vault-Wrap-TTL", "60s").Secret(t)
	holder := vault.Client(wrapped.WrapInfo.Token)
	holder.Post(t, "sys/wrapping/unwrap", nil).Secret(t)
	wantError(t, holder.Post(t, "sys/wrapping/unwrap", nil), http.StatusBadRequest, "wrapping token")
	w.wantMinted(1)
}

func TestTokenThatIsNeverUnwrappedDiesWithItsLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wrapped := w.job().Do(t, http.MethodGet, w.path("token/api-read?ttl=2"), nil, "X-Vault-Wrap-TTL", "10m").Secret(t)
	if live := len(w.github.LiveTokens()); live != 1 {
		t.Fatalf("GitHub has %d live tokens, not one", live)
	}
	w.awaitLiveTokens(0)
	// It is in the wrapping still, and of no use.
	unwrapped := vault.Client(wrapped.WrapInfo.Token).Post(t, "sys/wrapping/unwrap", nil).Secret(t)
	if w.isLive(tokenOf(unwrapped)) {
		t.Error("GitHub takes the token of a lease that has ended")
	}
}

// A batch token cannot be revoked, and has no record of its leases: they must not
// outlast it.
func TestLeaseEndsWithTheBatchToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeJWTRole("brief", map[string]any{"token_type": "batch", "token_ttl": "5s"})
	secret := w.token(w.login("brief", nil), "api-read")
	if secret.LeaseDuration > 5 {
		t.Errorf("the lease lasts %d s, longer than the job's Vault token", secret.LeaseDuration)
	}
	w.awaitLiveTokens(0)
}

// What Vault itself refuses costs no token.
func TestRateLimitQuotaRefusesBeforeATokenIsMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	quota := "sys/quotas/rate-limit/" + w.mount
	w.write(quota, map[string]any{"path": w.path("token/api-read"), "rate": 1, "interval": "1m"})
	t.Cleanup(func() { w.root.Delete(t, quota) })
	job := w.job()
	w.token(job, "api-read")
	for range 3 {
		wantError(t, job.Get(t, w.path("token/api-read")), http.StatusTooManyRequests, "quota")
	}
	w.wantMinted(1)
}

// Vault Community has the root namespace only. It ignores the header that names
// another, and a path through another leads nowhere.
func TestWithoutNamespacesThereIsOnePlaceToMint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.job()
	for _, ask := range []struct {
		path, namespace string
		status, minted  int
	}{
		{"team-a/" + w.path("token/api-read"), "", http.StatusForbidden, 0},
		{w.path("token/api-read"), "team-a", http.StatusOK, 1},
	} {
		a := job.Do(t, http.MethodGet, ask.path, nil, "X-Vault-Namespace", ask.namespace)
		if a.Status != ask.status {
			t.Errorf("%s in namespace %q was answered with %d: %s", ask.path, ask.namespace, a.Status, a.Errors())
		}
		w.wantMinted(ask.minted)
	}
	if entries := vault.Audit(t, w.path("token/api-read")); len(entries) != 2 || entries[1].Response.Secret.LeaseID == "" {
		t.Errorf("the audit log does not hold the one request and its lease: %+v", entries)
	}
}
