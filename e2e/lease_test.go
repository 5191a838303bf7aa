package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/githubtest"
)

func TestLeaseLastsTheLeastOfWhatLimitsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeRole("no-ttl", map[string]any{"ttl": 0})
	w.writeRole("hour", map[string]any{"ttl": "1h"})
	job := w.job()
	for _, test := range []struct {
		limit, path string
		mountMax    string
		expiresIn   time.Duration
		want        int
	}{
		{limit: "the role's ttl", path: "token/api-read", want: 600},
		{limit: "the request's ttl", path: "token/api-read?ttl=60", want: 60},
		{limit: "the mount's default", path: "token/no-ttl", want: 900},
		{limit: "the mount's maximum", path: "token/api-read", mountMax: "5m", want: 300},
		{limit: "GitHub's expiry", path: "token/hour", expiresIn: 2 * time.Minute, want: 120},
	} {
		t.Run(test.limit, func(t *testing.T) {
			w := w.in(t)
			if test.mountMax != "" {
				w.tune(test.mountMax, test.mountMax)
				defer w.tune("15m", "1h")
			}
			if test.expiresIn != 0 {
				w.github.Inject(expiringIn(test.expiresIn).On(githubtest.MintToken).Once())
			}
			secret := job.Get(t, w.path(test.path)).Secret(t)
			if got := secret.LeaseDuration; got > test.want || got < test.want-5 {
				t.Errorf("the lease lasts %d s, want %d", got, test.want)
			}
			if test.mountMax == "" && !saysItsTTL(secret) {
				t.Errorf("the answer says a ttl of %v s, the lease lasts %d s", secret.Data["ttl"], secret.LeaseDuration)
			}
			vaulttest.Eventually(t, requestTimeout, func() error { // the engine sees a new limit after a while
				if secret := w.token(job, "hour"); !saysItsTTL(secret) {
					return fmt.Errorf("the answer says a ttl of %v s, the lease lasts %d s", secret.Data["ttl"], secret.LeaseDuration)
				}
				return nil
			})
		})
	}
}

// saysItsTTL is whether the answer holds the TTL of its lease.
func saysItsTTL(secret *api.Secret) bool {
	return secret.Data["ttl"] == json.Number(strconv.Itoa(secret.LeaseDuration))
}

// tune sets the mount's default and maximum TTL.
func (w *world) tune(defaultTTL, maxTTL string) {
	w.t.Helper()
	w.write("sys/mounts/"+w.mount+"/tune", map[string]any{"default_lease_ttl": defaultTTL, "max_lease_ttl": maxTTL})
}

// expiringIn makes GitHub say that a token ends so soon.
func expiringIn(d time.Duration) githubtest.Fault {
	return githubtest.Fault{Mutate: func(answer map[string]any) {
		answer["expires_at"] = time.Now().Add(d).UTC().Format(time.RFC3339)
	}}
}

func TestMoreTTLThanTheRoleGivesIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wantError(t, w.job().Get(t, w.path("token/api-read?ttl=11m")), http.StatusForbidden, "11m", "10m", "api-read")
	w.wantMinted(0)
}

func TestRenewalEndsAtMaxTTL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeRole("short", map[string]any{"ttl": "60s", "max_ttl": "90s"})
	job := w.job()
	secret := w.token(job, "short")
	for _, increment := range []int{0, 30, 3600} {
		renewed := job.Post(t, "sys/leases/renew", map[string]any{"lease_id": secret.LeaseID, "increment": increment}).Secret(t)
		if renewed.LeaseDuration > 60 || renewed.LeaseDuration < 25 {
			t.Errorf("renewed by %d s it lasts %d s, want at most the role's 60", increment, renewed.LeaseDuration)
		}
	}
}

