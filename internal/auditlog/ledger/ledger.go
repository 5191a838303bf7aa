package ledger

import (
	"iter"
	"net/http"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
)

// DefaultSkew is how far the clocks of Vault and GitHub are taken to be apart at
// most, where Inputs does not say.
const DefaultSkew = 2 * time.Minute

// Inputs are the logs, each in order of time; any may be nil.
type Inputs struct {
	Events iter.Seq2[auditlog.Event, error]
	Uses   iter.Seq2[auditlog.Use, error]
	Server iter.Seq2[auditlog.ServerLine, error]
	Skew   time.Duration // 0: DefaultSkew
	// Covered is the time that GitHub's log covers, once its first use was read,
	// if that is known: else it is taken to be from the first use to the last.
	Covered func() Span
	// VaultEnd tells, once Events has ended, when Vault's log ends: its last entry
	// need not be an Event. Nil if that is not known.
	VaultEnd func() time.Time
}

// Run puts the logs together. It gives each request to account, once, in the order
// of the requests, when nothing can come for it any more. What no account holds
// it gives to stray. It ends with the first error of a log or a callback, and
// holds no more than the requests of a token's life.
//
// Logs by different clocks are read as if the server log were one skew late and
// GitHub's log two: so the entries that an entry needs have been read before it,
// and nothing has to be put back.
func Run(in Inputs, account func(*Account) error, stray func(Stray) error) (Summary, error) {
	if in.Skew == 0 {
		in.Skew = DefaultSkew
	}
	events := open(in.Events, func(e auditlog.Event) time.Time { return e.Time }, 0, in.VaultEnd)
	defer events.stop()
	server := open(in.Server, func(l auditlog.ServerLine) time.Time { return l.Time }, in.Skew, nil)
	defer server.stop()
	uses := open(in.Uses, func(u auditlog.Use) time.Time { return u.Time }, 2*in.Skew, nil)
	defer uses.stop()

	b := &book{skew: in.Skew, account: account, stray: stray, covered: in.Covered, events: events, uses: uses, serverGiven: server.given(), tokens: newTokens()}
	for {
		var err error
		switch {
		case events.before(server) && events.before(uses):
			err = step(b, events, b.event)
		case server.before(events) && server.before(uses):
			err = step(b, server, b.server)
		case uses.ok:
			err = step(b, uses, b.use)
		default:
			return b.finish()
		}
		if err != nil {
			return b.sum, err
		}
	}
}

// step takes the next entry of a log, after what ends before it.
func step[T any](b *book, s *stream[T], take func(T) error) error {
	if s.err != nil {
		return s.err
	}
	if err := b.advance(s.due()); err != nil {
		return err
	}
	entry := s.next
	s.advance()
	return take(entry)
}

// book is the state of one Run.
type book struct {
	skew    time.Duration
	account func(*Account) error
	stray   func(Stray) error
	covered func() Span
	events  *stream[auditlog.Event]
	uses    *stream[auditlog.Use]

	serverGiven bool

	now    time.Time // as far as the logs have been read
	tokens *tokens
	order  []*pending  // in which accounts are given away
	hidden []time.Time // revocations whose lease Vault hashed, of the last moments
	sum    Summary
	mounts map[string]bool // whose hashed_token Vault hashed
}

// advance closes every token for which nothing can come from now on.
func (b *book) advance(now time.Time) error {
	if now.After(b.now) {
		b.now = now
	}
	for t := b.tokens.oldest(); t != nil && !t.closes.After(b.now); t = b.tokens.oldest() {
		if err := b.close(t); err != nil {
			return err
		}
	}
	return nil
}

func (b *book) event(e auditlog.Event) error {
	switch {
	case e.Request != nil:
		return b.request(e.Request)
	case e.Renewal != nil:
		b.renewal(e.Time, *e.Renewal)
	case e.Revocation != nil:
		b.revocation(e.Time, *e.Revocation)
	}
	return nil
}

