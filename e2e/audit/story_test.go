package audit

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/githubtest"
)

// githubClock is the fake GitHub's: the real time, and what a test has let pass.
// Vault's hours cannot be set forward, GitHub's can: so that what takes hours
// comes hours later in its log.
type githubClock struct{ passed atomic.Int64 }

func (c *githubClock) now() time.Time {
	return time.Now().Add(time.Duration(c.passed.Load()))
}

func (c *githubClock) at(passed time.Duration) { c.passed.Store(int64(passed)) }

// story is a day at acme, each job of which has a run_id of its own. It is told
// once, in all three logs.
type story struct {
	*world
	clock *githubClock

	wrapped, late *api.Secret
	stolen        string // a token that the engine has not made
}

// roleBot is wider than any of its jobs needs.
const roleBot = "bot"

func tellStory(t *testing.T) *story {
	t.Helper()
	clock := &githubClock{}
	w := newWorld(t, githubtest.WithClock(clock.now))
	s := &story{world: w, clock: clock}
	w.write(w.mount+"/roles/"+roleBot, map[string]any{
		"organization": "acme", "repositories": "api,web", "ttl": "10m",
		"permissions": map[string]string{"contents": "write", "issues": "write"},
	})
	s.jobsThatBehave()
	s.jobsThatAreRefused()
	s.jobsThatLeaveSomethingBehind()
	s.hoursLater()
	return s
}

// run is a job of acme/api's main branch.
func (s *story) run(id string) job { return s.job(map[string]any{"run_id": id}) }

func (s *story) jobsThatBehave() {
	t := s.t
	deploys := s.run("deploys") // clones, pushes, and ends its Vault token
	token := tokenOf(deploys.token("self", nil))
	s.push(s.clone(token, "api"))
	s.expect(deploys.Post(t, "auth/token/revoke-self", nil))
	s.awaitDead(token)

	reads := s.run("reads") // reads a file, renews, and ends its lease
	secret := reads.token("api-read", map[string]any{"ttl": "60s"})
	s.readFile(tokenOf(secret), "api", "README.md")
	s.expect(reads.Post(t, "sys/leases/renew", map[string]any{"lease_id": secret.LeaseID, "increment": "60s"}))
	s.expect(vault.Root().Do(t, http.MethodPut, "sys/leases/revoke/"+secret.LeaseID, nil))

	unwraps := s.run("unwraps") // passes its token on in a wrapping
	wrapped := unwraps.Do(t, http.MethodGet, s.mount+"/token/api-read", nil, "X-Vault-Wrap-TTL", "60s").Secret(t)
	s.wrapped = vault.Client(wrapped.WrapInfo.Token).Post(t, "sys/wrapping/unwrap", nil).Secret(t)
	s.clone(tokenOf(s.wrapped), "api")
	s.expect(unwraps.Post(t, "auth/token/revoke-self", nil))

	narrow := s.run("uses-little") // of what the role bot gives
	secret = narrow.token(roleBot, nil)
	s.readFile(tokenOf(secret), "api", "README.md")
	s.expect(narrow.Post(t, "auth/token/revoke-self", nil))
}

func (s *story) jobsThatAreRefused() {
	branch := s.job(map[string]any{"run_id": "branch", "ref": "refs/heads/feature"})
	for range 6 {
		s.wantStatus(branch.ask("self", nil), http.StatusForbidden)
	}
	greedy := s.run("greedy")
	s.wantStatus(greedy.ask("api-read", map[string]any{"permissions": map[string]string{"contents": "write"}}), http.StatusForbidden)
	s.wantStatus(greedy.ask("api-read", map[string]any{"permision": "contents=read"}), http.StatusBadRequest)
	stranger := vault.Client(vault.Root().Post(s.t, "auth/token/create", map[string]any{"policies": "default"}).Secret(s.t).Auth.ClientToken)
	s.wantStatus(stranger.Get(s.t, s.mount+"/token/self"), http.StatusForbidden)
}

func (s *story) jobsThatLeaveSomethingBehind() {
	t := s.t
	forgets := s.run("forgets").token("api-read", map[string]any{"ttl": "1s"}) // never revokes
	s.awaitLine(t, "revoked a token", "hashed_token", forgets.Data["hashed_token"])

	s.run("does-nothing").token(roleBot, nil) // until somebody ends all of the role's leases
	s.write("sys/leases/revoke-prefix/"+s.mount+"/token/"+roleBot, nil)

	leaves := s.run("leaves") // before GitHub has answered
	s.github.Inject(githubtest.Fault{LateBy: time.Second}.On(githubtest.MintToken).Once())
	minted, ended := s.github.Minted(), s.github.Requests(githubtest.RevokeToken)
	pending := leaves.Begin(t, http.MethodGet, s.mount+"/token/api-read")
	s.await(func() bool { return s.github.Minted() > minted }, "the token to be made")
	pending.HangUp()
	s.await(func() bool { return s.github.Requests(githubtest.RevokeToken) > ended }, "the token to be revoked")

	// GitHub says that it has revoked this one, and has not.
	s.late = s.run("outlives").token("self", nil)
	s.github.Inject(githubtest.Fault{Status: http.StatusNoContent}.On(githubtest.RevokeToken).Once())
	s.expect(vault.Root().Do(t, http.MethodPut, "sys/leases/revoke/"+s.late.LeaseID, nil))
}

// hoursLater is what thieves do.
func (s *story) hoursLater() {
	s.clock.at(10 * time.Minute)
	s.push(s.clone(tokenOf(s.late), "api"))
	s.clock.at(2 * time.Hour)
	s.stolen = s.mintBesideTheEngine()
	s.readFile(s.stolen, "web", "README.md")
	s.openIssue(s.stolen, "web")
	s.clock.at(0)
	s.github.RevokeToken(tokenOf(s.late))
}

func (s *story) awaitDead(token string) {
	s.await(func() bool {
		for _, live := range s.github.LiveTokens() {
			if live.Value == token {
				return false
			}
		}
		return true
	}, "the token to be dead")
}

func (s *story) await(happened func() bool, what string) {
	s.t.Helper()
	vaulttest.Eventually(s.t, settleTimeout, func() error {
		if !happened() {
			return fmt.Errorf("waiting for %s", what)
		}
		return nil
	})
}

func (s *story) wantStatus(a vaulttest.Answer, want int) {
	s.t.Helper()
	if a.Status != want {
		s.t.Fatalf("Vault answered %d, not %d: %s", a.Status, want, a.Body)
	}
}