func TestRenewalIsRefusedOnceRoleOrAppIsNotToBeUsed(t *testing.T) {
	t.Parallel()
	for name, withdraw := range map[string]func(*world){
		"role disabled": func(w *world) { w.write(w.path("roles/api-read"), map[string]any{"disabled": true}) },
		"role deleted":  func(w *world) { w.root.Delete(w.t, w.path("roles/api-read")) },
		"App disabled":  func(w *world) { w.write(w.path("config"), map[string]any{"disabled": true}) },
		"App deleted":   func(w *world) { w.root.Delete(w.t, w.path("config")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			job := w.job()
			secret := w.token(job, "api-read")
			withdraw(w)
			a := job.Post(t, "sys/leases/renew", map[string]any{"lease_id": secret.LeaseID})
			if a.Status < http.StatusBadRequest || a.Status >= http.StatusInternalServerError {
				t.Errorf("the renewal was answered with %d: %s", a.Status, a.Body)
			}
			what, _, _ := strings.Cut(name, " ")
			wantError(t, a, a.Status, what)
		})
	}
}

func TestRevokingALeaseDeletesTheToken(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(w *world, token string){
		"at once":                      func(*world, string) {},
		"after the App was deleted":    func(w *world, _ string) { w.root.Delete(w.t, w.path("config")) },
		"after the role was deleted":   func(w *world, _ string) { w.root.Delete(w.t, w.path("roles/api-read")) },
		"after the role was disabled":  func(w *world, _ string) { w.writeRole("api-read", map[string]any{"disabled": true}) },
		"after GitHub revoked it":      func(w *world, token string) { w.github.RevokeToken(token) },
		"after the App was removed":    func(w *world, _ string) { w.github.Uninstall(w.installation) },
		"after the App's key was lost": func(w *world, _ string) { w.app.RotateKey(); w.app.RemoveKey() },
		"after base_url was changed": func(w *world, _ string) {
			w.write(w.path("config"), map[string]any{"base_url": "https://github.invalid/api/v3", "verify": false})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			secret := w.token(w.job(), "api-read")
			before(w, tokenOf(secret))
			for _, time := range []string{"first", "second"} {
				if a := revoke(t, secret.LeaseID); a.Status >= http.StatusBadRequest {
					t.Errorf("the %s revocation was answered with %d: %s", time, a.Status, a.Body)
				}
			}
			if w.isLive(tokenOf(secret)) {
				t.Error("GitHub still takes the token")
			}
		})
	}
}

func TestVaultTokenRevokedByTheJobEndsItsGitHubTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.job()
	w.token(job, "api-read")
	w.token(job, "api-read")
	if out := job.CLI(t, "token", "revoke", "-self"); out.Code != 0 {
		t.Fatal(out.Stderr)
	}
	w.awaitLiveTokens(0)
}

func TestRevokingByPrefixEndsEveryTokenOfTheRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeRole("web-read", map[string]any{"repositories": "web"})
	job := w.job()
	for range 3 {
		w.token(job, "api-read")
	}
	other := w.token(job, "web-read")
	if out := w.root.CLI(t, "lease", "revoke", "-sync", "-prefix", w.path("token/api-read")); out.Code != 0 {
		t.Fatal(out.Stderr)
	}
	w.awaitLiveTokens(1)
	if !w.isLive(tokenOf(other)) {
		t.Error("the token of another role was revoked")
	}
}

func TestRevocationWaitsForGitHubToComeBack(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]githubtest.Fault{
		"unreachable": githubtest.Outage(),
		"bad gateway": githubtest.BadGateway(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			secret := w.token(w.job(), "api-read")
			end := w.github.Inject(outage.On(githubtest.RevokeToken))
			defer end()
			a := w.root.Post(t, "sys/leases/revoke", map[string]any{"lease_id": secret.LeaseID, "sync": false})
			if a.Status >= http.StatusBadRequest {
				t.Fatalf("the revocation was answered with %d: %s", a.Status, a.Body)
			}
			w.awaitRequests(githubtest.RevokeToken, 1)
			end()
			w.awaitLiveTokens(0)
		})
	}
}

