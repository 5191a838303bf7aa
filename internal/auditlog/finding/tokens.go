package finding

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

// strayTokens finds tokens of the broker's App that the broker did not issue:
// somebody else has the App's key.
type strayTokens struct {
	ours   map[string]bool // bots of Apps whose tokens the broker issued
	strays groups          // by bot
	beyond int             // what is outside of Vault's log
}

func (s *strayTokens) account(a *ledger.Account) {
	for _, actor := range a.Usage.Actors {
		if s.ours == nil {
			s.ours = map[string]bool{}
		}
		s.ours[actor] = true
	}
}

func (s *strayTokens) stray(use ledger.Stray) {
	if use.Before || use.After {
		s.beyond++
		return
	}
	f := s.strays.of(use.Actor, func() Finding {
		return Finding{Rule: "unaccounted-token", Subject: use.Actor, Title: "tokens were used that no lease accounts for"}
	})
	f.note(use.Time, "", describe(use.Use))
}

func describe(use auditlog.Use) string {
	what := use.Action
	if use.Method != "" {
		what += " " + use.Method + " " + firstOf(use.Route, use.Path)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s by %s (%s), token %s", what, use.Repository, use.Actor, use.UserAgent, use.HashedToken))
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (s *strayTokens) findings(time.Time, []string) []Finding {
	var all []Finding
	for _, f := range s.strays.all() {
		switch {
		case s.ours[f.Subject]:
			f.Severity = Critical
			f.Remedy = fmt.Sprintf("The App's private key is used outside Vault, or Vault's log has a gap at that time. If it has none: write a new key to Vault, delete the old one on the page of the App %s, and find out who had it.", f.Subject)
		case len(s.ours) == 0:
			f.Severity = Medium
			f.Remedy = fmt.Sprintf("No token of the broker was used in this log, so it cannot be told whether %s is its App. If it is, its key has leaked.", f.Subject)
		default:
			continue // another App's, which has nothing to do with the broker
		}
		all = append(all, f)
	}
	if s.beyond > 0 {
		all = append(all, Finding{
			Rule: "used-outside-log", Severity: Info, Count: s.beyond,
			Title:  "uses of tokens that may have been issued before Vault's log begins, or after it ends",
			Remedy: "Give Vault's audit log for all the time that GitHub's covers, and the hour before it.",
		})
	}
	return all
}

// usedAfterEnd finds tokens that still worked when their lease had ended.
type usedAfterEnd struct {
	noStrays
	found groups
}

func (r *usedAfterEnd) account(a *ledger.Account) {
	if a.Usage.AfterEnd == 0 {
		return
	}
	role := roleOf(a)
	f := r.found.of(role, func() Finding {
		return Finding{
			Rule: "used-after-lease-end", Severity: High, Role: role, Title: "tokens were used after their lease had ended",
			Remedy: "The token was not revoked at GitHub when its lease ended. See vault_github_lease_revocations_total and Vault's server log at that time (docs/operations.md, \"Tokens not revoked\"); GitHub itself ends a token after an hour.",
		}
	})
	if a.Usage.WritesAfterEnd > 0 {
		f.Severity = Critical
	}
	f.note(a.Usage.LastAfterEnd, a.ID, fmt.Sprintf("%s: used %d × after %s (%s), the last time at %s, token %s",
		jobOf(a), a.Usage.AfterEnd, a.Ended.UTC().Format(time.RFC3339), a.EndedBy, a.Usage.LastAfterEnd.UTC().Format(time.RFC3339), a.Grant.HashedToken))
}

func (r *usedAfterEnd) findings(time.Time, []string) []Finding { return r.found.all() }

// notRevoked finds tokens that GitHub was asked to end, and did not.
type notRevoked struct {
	noStrays
	found groups
}

func (r *notRevoked) account(a *ledger.Account) {
	if a.Failures == 0 || !a.Revoked.IsZero() {
		return
	}
	role := roleOf(a)
	f := r.found.of(role, func() Finding {
		return Finding{
			Rule: "not-revoked", Severity: High, Role: role, Title: "tokens could not be revoked, as far as the server log tells",
			Remedy: "Look for irrevocable leases: vault read sys/leases/count type=irrevocable. Once GitHub is back: vault lease revoke -prefix " + a.Mount + "token/",
		}
	})
	f.note(a.Time, a.ID, fmt.Sprintf("%s: %d failed revocations, token %s", jobOf(a), a.Failures, a.Grant.HashedToken))
}

func (r *notRevoked) findings(time.Time, []string) []Finding { return r.found.all() }

// unanswered finds requests to which Vault wrote no response: if Vault died just
// then, a token may have been made that nobody holds a lease of.
type unanswered struct {
	noStrays
	found groups
}

func (r *unanswered) account(a *ledger.Account) {
	if a.Outcome != auditlog.Unanswered {
		return
	}
	f := r.found.of("", func() Finding {
		return Finding{
			Rule: "unanswered", Severity: Medium, Title: "requests for a token without a response",
			Remedy: "Was Vault killed, or the log cut? The engine's log line \"issued a token\" with the request_id tells whether a token was made; GitHub ends it after an hour.",
		}
	})
	f.note(a.Time, a.ID, fmt.Sprintf("%s asked for %s", jobOf(a), roleOf(a)))
}

func (r *unanswered) findings(time.Time, []string) []Finding { return r.found.all() }

// ttlEnded tells how many leases ended by themselves: jobs that revoke leave a
// token alive for less.
type ttlEnded struct {
	noStrays
	roles map[string]*ttlCount
}

type ttlCount struct{ expired, ended int }

func (r *ttlEnded) account(a *ledger.Account) {
	if a.Outcome != auditlog.Issued || a.EndedBy == ledger.EndOpen {
		return
	}
	if r.roles == nil {
		r.roles = map[string]*ttlCount{}
	}
	role := roleOf(a)
	if r.roles[role] == nil {
		r.roles[role] = &ttlCount{}
	}
	r.roles[role].ended++
	if a.EndedBy == ledger.EndExpired {
		r.roles[role].expired++
	}
}

func (r *ttlEnded) findings(time.Time, []string) []Finding {
	var all []Finding
	for _, role := range slices.Sorted(maps.Keys(r.roles)) {
		c := r.roles[role]
		if c.expired == 0 || c.expired*2 < c.ended {
			continue
		}
		all = append(all, Finding{
			Rule: "ended-by-ttl", Severity: Info, Role: role, Count: c.expired,
			Title:  fmt.Sprintf("%d of %d leases ended by their TTL, not by the job", c.expired, c.ended),
			Remedy: "Let jobs revoke what they no longer need: vault-github exec and the GitHub Action do; else vault token revoke -self as the last step. Or give the role a shorter ttl, which jobs renew.",
		})
	}
	return all
}