func (b *book) request(r *auditlog.Request) error {
	b.sum.count(r)
	a := &Account{Request: *r}
	p := &pending{account: a, complete: r.Outcome == auditlog.Refused}
	b.order = append(b.order, p)
	if p.complete {
		return b.give()
	}
	if r.Grant != nil {
		grant := *r.Grant // filled in below, and not the reader's
		a.Grant = &grant
	}
	t := &token{Account: a, pending: p}
	t.end, t.vague = leaseEnd(r)
	t.closes = b.closing(t)
	b.tokens.add(t)
	b.sum.Held = max(b.sum.Held, b.tokens.len())
	return nil
}

func (b *book) use(u auditlog.Use) error {
	b.sum.Uses++
	b.sum.GitHub.extend(u.Time)
	t := b.tokens.byHash[plainHash(u.HashedToken)]
	if isRevocation(u) {
		if t != nil && t.Revoked.IsZero() && u.Status < http.StatusBadRequest {
			t.Revoked = u.Time
		}
		return nil
	}
	if t == nil {
		b.sum.Strays++
		return b.stray(Stray{Use: u, Before: b.mayPrecede(u), After: b.mayFollow(u)})
	}
	b.sum.JoinedUses++
	end := t.end
	if t.ended() {
		end = t.Ended
	}
	t.Usage.add(u, t.Grant.Permissions, u.Time.After(end.Add(b.skew)))
	return nil
}

// mayPrecede reports whether a token in use may have been issued before Vault's
// log begins.
func (b *book) mayPrecede(u auditlog.Use) bool {
	first := b.events.first
	return first.IsZero() || u.Time.Before(first.Add(tokenLife+b.skew))
}

// mayFollow reports whether a token in use may have been issued after Vault's log
// ends.
func (b *book) mayFollow(u auditlog.Use) bool {
	return !b.events.ok && !b.events.first.IsZero() && u.Time.Add(b.skew).After(b.events.last)
}

// close gives an account away that is complete.
func (b *book) close(t *token) error {
	b.tokens.remove(t)
	if t.Outcome == auditlog.Issued && !t.ended() {
		t.Ended, t.EndedBy = t.end, EndExpired
		if !b.events.covers(t.end) {
			t.Ended, t.EndedBy = time.Time{}, EndOpen
		}
	}
	t.Joined = b.joined(t)
	b.sum.closed(t.Account)
	if g := t.Grant; g != nil && auditlog.Hashed(g.HashedToken) {
		b.sum.HashedTokens++
		if b.mounts == nil {
			b.mounts = map[string]bool{}
		}
		b.mounts[t.Mount] = true
	}
	t.pending.complete = true
	return b.give()
}

// pending is an account in the order of requests.
type pending struct {
	account  *Account
	complete bool
}

// give gives away the first accounts, as far as they are complete.
func (b *book) give() error {
	for len(b.order) > 0 && b.order[0].complete {
		a := b.order[0].account
		b.order[0] = nil
		b.order = b.order[1:]
		if err := b.account(a); err != nil {
			return err
		}
	}
	return nil
}

// joined reports whether GitHub's log covers a lease: only then is a token
// without a use one that was not used.
func (b *book) joined(t *token) bool {
	if t.Grant == nil || plainHash(t.Grant.HashedToken) == "" || b.uses.first.IsZero() {
		return false
	}
	end := t.end
	if t.ended() {
		end = t.Ended
	}
	covered := Span{First: b.uses.first, Last: b.uses.last}
	if b.covered != nil {
		covered = b.covered()
	}
	return !covered.First.After(start(&t.Request)) && !covered.Last.Before(end)
}

func (b *book) finish() (Summary, error) {
	for t := b.tokens.oldest(); t != nil; t = b.tokens.oldest() {
		if err := b.close(t); err != nil {
			return b.sum, err
		}
	}
	b.sum.Vault = Span{First: b.events.first, Last: b.events.last}
	b.sum.note(b.mounts, !b.uses.first.IsZero())
	return b.sum, nil
}
