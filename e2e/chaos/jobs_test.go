package chaos

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-github/internal/oidctest"
)

const (
	// workers take many tokens for a short time, keepers hold one for long.
	workers = 4
	keepers = 2
)

// role is the one that the jobs' tokens are of.
const role = "api-read"

// load is the jobs of a CI, which go on whatever happens.
type load struct {
	world  *world
	ledger *ledger
	errors *errorLog
	// ttl is the role's.
	ttl time.Duration
	// nodes are Vault's own clients, one for each node, with their own retries.
	nodes []*api.Client
	// impatient lets jobs hang up on some of their requests.
	impatient atomic.Bool
}

// run lets jobs work until ctx ends.
func (l *load) run(ctx context.Context) {
	var jobs sync.WaitGroup
	for range workers {
		jobs.Go(func() { (&job{load: l}).work(ctx) })
	}
	for range keepers {
		jobs.Go(func() { (&job{load: l}).keep(ctx) })
	}
	jobs.Wait()
}

// job is one after another: each logs in, takes tokens, and goes.
type job struct {
	*load
	// nodes are clients for the job's Vault token, one for each node.
	nodes []*api.Client
	// node is the one that the job asks, until it fails.
	node int
	held []*holding
}

// holding is a token that a job has received.
type holding struct {
	*record
	token, lease string
}

// work takes many tokens for a short time.
func (j *job) work(ctx context.Context) {
	for j.logIn(ctx) {
		for range 1 + rand.IntN(10) {
			if h := j.take(); h != nil {
				j.finish(h)
			}
			j.pause(ctx)
		}
		j.logOut()
	}
}

// keep holds one token for longer than the engine waits for news of a lease.
func (j *job) keep(ctx context.Context) {
	for j.logIn(ctx) {
		h := j.take()
		for until := time.Now().Add(4 * j.ttl); h != nil && j.isGood(h) && time.Now().Before(until) && ctx.Err() == nil; {
			j.pauseFor(ctx, j.ttl/5)
			j.use(h)
			j.renew(h)
		}
		j.pause(ctx)
	}
}

// finish does one of what jobs do with a token once they have used it.
func (j *job) finish(h *holding) {
	switch rand.IntN(4) {
	case 0: // leave it to its lease
	case 1:
		j.renew(h)
		j.use(h)
	case 2:
		j.revoke(h, true)
	case 3:
		j.revoke(h, false)
	}
}

// logIn tries until it is logged in; false if ctx has ended before.
func (j *job) logIn(ctx context.Context) bool {
	j.node = rand.IntN(len(j.load.nodes))
	for ; ctx.Err() == nil; j.pause(ctx) {
		secret, err := j.ask("log in", j.load.nodes, request{path: "auth/" + auth + "/login", fields: map[string]any{
			"role": "ci", "jwt": j.world.issuer.Sign(oidctest.GitHubActionsClaims(nil)),
		}})
		if err != nil {
			continue
		}
		j.nodes, j.held = nil, nil
		for _, node := range j.load.nodes {
			client, err := node.Clone()
			if err != nil {
				panic(err) // the same configuration was good before
			}
			client.SetToken(secret.Auth.ClientToken)
			j.nodes = append(j.nodes, client)
		}
		return true
	}
	return false
}

// logOut ends the job's Vault token, and with it the leases of its tokens.
func (j *job) logOut() {
	if rand.IntN(2) == 0 {
		return // many jobs never do
	}
	for _, h := range j.held {
		j.ledger.end(h.record)
	}
	_, err := j.ask("log out", j.nodes, request{path: "auth/token/revoke-self", fields: map[string]any{}, noContent: true})
	if err != nil {
		return
	}
	for _, h := range j.held {
		j.ledger.ended(h.record)
	}
}

