package githubsecrets

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
	"vault-plugin-secrets-github/internal/githubtest"
)

// lease issues a token and returns its lease as Vault would store it: through
// JSON, with the times that Vault adds.
func (e *engine) lease(role string) *logical.Secret {
	e.t.Helper()
	a := e.must(logical.ReadOperation, "token/"+role, nil)
	stored, err := json.Marshal(a.Secret.InternalData)
	if err != nil {
		e.t.Fatal(err)
	}
	secret := *a.Secret
	secret.InternalData = map[string]any{}
	if err := json.Unmarshal(stored, &secret.InternalData); err != nil {
		e.t.Fatal(err)
	}
	secret.IssueTime = e.clock.Now()
	secret.LeaseID = "github/token/" + role + "/lease"
	return &secret
}

func (e *engine) renew(secret *logical.Secret) answer {
	e.t.Helper()
	copied := *secret
	return e.send(e.t.Context(), &logical.Request{Operation: logical.RenewOperation, Path: "token/ci", Secret: &copied, MountPoint: "github/"})
}

func (e *engine) revoke(secret *logical.Secret) answer {
	e.t.Helper()
	copied := *secret
	return e.send(e.t.Context(), &logical.Request{Operation: logical.RevokeOperation, Path: "token/ci", Secret: &copied, MountPoint: "github/"})
}

func TestTheLeaseEndsBeforeGitHubEndsTheToken(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", map[string]any{"ttl": "1h"})
	e.github.Inject(githubtest.Fault{Match: mintPattern, Mutate: func(a map[string]any) {
		a["expires_at"] = e.clock.Now().Add(7 * time.Minute).UTC().Format(time.RFC3339)
	}})
	a := e.must(logical.ReadOperation, "token/ci", nil)
	if a.Secret.TTL > 7*time.Minute || a.Secret.MaxTTL > 7*time.Minute || !a.Secret.Renewable {
		t.Errorf("TTL %s, max %s, renewable %v; want at most 7m and renewable", a.Secret.TTL, a.Secret.MaxTTL, a.Secret.Renewable)
	}
	if got := a.data("ttl"); got != int64(a.Secret.TTL.Seconds()) {
		t.Errorf("the answer says a ttl of %v s, the lease lasts %s", got, a.Secret.TTL)
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		role      map[string]any
		after     time.Duration
		change    func(*engine)
		ttl       time.Duration
		end       time.Duration // the most, from issuance
		refused   string
		refusedBy int
	}{
		"extends by the role's ttl":            {nil, 5 * time.Minute, nil, 10 * time.Minute, 15 * time.Minute, "", 0},
		"ends at max_ttl":                      {map[string]any{"max_ttl": "12m"}, 9 * time.Minute, nil, 3 * time.Minute, 12 * time.Minute, "", 0},
		"ends with the token":                  {nil, 55 * time.Minute, nil, 5 * time.Minute, time.Hour, "", 0},
		"is refused at max_ttl":                {map[string]any{"max_ttl": "12m"}, 12 * time.Minute, nil, 0, 0, "at its end", 400},
		"is refused at the token's end":        {nil, time.Hour, nil, 0, 0, "at its end", 400},
		"follows the role's new ttl":           {nil, time.Minute, func(e *engine) { e.must(logical.UpdateOperation, "roles/ci", map[string]any{"ttl": "2m"}) }, 2 * time.Minute, 3 * time.Minute, "", 0},
		"is refused when the role is disabled": {nil, time.Minute, func(e *engine) { e.must(logical.UpdateOperation, "roles/ci", map[string]any{"disabled": true}) }, 0, 0, `role "ci" is disabled`, 403},
		"is refused when the role is gone":     {nil, time.Minute, func(e *engine) { e.must(logical.DeleteOperation, "roles/ci", nil) }, 0, 0, `unknown role "ci"`, 400},
		"is refused when the App is disabled":  {nil, time.Minute, func(e *engine) { e.must(logical.UpdateOperation, "config", map[string]any{"disabled": true}) }, 0, 0, `App "default" is disabled`, 403},
		"is refused when the App is gone":      {nil, time.Minute, func(e *engine) { e.must(logical.DeleteOperation, "config", nil) }, 0, 0, `App "default" is not configured`, 400},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.mustWriteRole("ci", test.role)
			secret := e.lease("ci")
			if test.change != nil {
				test.change(e)
			}
			e.clock.Advance(test.after)
			a := e.renew(secret)
			if test.refused != "" {
				a.wantRefusal(t, test.refusedBy, test.refused)
				return
			}
			if a.status != http.StatusOK || a.Secret.TTL != test.ttl || a.Secret.MaxTTL != test.end {
				t.Errorf("status %d (%s), TTL %s, end %s; want %s, %s", a.status, a.err, a.Secret.TTL, a.Secret.MaxTTL, test.ttl, test.end)
			}
		})
	}
}

