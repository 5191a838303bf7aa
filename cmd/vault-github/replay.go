package main

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	githubsecrets "vault-plugin-secrets-github"
	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
	"vault-plugin-secrets-github/internal/policy"
)

// replayResult is what a role would have done with a request of the past.
type replayResult string

const (
	wouldRefuse   replayResult = "refused"     // it got a token
	wouldLack     replayResult = "would lack"  // it would get one, without what it was used for
	newlyAllowed  replayResult = "new"         // it was refused by a rule
	cannotTell    replayResult = "cannot tell" // the log does not show enough
	stillGranted  replayResult = "granted"
	stillNarrower replayResult = "narrower" // granted less than it was, and did not use the rest
	stillRefused  replayResult = "still refused"
)

// replayOrder is that of the table: what breaks first.
var replayOrder = []replayResult{wouldRefuse, wouldLack, newlyAllowed, cannotTell, stillNarrower, stillGranted, stillRefused}

// replayed is one request of the past.
type replayed struct {
	Time      time.Time    `json:"time"`
	RequestID string       `json:"request_id"`
	Job       string       `json:"job"`
	Result    replayResult `json:"result"`
	Why       string       `json:"why,omitempty"`
}

// replayGroup is the requests with the same result for the same reason.
type replayGroup struct {
	Result  replayResult `json:"result"`
	Why     string       `json:"why,omitempty"`
	Count   int          `json:"count"`
	Example replayed     `json:"example"`
}

// replay tries a role on requests as they come.
type replay struct {
	proposal *githubsecrets.Proposal
	prefix   string // of display names, before the alias name
	total    int
	grouped  map[string]*replayGroup
}

func newReplay(p *githubsecrets.Proposal) *replay {
	return &replay{proposal: p, grouped: map[string]*replayGroup{}}
}

// decide tries the role on a request; false for one that the role has nothing to
// do with.
func (r *replay) decide(a *ledger.Account) (replayed, bool) {
	if a.Outcome == auditlog.Unanswered || a.Outcome == auditlog.Refused && a.Reason != "policy" {
		return replayed{}, false // what it would have got is not the role's matter
	}
	d := replayed{Time: a.Time, RequestID: a.ID, Job: jobOf(a)}
	d.Result, d.Why = r.result(a)
	r.total++
	key := string(d.Result) + "\x00" + d.Why
	g := r.grouped[key]
	if g == nil {
		g = &replayGroup{Result: d.Result, Why: d.Why, Example: d}
		r.grouped[key] = g
	}
	g.Count++
	return d, true
}

// groups are the results, those that break something first, the most frequent
// first.
func (r *replay) groups() []replayGroup {
	all := make([]replayGroup, 0, len(r.grouped))
	for _, g := range r.grouped {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b replayGroup) int {
		return cmp.Or(cmp.Compare(slices.Index(replayOrder, a.Result), slices.Index(replayOrder, b.Result)),
			cmp.Compare(b.Count, a.Count), strings.Compare(a.Why, b.Why))
	})
	return all
}

// breaks reports whether a request that got a token would not get it, or not
// what it needed.
func (r *replay) breaks() bool {
	for _, g := range r.grouped {
		if g.Result == wouldRefuse || g.Result == wouldLack {
			return true
		}
	}
	return false
}

// result is what the role would have done, and why.
func (r *replay) result(a *ledger.Account) (replayResult, string) {
	issued := a.Outcome == auditlog.Issued
	if r.proposal.Disabled() {
		if issued {
			return wouldRefuse, "the role is disabled"
		}
		return stillRefused, "the role is disabled"
	}
	caller := r.callerOf(a)
	request, unreadable := requestOf(a.Asked)
	decision := r.proposal.Decide(caller, request, a.Time)
	missing := r.missingClaims(caller)
	if refusal, certain := firstCertain(decision, missing); !decision.Allowed() && certain {
		if issued {
			return wouldRefuse, whyOf(refusal)
		}
		return stillRefused, whyOf(refusal)
	}
	switch {
	case len(missing) > 0:
		return cannotTell, "the log does not show " + strings.Join(missing, ", ")
	case !decision.Allowed():
		refusal, _ := firstFailed(decision)
		return cannotTell, whyOf(refusal)
	case unreadable:
		return cannotTell, "Vault hashed what the request asked for"
	case !issued:
		return newlyAllowed, "was refused: " + a.Error
	}
	return compare(a, decision.Grant)
}

// callerOf is who asked, as far as the log shows it.
func (r *replay) callerOf(a *ledger.Account) policy.Caller {
	claims := map[string]any{}
	for name, value := range a.Login {
		claims[name] = value
	}
	shown := a.Asked.IDToken
	subject := ""
	if g := a.Grant; g != nil {
		for name, value := range g.Claims {
			if !auditlog.Hashed(value) {
				claims[name] = value
			}
		}
		shown = shown || len(g.Claims) > 0
		if g.Subject != "" && !auditlog.Hashed(g.Subject) {
			subject = g.Subject
			if prefix, ok := strings.CutSuffix(a.DisplayName, subject); ok {
				r.prefix = prefix
			}
		}
	}
	if subject == "" {
		subject = r.aliasOf(a.DisplayName)
	}
	return policy.Caller{Subject: subject, Claims: claims, Verified: shown, EntityID: a.EntityID, RemoteAddress: a.RemoteAddr}
}

