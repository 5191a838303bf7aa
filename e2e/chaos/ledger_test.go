package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"

	"vault-plugin-secrets-github/internal/githubtest"
)

const (
	// orphanLimit is how soon a token must be dead that nobody received, or whose
	// lease has ended, but for the time of the fault that kept it alive.
	orphanLimit = time.Minute
	// clockGrain is by how much a lease may be shorter than Vault says: it counts
	// in whole seconds.
	clockGrain = time.Second
	// onItsWay is how long a token may take from GitHub to the job.
	onItsWay = time.Second
	// watchInterval is how often GitHub's list of live tokens is looked at.
	watchInterval = 50 * time.Millisecond
)

// ledger holds what is known of every token, at GitHub and by the jobs, and finds
// where the two do not agree.
type ledger struct {
	github *githubtest.Server
	// limit is how long a token may live that should be dead: orphanLimit and the
	// length of a fault.
	limit time.Duration

	mu         sync.Mutex
	tokens     map[string]*record // by value
	alive      map[string]*record
	phase      *phase
	violations []string
}

// record is one token.
type record struct {
	phase *phase
	seen  time.Time
	// received by a job.
	received bool
	// good is how long the lease lasts at least; from over on there is none.
	good, over time.Time
	// ending: the job has asked for the lease's end.
	ending bool
	// lost: nobody received it, and nobody revoked it in time.
	lost bool
}

func newLedger(github *githubtest.Server, faultLength time.Duration) *ledger {
	return &ledger{
		github: github, limit: orphanLimit + faultLength,
		tokens: map[string]*record{}, alive: map[string]*record{}, phase: &phase{},
	}
}

// begin starts a phase. Tokens that are on their way to a job belong to it: what
// keeps them from arriving is its fault.
func (l *ledger) begin(p *phase) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = p
	for _, r := range l.alive {
		if !r.received && time.Since(r.seen) < onItsWay {
			r.phase = p
		}
	}
}

// current is the phase that has begun.
func (l *ledger) current() *phase {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.phase
}

// watch looks at GitHub's tokens until ctx ends.
func (l *ledger) watch(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		l.look()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *ledger) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Not before the lock: a job may be about to tell of a token made since.
	live := map[string]bool{}
	now := time.Now()
	for _, token := range l.github.LiveTokens() {
		live[token.Value] = true
		l.record(token.Value)
	}
	for value, r := range l.alive {
		if !live[value] {
			delete(l.alive, value)
			l.died(r, now)
		}
	}
}

// record needs l.mu.
func (l *ledger) record(token string) *record {
	r := l.tokens[token]
	if r == nil {
		r = &record{phase: l.phase, seen: time.Now()}
		l.tokens[token], l.alive[token] = r, r
	}
	return r
}

// died judges the end of a token. It needs l.mu.
func (l *ledger) died(r *record, now time.Time) {
	switch {
	case !r.received:
		r.phase.late++
		if age := now.Sub(r.seen); age > l.limit {
			l.violate("%s: a token that nobody received was revoked after %s only", r.phase, age.Round(time.Second))
		}
	case now.Sub(r.over) > l.limit:
		l.violate("%s: a token outlived its lease by %s", r.phase, now.Sub(r.over).Round(time.Second))
	case !r.ending && now.Before(r.good.Add(-clockGrain)):
		l.violate("%s: a token died %s before the end of its lease", l.phase, r.good.Sub(now).Round(time.Second))
	}
}

// violate needs l.mu.
func (l *ledger) violate(format string, args ...any) {
	l.violations = append(l.violations, fmt.Sprintf(format, args...))
}

// complain notes what a job found wrong.
func (l *ledger) complain(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.violate("%s: %s", l.phase, fmt.Sprintf(format, args...))
}

// received notes that a job got a token under a lease, after a request that began
// at some time.
func (l *ledger) received(token string, began time.Time, lease time.Duration) *record {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.record(token)
	r.received = true
	r.good, r.over = began.Add(lease), time.Now().Add(lease)
	return r
}

// renewing notes that a job has asked for more time. Until renewed is told what
// came of it, nobody knows when the lease ends.
func (l *ledger) renewing(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.over = time.Now().Add(time.Hour)
}

// renewed notes how long the lease lasts after a renewal that began at some time;
// 0 if Vault gave no answer, so that it may have been renewed up to atMost.
func (l *ledger) renewed(r *record, began time.Time, lease, atMost time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lease == 0 {
		r.over = time.Now().Add(atMost)
		return
	}
	r.good, r.over = began.Add(lease), time.Now().Add(lease)
}

// end notes that a job has asked for a lease's end.
func (l *ledger) end(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.ending = true
}

// ended notes that Vault has agreed to a lease's end.
func (l *ledger) ended(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.over = time.Now()
}

// isGood reports whether the lease lasts for a while yet.
func (l *ledger) isGood(r *record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !r.ending && time.Now().Before(r.good.Add(-clockGrain))
}

// settle waits until every token is dead that should be by some time, or has had
// its time: one that nobody received, or whose lease is over then.
func (l *ledger) settle(ctx context.Context, by time.Time) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for l.awaitDeath(by) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// awaitDeath returns how many tokens there is yet to wait for.
func (l *ledger) awaitDeath(by time.Time) (waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.alive {
		due := r.seen
		if r.received {
			due = r.over
		}
		switch {
		case r.lost || due.After(by):
		case time.Now().Before(due.Add(l.limit)):
			waiting++
		default:
			l.giveUp(r)
		}
	}
	return waiting
}

// giveUp takes a token for lost. It needs l.mu.
func (l *ledger) giveUp(r *record) {
	r.lost = true
	if r.received {
		l.violate("%s: a token has outlived its lease by %s", r.phase, time.Since(r.over).Round(time.Second))
		return
	}
	if r.phase.window++; r.phase.window > r.phase.mayLose {
		l.violate("%s: a token that nobody received is live still after %s", r.phase, time.Since(r.seen).Round(time.Second))
	}
}