// Vault does not audit the end of a lease by its TTL; the engine's log does.
func TestExpiredLeaseDeletesTheTokenAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.job().Get(t, w.path("token/api-read?ttl=1")).Secret(t)
	w.awaitLiveTokens(0)
	vaulttest.Eventually(t, revocationTimeout, func() error {
		for _, line := range vault.Log(t) {
			if line["@message"] == "revoked a token" && line["hashed_token"] == hashOf(tokenOf(secret)) && line["role"] == "api-read" {
				return nil
			}
		}
		return fmt.Errorf("no line of Vault's log tells of the lease's end")
	})
}

func TestNobodyReceivedTheTokenSoItIsRevoked(t *testing.T) {
	t.Parallel()
	for name, slow := range map[string]githubtest.Fault{
		"GitHub makes it before the client hangs up": {LateBy: time.Second},
		"GitHub makes it after the client hung up":   {Latency: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			job := w.job()
			w.github.Inject(slow.On(githubtest.MintToken))
			request := job.Begin(t, http.MethodGet, w.path("token/api-read"))
			w.awaitRequests(githubtest.MintToken, 1)
			request.HangUp()
			w.awaitRequests(githubtest.RevokeToken, 1)
			w.wantMinted(1)
			w.awaitLiveTokens(0)
			if a := w.root.Do(t, "LIST", "sys/leases/lookup/"+w.path("token/api-read"), nil); a.Status != http.StatusNotFound {
				t.Errorf("there is a lease that nobody holds: %s", a.Body)
			}
		})
	}
}

func TestHangUpBeforeTheInstallationIsKnownMakesNoToken(t *testing.T) {
	t.Parallel()
	const lookup = "GET /orgs/{org}/installation"
	w := newWorld(t)
	w.github.Inject(githubtest.Fault{Latency: time.Second}.On(lookup))
	request := w.job().Begin(t, http.MethodGet, w.path("token/api-read"))
	w.awaitRequests(lookup, 1)
	request.HangUp()
	if a := w.job().Get(t, w.path("token/api-read")); a.Status != http.StatusOK {
		t.Errorf("the next request was answered with %d: %s", a.Status, a.Body)
	}
	w.wantMinted(1)
}

// A lease id is a path: role names with dots must not lead astray.
func TestLeaseOfARoleNamedWithDots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeRole(".github-workflows.v2", nil)
	secret := w.token(w.job(), ".github-workflows.v2")
	var list struct{ Data struct{ Keys []string } }
	a := w.root.Do(t, "LIST", "sys/leases/lookup/"+w.path("token/.github-workflows.v2"), nil)
	if err := json.Unmarshal(a.Body, &list); err != nil || len(list.Data.Keys) != 1 {
		t.Errorf("leases of the role: %s", a.Body)
	}
	w.mustRevoke(secret)
}

// However clients hang up, also in the moment that Vault receives the answer, no
// token outlives its lease for long.
func TestHangingUpAtAnyMomentLeavesNoToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hangUp(50)
	w.awaitDeath(time.Minute)
}

// hangUp lets clients ask for tokens that live two seconds, and hang up sooner or
// later.
func (w *world) hangUp(times int) {
	w.t.Helper()
	w.writeRole("brief", map[string]any{"ttl": "2s"})
	job := w.job()
	w.token(job, "brief")
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for i := range times {
				pending := job.Begin(w.t, http.MethodGet, w.path("token/brief"))
				time.Sleep(time.Duration(i) * time.Millisecond)
				pending.HangUp()
				pending.Wait()
			}
		})
	}
	clients.Wait()
}

// awaitDeath waits until GitHub has no token left.
func (w *world) awaitDeath(within time.Duration) {
	w.t.Helper()
	vaulttest.Eventually(w.t, within, func() error {
		if live := len(w.github.LiveTokens()); live > 0 {
			return fmt.Errorf("GitHub has %d live tokens", live)
		}
		return nil
	})
}
