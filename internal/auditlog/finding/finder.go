package finding

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

// Options say what is unusual. The zero value is good.
type Options struct {
	UnusedFor time.Duration // a role without an issuance for so long; 90 days if 0
	Refusals  int           // so many refusals of one job for one reason; 5 if 0
	History   int           // tokens of a role before a new claim is unusual, or a narrower role proposed; 20 if 0
}

// Finder looks at accounts and stray uses as they come. What it holds grows with
// the number of roles, repositories and jobs, not with the log.
type Finder struct {
	rules []rule
}

// rule is one thing to look for.
type rule interface {
	account(a *ledger.Account)
	stray(s ledger.Stray)
	findings(now time.Time, knownRoles []string) []Finding
}

// New is a Finder with every rule.
func New(o Options) *Finder {
	o.UnusedFor = cmp.Or(o.UnusedFor, 90*24*time.Hour)
	o.Refusals = cmp.Or(o.Refusals, 5)
	o.History = cmp.Or(o.History, 20)
	return &Finder{rules: []rule{
		&strayTokens{}, &usedAfterEnd{}, &notRevoked{}, &unanswered{}, &wideningAttempts{}, &repeatedRefusals{least: o.Refusals},
		&unusualClaims{history: o.History}, &neverUsed{}, &unusedScope{history: o.History}, &unusedRoles{after: o.UnusedFor}, &ttlEnded{}, &hashedValues{},
	}}
}

// Account looks at an account.
func (f *Finder) Account(a *ledger.Account) {
	for _, r := range f.rules {
		r.account(a)
	}
}

// Stray looks at a use that no account explains.
func (f *Finder) Stray(s ledger.Stray) {
	for _, r := range f.rules {
		r.stray(s)
	}
}

// Findings are what was found, the worst first. knownRoles are the roles that
// exist, as MOUNT/NAME; without them only those in the log are known.
func (f *Finder) Findings(now time.Time, knownRoles []string) []Finding {
	var all []Finding
	for _, r := range f.rules {
		all = append(all, r.findings(now, knownRoles)...)
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(slices.Index(severities, b.Severity), slices.Index(severities, a.Severity)),
			strings.Compare(a.Rule, b.Rule), cmp.Compare(b.Count, a.Count),
			strings.Compare(a.Role, b.Role), strings.Compare(a.Subject, b.Subject),
		)
	})
	return all
}

// noStrays is for rules that look at accounts alone.
type noStrays struct{}

func (noStrays) stray(ledger.Stray) {}

// mostEvidence is how many lines a finding shows.
const mostEvidence = 5

// note adds one occurrence to a finding.
func (f *Finding) note(at time.Time, requestID, text string) {
	f.Count++
	if f.First.IsZero() || at.Before(f.First) {
		f.First = at
	}
	if at.After(f.Last) {
		f.Last = at
	}
	if len(f.Evidence) < mostEvidence {
		f.Evidence = append(f.Evidence, Evidence{Time: at, RequestID: requestID, Text: text})
	}
}

// roleOf names a role with its mount: MOUNT/NAME.
func roleOf(a *ledger.Account) string {
	return a.Namespace + a.Mount + a.Role
}

// jobOf names who asked: the subject of the token, or how Vault displays the
// caller.
func jobOf(a *ledger.Account) string {
	if a.Grant != nil && a.Grant.Subject != "" && !auditlog.Hashed(a.Grant.Subject) {
		return a.Grant.Subject
	}
	if a.Login["repository"] != "" {
		return a.Login["repository"]
	}
	return cmp.Or(a.DisplayName, a.EntityID, "unknown caller")
}

// groups are findings by key, in the order in which they came, at most so many
// that nobody reads more.
type groups struct {
	byKey map[string]*Finding
	order []*Finding
	// left counts keys beyond the most.
	left int
}

const mostGroups = 10_000

func (g *groups) of(key string, begin func() Finding) *Finding {
	if f := g.byKey[key]; f != nil {
		return f
	}
	f := begin()
	if len(g.order) >= mostGroups {
		g.left++
		return &f // counted nowhere, but for left
	}
	if g.byKey == nil {
		g.byKey = map[string]*Finding{}
	}
	g.byKey[key] = &f
	g.order = append(g.order, &f)
	return &f
}

func (g *groups) all() []Finding {
	var all []Finding
	for _, f := range g.order {
		all = append(all, *f)
	}
	return all
}
