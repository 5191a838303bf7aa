package finding

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

// repeatedRefusals finds jobs that are refused again and again: broken, or
// trying.
type repeatedRefusals struct {
	noStrays
	least int
	found groups
}

func (r *repeatedRefusals) account(a *ledger.Account) {
	if a.Outcome != auditlog.Refused || a.Reason == "github" {
		return
	}
	role, job := roleOf(a), jobOf(a)
	f := r.found.of(role+"\x00"+job+"\x00"+a.Reason+"\x00"+ruleOf(a.Error), func() Finding {
		return Finding{
			Rule: "repeated-refusal", Severity: Medium, Role: role, Subject: job,
			Title:  "refused again and again: " + cmp.Or(ruleOf(a.Error), a.Reason),
			Remedy: "Either the job is set up wrongly (vault-github check ROLE shows each rule), or it asks for what it must not have: ask its owners.",
		}
	})
	f.note(a.Time, a.ID, a.Error)
}

// ruleOf is the part of a refusal that names the rule: what stands before the
// values wanted and seen.
func ruleOf(message string) string {
	if auditlog.Hashed(message) {
		return "" // the same text has the same hash, but says nothing
	}
	rule, _, _ := strings.Cut(message, ": wanted ")
	if len(rule) > 120 {
		rule = rule[:120] + "…"
	}
	return rule
}

func (r *repeatedRefusals) findings(time.Time, []string) []Finding {
	return slices.DeleteFunc(r.found.all(), func(f Finding) bool { return f.Count < r.least })
}

// wideningAttempts finds requests for more than a role gives.
type wideningAttempts struct {
	noStrays
	found groups
}

func (r *wideningAttempts) account(a *ledger.Account) {
	if a.Outcome != auditlog.Refused || !strings.Contains(a.Error, ": request ") {
		return
	}
	role, job := roleOf(a), jobOf(a)
	f := r.found.of(role+"\x00"+job, func() Finding {
		return Finding{
			Rule: "asked-for-more", Severity: Low, Role: role, Subject: job, Title: "asked for more than the role gives",
			Remedy: "Nothing was issued. If the job needs it, give it a role of its own; if not, ask its owners why it asks.",
		}
	})
	f.note(a.Time, a.ID, a.Error)
}

func (r *wideningAttempts) findings(time.Time, []string) []Finding { return r.found.all() }

// unusedRoles finds roles that nobody needs any more.
type unusedRoles struct {
	noStrays
	after       time.Duration
	last        map[string]time.Time
	first, done time.Time // of the log
}

func (r *unusedRoles) account(a *ledger.Account) {
	if r.first.IsZero() {
		r.first = a.Time
	}
	r.done = a.Time
	if a.Outcome != auditlog.Issued {
		return
	}
	if r.last == nil {
		r.last = map[string]time.Time{}
	}
	r.last[roleOf(a)] = a.Time
}

func (r *unusedRoles) findings(now time.Time, knownRoles []string) []Finding {
	if r.first.IsZero() || now.Sub(r.first) < r.after {
		return nil // the log is too short to tell
	}
	roles := slices.Collect(maps.Keys(r.last))
	roles = append(roles, knownRoles...)
	slices.Sort(roles)
	var all []Finding
	for _, role := range slices.Compact(roles) {
		last := r.last[role]
		if now.Sub(last) < r.after {
			continue
		}
		f := Finding{
			Rule: "unused-role", Severity: Low, Role: role, Count: 1, Last: last,
			Title:  fmt.Sprintf("no token was issued for %d days", int(r.after.Hours()/24)),
			Remedy: "Delete the role, or disable it first and see who asks.",
		}
		if mount, name, ok := cutRole(role); ok {
			f.Proposal = "vault write " + quoted(mount+"roles/"+name) + " disabled=true"
		}
		all = append(all, f)
	}
	return all
}

// cutRole splits MOUNT/NAME.
func cutRole(role string) (mount, name string, ok bool) {
	i := strings.LastIndexByte(role, '/')
	if i < 0 {
		return "", "", false
	}
	return role[:i+1], role[i+1:], true
}

// hashedValues tells of issuances that cannot be read.
type hashedValues struct {
	noStrays
	mounts map[string]int
}

func (r *hashedValues) account(a *ledger.Account) {
	if a.Grant == nil || !auditlog.Hashed(a.Grant.HashedToken) && !auditlog.Hashed(a.Grant.Scope) {
		return
	}
	if r.mounts == nil {
		r.mounts = map[string]int{}
	}
	r.mounts[a.Mount]++
}

func (r *hashedValues) findings(time.Time, []string) []Finding {
	var all []Finding
	for _, mount := range slices.Sorted(maps.Keys(r.mounts)) {
		all = append(all, Finding{
			Rule: "hashed-values", Severity: Info, Count: r.mounts[mount],
			Title:    "issuances whose scope or hashed_token Vault hashed, at " + mount,
			Remedy:   "Nothing in these values is secret. Tune the mount, and they are readable from then on; vault-github setup does it with all that is useful.",
			Proposal: auditlog.TuneLine(mount, "hashed_token", "scope"),
		})
	}
	return all
}