// aliasOf is the alias name in a display name, behind the auth mount's path. What
// that is, issued tokens have shown, or it ends with the first dash.
func (r *replay) aliasOf(displayName string) string {
	if alias, ok := strings.CutPrefix(displayName, r.prefix); ok && r.prefix != "" {
		return alias
	}
	if _, alias, ok := strings.Cut(displayName, "-"); ok {
		return alias
	}
	return displayName
}

// missingClaims are those that the role needs and the log does not show.
func (r *replay) missingClaims(caller policy.Caller) []string {
	var missing []string
	for _, claim := range r.proposal.Claims() {
		if _, ok := caller.Claims[claim]; !ok {
			if claim == "*" {
				claim = "every claim, which the condition may look at"
			}
			missing = append(missing, claim)
		}
	}
	return missing
}

// firstCertain is the first refusal that does not come of a claim which the log
// does not show.
func firstCertain(d policy.Decision, missing []string) (policy.Check, bool) {
	for _, check := range d.Checks {
		if check.Pass {
			continue
		}
		claim, bound := strings.CutPrefix(check.Rule, "bound_claims ")
		switch {
		case len(missing) == 0,
			bound && !slices.Contains(missing, topLevel(claim)),
			check.Rule == "bound_subjects", check.Rule == "require_id_token":
			return check, true
		}
	}
	return policy.Check{}, false
}

// topLevel is the claim that a JSON pointer begins with.
func topLevel(claim string) string {
	if rest, ok := strings.CutPrefix(claim, "/"); ok {
		claim, _, _ = strings.Cut(rest, "/")
	}
	return claim
}

func firstFailed(d policy.Decision) (policy.Check, bool) {
	for _, check := range d.Checks {
		if !check.Pass {
			return check, true
		}
	}
	return policy.Check{}, false
}

func whyOf(c policy.Check) string {
	return c.Rule + ": wanted " + c.Wanted + ", seen " + c.Seen
}

// requestOf is what the request asked for; true if Vault hashed some of it.
func requestOf(asked auditlog.Asked) (policy.Request, bool) {
	var (
		request    policy.Request
		unreadable bool
	)
	for _, name := range asked.Repositories {
		unreadable = unreadable || auditlog.Hashed(name)
		request.Repositories = append(request.Repositories, name)
	}
	for _, text := range asked.RepositoryIDs {
		id, err := strconv.ParseInt(text, 10, 64)
		unreadable = unreadable || err != nil
		request.RepositoryIDs = append(request.RepositoryIDs, id)
	}
	for name, level := range asked.Permissions {
		unreadable = unreadable || auditlog.Hashed(level) || auditlog.Hashed(name)
		if request.Permissions == nil {
			request.Permissions = map[string]string{}
		}
		request.Permissions[strings.ReplaceAll(name, "-", "_")] = level
	}
	if unreadable {
		return policy.Request{}, true
	}
	if seconds, err := strconv.Atoi(asked.TTL); err == nil {
		request.TTL = time.Duration(seconds) * time.Second
	} else if ttl, err := time.ParseDuration(asked.TTL); err == nil {
		request.TTL = ttl
	}
	return request, false
}

// compare holds what the role would grant against what was granted, and against
// what the token was used for.
func compare(a *ledger.Account, grant policy.Grant) (replayResult, string) {
	for _, need := range slices.Sorted(maps.Keys(a.Usage.Permissions)) {
		name, level, ok := strings.Cut(need, "=")
		if ok && name != "metadata" && !covers(grant.Permissions[name], level) {
			return wouldLack, "permissions: " + need + " was used"
		}
	}
	if lost := lostRepository(a, grant); lost != "" {
		return wouldLack, "repositories: " + lost + " was used"
	}
	for name, level := range a.Grant.Permissions {
		if name != "metadata" && !covers(grant.Permissions[name], level) && !auditlog.Hashed(level) {
			return stillNarrower, ""
		}
	}
	if ttl := time.Duration(a.Grant.TTL) * time.Second; grant.TTL < ttl {
		return stillNarrower, "the lease would be " + grant.TTL.String() + ", not " + ttl.String()
	}
	if !grant.AllRepositories && a.Grant.Selection == "all" || len(grant.Repositories) > 0 && len(grant.Repositories) < len(a.Grant.Repositories) {
		return stillNarrower, ""
	}
	return stillGranted, ""
}

// lostRepository is one that the token was used on and that the role would not
// grant. By ids alone it cannot be told.
func lostRepository(a *ledger.Account, grant policy.Grant) string {
	if grant.AllRepositories || len(grant.RepositoryIDs) > 0 || len(grant.Repositories) == 0 {
		return ""
	}
	for _, used := range a.Usage.Repositories {
		name := used[strings.LastIndexByte(used, '/')+1:]
		if !slices.ContainsFunc(grant.Repositories, func(granted string) bool { return strings.EqualFold(granted, name) }) {
			return used
		}
	}
	return ""
}

var levelOrder = []string{"", "read", "write", "admin"}

func covers(granted, needed string) bool {
	return slices.Index(levelOrder, granted) >= slices.Index(levelOrder, needed)
}