// take asks for a token, uses it and looks its lease up; nil if it got none.
func (j *job) take() *holding {
	patience, cancel := j.patience()
	defer cancel()
	began := time.Now()
	secret, err := j.ask("take", j.nodes, tokenRequest.within(patience))
	p := j.ledger.current()
	switch {
	case errors.Is(err, context.Canceled):
		p.left.Add(1)
		return nil
	case err != nil:
		p.refused.Add(1)
		return nil
	}
	p.served.Add(1)
	h := j.hold(secret, began)
	j.held = append(j.held, h)
	j.use(h)
	j.lookUp(h)
	return h
}

// hold remembers a token that was received.
func (l *load) hold(secret *api.Secret, began time.Time) *holding {
	token := tokenOf(secret)
	if secret.LeaseID == "" {
		l.ledger.complain("a token came without a lease")
	}
	r := l.ledger.received(token, began, time.Duration(secret.LeaseDuration)*time.Second)
	return &holding{record: r, token: token, lease: secret.LeaseID}
}

// patience is how long the job waits for its token.
func (l *load) patience() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	if l.impatient.Load() {
		time.AfterFunc(time.Duration(rand.IntN(50))*time.Millisecond, cancel)
	}
	return ctx, cancel
}

// use does with the token what it is for, which must work until its lease ends.
func (j *job) use(h *holding) {
	status := j.world.useToken(h.token)
	if status != http.StatusOK && j.isGood(h) {
		j.ledger.complain("GitHub answers %d to a token under a lease", status)
	}
}

func (j *job) isGood(h *holding) bool { return j.ledger.isGood(h.record) }

// lookUp finds the lease, which must be there until it ends.
func (j *job) lookUp(h *holding) { _, _ = j.onLease(h, "lookup", nil) }

// onLease does something with the lease of a token. Only a lease that has ended
// may be unknown.
func (j *job) onLease(h *holding, what string, fields map[string]any) (*api.Secret, error) {
	r := request{path: "sys/leases/" + what, fields: map[string]any{"lease_id": h.lease}, noContent: what == "revoke"}
	maps.Copy(r.fields, fields)
	r.mayFail = func(err error) bool { return !j.isGood(h) && isUnknownLease(err) }
	return j.ask(what, j.nodes, r)
}

func isUnknownLease(err error) bool {
	status, text := explain(err)
	return status == http.StatusBadRequest && (text == "lease not found" || text == "invalid lease")
}

func (j *job) renew(h *holding) {
	j.ledger.renewing(h.record)
	began := time.Now()
	secret, err := j.onLease(h, "renew", nil)
	var lease time.Duration
	if err == nil {
		lease = time.Duration(secret.LeaseDuration) * time.Second
	}
	j.ledger.renewed(h.record, began, lease, j.ttl)
}

// revoke ends the lease. After one that Vault has waited for the token is dead.
func (j *job) revoke(h *holding, sync bool) {
	j.ledger.end(h.record)
	_, err := j.onLease(h, "revoke", map[string]any{"sync": sync})
	if err != nil {
		return
	}
	j.ledger.ended(h.record)
	if status := j.world.useToken(h.token); sync && status != http.StatusUnauthorized && j.isGone(h) {
		j.ledger.complain("GitHub answers %d to the token of a revoked lease", status)
	}
}

// isGone reports whether Vault knows the lease no more. It may after a revocation
// that succeeded: Vault's client takes redirects to and fro for a success.
func (j *job) isGone(h *holding) bool {
	_, err := j.onLease(h, "lookup", nil)
	return err != nil && isUnknownLease(err)
}

// ask sends a request to the job's node, and notes what error comes of it.
func (j *job) ask(what string, nodes []*api.Client, r request) (*api.Secret, error) {
	before := j.ledger.current()
	secret, err := r.send(nodes[j.node])
	if err != nil && !errors.Is(err, context.Canceled) && (r.mayFail == nil || !r.mayFail(err)) {
		j.errors.add(what, err, before, j.ledger.current())
		j.node = rand.IntN(len(nodes))
	}
	return secret, err
}

// pause keeps the load steady.
func (l *load) pause(ctx context.Context) {
	l.pauseFor(ctx, 50*time.Millisecond+time.Duration(rand.IntN(100))*time.Millisecond)
}

func (l *load) pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
