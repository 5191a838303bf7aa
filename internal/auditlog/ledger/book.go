package ledger

import (
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
)

// book holds the accounts that something may still be added to.
type book struct {
	in      Inputs
	account func(*Account) error
	stray   func(Stray) error
	summary Summary

	queue      []*entry // in the order of requests
	byToken    map[string]*entry
	byLease    map[string]*entry
	byAccessor map[string][]*entry
	byRequest  map[string]*entry // wrapped: the server log tells the rest

	early      waiting[auditlog.Use]        // by token: uses ahead of the issuance, by GitHub's clock
	earlyLines waiting[auditlog.ServerLine] // by request: lines ahead of the audit log's response
	now        time.Time
	used       span
}

// entry is an account with what is needed until it is closed.
type entry struct {
	*Account
	expected time.Time // when the lease ends if nothing happens
	closes   time.Time // nothing can come after
}

type span struct {
	first, last time.Time
	known       bool
}

func newBook(in Inputs, account func(*Account) error, stray func(Stray) error) *book {
	return &book{
		in: in, account: account, stray: stray,
		byToken: map[string]*entry{}, byLease: map[string]*entry{}, byAccessor: map[string][]*entry{},
		byRequest: map[string]*entry{},
	}
}

// advance moves the time on, and closes what is over.
func (b *book) advance(to time.Time) error {
	if to.After(b.now) {
		b.now = to
	}
	for len(b.queue) > 0 && b.queue[0].closes.Add(b.in.Skew).Before(b.now) {
		if err := b.closeFirst(false); err != nil {
			return err
		}
	}
	b.earlyLines.expire(b.now.Add(-2*b.in.Skew), func(auditlog.ServerLine) error { return nil })
	return b.tellStrays(b.now.Add(-2 * b.in.Skew))
}

func (b *book) event(e auditlog.Event) error {
	if err := b.advance(e.Time); err != nil {
		return err
	}
	if b.summary.First.IsZero() {
		b.summary.First = e.Time
		if e.Request != nil {
			b.summary.First = e.Request.Time
		}
	}
	b.summary.Last = e.Time
	switch {
	case e.Request != nil:
		b.request(e.Request)
	case e.Renewal != nil:
		b.renewed(e.Time, e.Renewal)
	case e.Revocation != nil:
		b.revoked(e.Time, e.Revocation)
	}
	return nil
}

// request opens an account.
func (b *book) request(r *auditlog.Request) {
	e := &entry{Account: &Account{Request: *r}, closes: r.Time}
	b.summary.Requests++
	b.queue = append(b.queue, e)
	b.summary.MostHeld = max(b.summary.MostHeld, len(b.queue))
	switch r.Outcome {
	case auditlog.Refused:
		b.summary.Refused++
	case auditlog.Unanswered:
		b.summary.Unanswered++
	case auditlog.Issued:
		b.summary.Issued++
		b.issued(e)
	}
}

func (b *book) issued(e *entry) {
	grant := *e.Grant // filled in below, and not the reader's
	e.Grant = &grant
	for _, line := range b.earlyLines.take(e.ID) {
		e.fill(line)
	}
	if grant.Wrapped && e.Grant.HashedToken == "" {
		b.byRequest[e.ID] = e
	}
	if auditlog.Hashed(e.Grant.HashedToken) {
		b.summary.Hashed++
		b.summary.HashedMount = e.Mount
	}
	if e.Grant.LeaseID != "" {
		b.byLease[e.Grant.LeaseID] = e
	}
	if e.Accessor != "" {
		b.byAccessor[e.Accessor] = append(b.byAccessor[e.Accessor], e)
	}
	e.reckon()
	b.claim(e)
}