// TestARenewalLastsNoLongerThanAskedFor: a lease that a job keeps short on purpose
// stays short.
func TestARenewalLastsNoLongerThanAskedFor(t *testing.T) {
	t.Parallel()
	for increment, want := range map[time.Duration]time.Duration{
		0: 10 * time.Minute, 30 * time.Second: 30 * time.Second, time.Hour: 10 * time.Minute, -time.Second: 10 * time.Minute,
	} {
		t.Run(increment.String(), func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.mustWriteRole("ci", nil)
			secret := e.lease("ci")
			secret.Increment = increment
			if a := e.renew(secret); a.err != "" || a.Secret.TTL != want {
				t.Errorf("TTL %s (%s), want %s", a.Secret.TTL, a.err, want)
			}
		})
	}
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	down := githubtest.Fault{Match: "DELETE /installation/token", Status: 503, Body: `{}`}
	tests := map[string]struct {
		before func(*engine, *logical.Secret)
		status int
		live   int
		log    string
	}{
		"deletes the token":      {func(*engine, *logical.Secret) {}, 200, 0, "revoked a token"},
		"can be repeated":        {func(e *engine, s *logical.Secret) { e.revoke(s); e.clock.Advance(time.Minute) }, 200, 0, "revoked a token"},
		"works without the App":  {func(e *engine, _ *logical.Secret) { e.must(logical.DeleteOperation, "config", nil) }, 200, 0, "revoked a token"},
		"works without the role": {func(e *engine, _ *logical.Secret) { e.must(logical.DeleteOperation, "roles/ci", nil) }, 200, 0, "revoked a token"},
		"works when the App disabled": {func(e *engine, _ *logical.Secret) {
			e.must(logical.UpdateOperation, "config", map[string]any{"disabled": true})
		}, 200, 0, "revoked a token"},
		"works when the App moved": {func(e *engine, _ *logical.Secret) {
			e.must(logical.UpdateOperation, "config", map[string]any{"base_url": "http://127.0.0.1:1", "verify": false})
		}, 200, 0, "revoked a token"},
		"is done for a dead token": {func(e *engine, _ *logical.Secret) {
			e.github.RevokeToken(e.github.LiveTokens()[0].Value)
			e.clock.Advance(time.Minute)
		}, 200, 0, "revoked a token"},
		"is done for an expired one":   {func(e *engine, _ *logical.Secret) { e.clock.Advance(66 * time.Minute); e.github.Inject(down) }, 200, 0, "had expired"},
		"waits for GitHub to be back":  {func(e *engine, _ *logical.Secret) { e.github.Inject(down) }, 502, 1, "could not revoke a token; Vault tries again"},
		"waits for a limit to be over": {func(e *engine, _ *logical.Secret) { e.github.Inject(githubtest.SecondaryRateLimit(429, time.Minute)) }, 429, 1, "Vault tries again"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.mustWriteRole("ci", nil)
			secret := e.lease("ci")
			token := e.github.LiveTokens()[0].Value
			test.before(e, secret)
			a := e.revoke(secret)
			if a.status != test.status {
				t.Errorf("status %d (%s), want %d", a.status, a.err, test.status)
			}
			if live := len(e.github.LiveTokens()); live != test.live {
				t.Errorf("%d live tokens, want %d", live, test.live)
			}
			for _, part := range []string{test.log, "role=ci", githubapp.HashToken(token)} {
				if !strings.Contains(e.log.String(), part) {
					t.Errorf("the log lacks %q", part)
				}
			}
			if strings.Contains(e.log.String(), token) || strings.Contains(a.err, token) {
				t.Error("the token is in the log or the error")
			}
		})
	}
}

// TestAYoungTokens401IsNotBelieved: GitHub's servers can take seconds to know a
// token that one of them has made.
func TestAYoungTokens401IsNotBelieved(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	secret := e.lease("ci")
	e.github.Inject(githubtest.Fault{Match: "DELETE /installation/token", Times: 1, Status: 401, Body: `{"message":"Bad credentials"}`})
	if a := e.revoke(secret); a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.err)
	}
	e.wantLiveTokens(0)
}

func TestALeaseOfAnotherKindIsAnError(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	for name, internal := range map[string]map[string]any{
		"nothing":   {"secret_type": tokenSecretType},
		"not JSON":  {"secret_type": tokenSecretType, "lease": "x"},
		"no token":  {"secret_type": tokenSecretType, "lease": "{}"},
		"a number":  {"secret_type": tokenSecretType, "lease": 5},
		"an object": {"secret_type": tokenSecretType, "lease": map[string]any{}},
	} {
		t.Run(name, func(t *testing.T) {
			a := e.revoke(&logical.Secret{InternalData: internal})
			a.wantRefusal(t, http.StatusInternalServerError, "does not hold a token")
		})
	}
}
