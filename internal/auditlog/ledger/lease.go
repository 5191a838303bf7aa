package ledger

import (
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
)

// tokenLife is how long GitHub lets a token live, where the log does not say.
const tokenLife = time.Hour

// revocationTries is longer than Vault tries to revoke a lease that has ended: six
// times, after ten seconds and then twice as long each time.
const revocationTries = 15 * time.Minute

// closing is when nothing can come for a token any more. Its uses are read two
// skews late, by a clock that may be one late. They come until it ends at GitHub;
// without GitHub's log, what counts is the end of the lease, and Vault's last try
// to revoke the token.
func (b *book) closing(t *token) time.Time {
	end := t.end
	if t.ended() {
		end = t.Ended
	}
	switch {
	case b.uses.given(): // also if it is said to be revoked: a use then is what matters most
		end = gitHubEnd(&t.Request)
	case !t.Revoked.IsZero():
		end = t.Revoked
	case b.serverGiven:
		end = end.Add(revocationTries)
	}
	return end.Add(3 * b.skew)
}

// start is when a token came to be.
func start(r *auditlog.Request) time.Time {
	if r.Answered.IsZero() {
		return r.Time
	}
	return r.Answered
}

// gitHubEnd is when the token ends at GitHub at the latest.
func gitHubEnd(r *auditlog.Request) time.Time {
	end := start(r).Add(tokenLife)
	if r.Grant != nil && !r.Grant.ExpiresAt.IsZero() && r.Grant.ExpiresAt.Before(end) {
		return r.Grant.ExpiresAt
	}
	return end
}

// leaseEnd is when a lease ends that nobody renews or revokes, and whether that
// is only the latest possible.
func leaseEnd(r *auditlog.Request) (end time.Time, vague bool) {
	end = gitHubEnd(r)
	if r.Grant == nil || r.Grant.TTL == 0 {
		return end, true
	}
	return earlier(end, start(r).Add(time.Duration(r.Grant.TTL)*time.Second)), false
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// renewal moves the end of a lease. The engine grants the increment, at most the
// role's ttl, from the renewal on, and never past GitHub's end of the token.
func (b *book) renewal(at time.Time, r auditlog.Renewal) {
	b.sum.Renewals++
	t := b.tokens.byLease[r.LeaseID]
	if t == nil || t.ended() {
		b.sum.UnmatchedRenewals++
		return
	}
	t.Renewals++
	length := time.Duration(t.Grant.TTL) * time.Second
	t.vague = t.vague || r.Increment == 0
	if r.Increment > 0 {
		length = min(length, r.Increment)
	}
	t.end = gitHubEnd(&t.Request)
	if length > 0 {
		t.end = earlier(at.Add(length), t.end)
	}
	b.tokens.reschedule(t, b.closing(t))
}

func (b *book) revocation(at time.Time, r auditlog.Revocation) {
	b.sum.Revocations++
	switch {
	case r.Unknown:
		b.sum.HashedRevocations++
		b.hide(at)
	case r.LeaseID != "":
		b.revoke(b.tokens.byLease[r.LeaseID], at, EndLeaseRevoked)
	case r.LeasePrefix != "":
		for _, t := range b.tokens.below(r.LeasePrefix) {
			b.revoke(t, at, EndPrefix)
		}
	case r.Accessor != "":
		for _, t := range b.tokens.byAccessor[r.Accessor] {
			b.revoke(t, at, EndTokenRevoked)
		}
	}
}

func (b *book) revoke(t *token, at time.Time, by End) {
	if t != nil && !t.ended() && !at.After(t.end) {
		t.Ended, t.EndedBy = at, by
		b.tokens.reschedule(t, b.closing(t))
	}
}
