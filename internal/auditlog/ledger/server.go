package ledger

import (
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
)

func (b *book) server(l auditlog.ServerLine) error {
	b.sum.ServerLines++
	b.sum.Server.extend(l.Time)
	var t *token
	if l.Kind == auditlog.ServerIssued {
		t = b.tokens.byRequest[l.RequestID]
	} else {
		t = b.tokens.byHash[plainHash(l.HashedToken)]
	}
	if t == nil {
		b.sum.UnmatchedServerLines++
		return nil
	}
	switch l.Kind {
	case auditlog.ServerIssued:
		b.fill(t, l)
	case auditlog.ServerRevoked:
		b.revokedAtGitHub(t, l.Time)
	case auditlog.ServerRevokeFailed:
		t.Failures++
	case auditlog.ServerExpired: // nothing to end
	}
	return nil
}

// revokedAtGitHub notes the exact end. Where the audit log names no revocation
// of the lease, Vault ended it by itself, unless someone's request hides which
// lease it was for.
func (b *book) revokedAtGitHub(t *token, at time.Time) {
	t.Revoked = at
	if !t.ended() && (!at.After(t.end) || t.vague) {
		t.Ended, t.EndedBy = at, EndExpired
		if b.asked(at) {
			t.EndedBy = EndLeaseRevoked
		}
	}
	b.tokens.reschedule(t, b.closing(t))
}

// fill adds what the audit log does not show of an issuance: its response was
// wrapped, hashed, or never written.
func (b *book) fill(t *token, l auditlog.ServerLine) {
	if t.Grant == nil {
		t.Grant = &auditlog.Grant{}
	}
	g := t.Grant
	if g.HashedToken == "" || auditlog.Hashed(g.HashedToken) {
		if g.Wrapped {
			b.sum.Filled++
		}
		g.HashedToken = l.HashedToken
		b.tokens.index(t)
	}
	if len(g.Permissions) == 0 {
		readScope(g, l.Scope)
	}
	replace(&g.App, l.App)
	replace(&g.Scope, l.Scope)
	replace(&g.Subject, l.Subject)
	if g.ExpiresAt.IsZero() {
		g.ExpiresAt = l.ExpiresAt
	}
	if g.TTL == 0 && l.TTL > 0 {
		g.TTL = int64(l.TTL / time.Second)
	}
	if t.Renewals == 0 {
		t.end, t.vague = leaseEnd(&t.Request)
	}
	b.tokens.reschedule(t, b.closing(t))
}

// replace puts a readable value where there is none.
func replace(field *string, value string) {
	if *field == "" || auditlog.Hashed(*field) {
		*field = value
	}
}

// hide remembers a revocation that names no lease until the server log, which is
// read one skew later, may say which token it ended.
func (b *book) hide(at time.Time) {
	for len(b.hidden) > 0 && b.hidden[0].Before(at.Add(-4*b.skew)) {
		b.hidden = b.hidden[1:]
	}
	b.hidden = append(b.hidden, at)
}

// asked reports whether someone asked Vault to revoke a lease that it does not
// name, shortly before.
func (b *book) asked(at time.Time) bool {
	for _, h := range b.hidden {
		if !h.After(at.Add(time.Second)) && h.After(at.Add(-b.skew)) {
			return true
		}
	}
	return false
}