// reckon finds out when the lease and the token end.
func (e *entry) reckon() {
	end := e.Grant.ExpiresAt
	if end.IsZero() {
		end = e.Answered.Add(tokenLife)
	}
	e.closes, e.expected = end, end
	if e.Grant.TTL > 0 {
		e.expected = earlier(end, e.Answered.Add(time.Duration(e.Grant.TTL)*time.Second))
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// claim gives the account the uses that came before it, by GitHub's clock.
func (b *book) claim(e *entry) {
	token := e.Grant.HashedToken
	if token == "" || auditlog.Hashed(token) {
		return
	}
	b.byToken[token] = e
	for _, use := range b.early.take(token) {
		e.add(use, b.in.Skew)
	}
}

func (b *book) renewed(at time.Time, r *auditlog.Renewal) {
	e := b.byLease[r.LeaseID]
	if e == nil || e.EndedBy != "" {
		return
	}
	b.summary.Renewals++
	e.Renewals++
	ttl := time.Duration(e.Grant.TTL) * time.Second // at most: the engine's rule
	if r.Increment > 0 && r.Increment < ttl {
		ttl = r.Increment
	}
	if ttl > 0 {
		e.expected = earlier(e.closes, at.Add(ttl))
	}
}

func (b *book) revoked(at time.Time, r *auditlog.Revocation) {
	switch {
	case r.LeaseID != "":
		b.end(b.byLease[r.LeaseID], at, EndLeaseRevoked)
	case r.Accessor != "":
		for _, e := range b.byAccessor[r.Accessor] {
			b.end(e, at, EndTokenRevoked)
		}
	case r.LeasePrefix != "":
		prefix := strings.TrimSuffix(r.LeasePrefix, "/")
		for _, e := range b.queue {
			if e.Grant != nil && (e.Grant.LeaseID == prefix || strings.HasPrefix(e.Grant.LeaseID, prefix+"/")) {
				b.end(e, at, EndPrefix)
			}
		}
	}
}

// end ends a lease that has not ended yet.
func (b *book) end(e *entry, at time.Time, by End) {
	if e == nil || e.EndedBy != "" || at.After(e.expected.Add(b.in.Skew)) {
		return
	}
	b.summary.Revocations++
	e.Ended, e.EndedBy = at, by
}

func (b *book) use(use auditlog.Use) error {
	if err := b.advance(use.Time); err != nil {
		return err
	}
	b.summary.Uses++
	if !b.used.known {
		b.used = span{use.Time, use.Time, true}
		if b.in.Covered != nil {
			b.used.first, b.used.last = b.in.Covered()
		}
	}
	if use.Time.After(b.used.last) {
		b.used.last = use.Time
	}
	if isRevocation(use) {
		return nil // the broker's own doing; the server log tells of it
	}
	if e := b.byToken[use.HashedToken]; e != nil {
		e.add(use, b.in.Skew)
		return nil
	}
	b.early.put(use.HashedToken, use.Time, use)
	return nil
}

// tellStrays tells uses of tokens which no issuance can explain any more.
func (b *book) tellStrays(before time.Time) error {
	return b.early.expire(before, func(use auditlog.Use) error {
		b.summary.Strays++
		// Where Vault's log holds nothing it begins never.
		began := !b.summary.First.IsZero() && use.Time.After(b.summary.First.Add(tokenLife+b.in.Skew))
		return b.stray(Stray{Use: use, Before: !began})
	})
}

func (b *book) server(line auditlog.ServerLine) error {
	if err := b.advance(line.Time); err != nil {
		return err
	}
	if line.Kind == auditlog.ServerIssued {
		if e := b.byRequest[line.RequestID]; e != nil {
			delete(b.byRequest, line.RequestID)
			e.fill(line)
			e.reckon()
			b.claim(e)
		} else if b.byToken[line.HashedToken] == nil {
			b.earlyLines.put(line.RequestID, line.Time, line)
		}
		return nil
	}
	e := b.byToken[line.HashedToken]
	if e == nil {
		return nil
	}
	switch line.Kind {
	case auditlog.ServerRevoked, auditlog.ServerExpired:
		if e.Revoked.IsZero() {
			e.Revoked = line.Time
		}
		if line.Time.Before(e.expected) {
			e.expected = line.Time
		}
	case auditlog.ServerRevokeFailed:
		e.Failures++
	}
	return nil
}

// fill takes from the server log what the audit log does not hold: everything of
// a wrapped response, the TTL of an engine that did not answer it.
func (e *entry) fill(line auditlog.ServerLine) {
	g := e.Grant
	if !g.Wrapped {
		if g.TTL == 0 {
			g.TTL = int64(line.TTL / time.Second)
		}
		return
	}
	g.App, g.Scope, g.HashedToken, g.Subject = line.App, line.Scope, line.HashedToken, line.Subject
	g.TTL, g.ExpiresAt = int64(line.TTL/time.Second), line.ExpiresAt
	g.FillFromScope()
}

// closeFirst tells the first account of the queue.
func (b *book) closeFirst(logEnded bool) error {
	e := b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	if e.Outcome != auditlog.Issued {
		return b.account(e.Account)
	}
	delete(b.byRequest, e.ID)
	delete(b.byLease, e.Grant.LeaseID)
	delete(b.byToken, e.Grant.HashedToken)
	if same := slices.DeleteFunc(b.byAccessor[e.Accessor], func(o *entry) bool { return o == e }); len(same) > 0 {
		b.byAccessor[e.Accessor] = same
	} else {
		delete(b.byAccessor, e.Accessor)
	}
	if e.Grant.Wrapped && e.Grant.HashedToken == "" {
		b.summary.Wrapped++
	}
	if e.EndedBy == "" {
		e.EndedBy, e.Ended = EndExpired, e.expected
		if logEnded && e.expected.After(b.summary.Last) {
			e.EndedBy, e.Ended = EndOpen, time.Time{}
		}
	}
	known := e.Grant.HashedToken != "" && !auditlog.Hashed(e.Grant.HashedToken)
	e.Joined = known && b.used.known && !e.Time.Before(b.used.first.Add(-b.in.Skew)) && !e.expected.After(b.used.last.Add(b.in.Skew))
	return b.account(e.Account)
}

// finish tells what is left when the logs have ended.
func (b *book) finish() error {
	for len(b.queue) > 0 {
		if err := b.closeFirst(true); err != nil {
			return err
		}
	}
	return b.tellStrays(b.now.Add(time.Nanosecond))
}
