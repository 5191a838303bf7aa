package policy

import (
	"fmt"
	"slices"
	"time"
)

// Caller is who asks.
type Caller struct {
	// Subject is the name of the caller's alias: its user claim.
	Subject string
	// Claims are as JSON is decoded, with numbers as float64 or json.Number.
	Claims map[string]any
	// Verified says that Claims are those of the job's own ID token, all of them.
	// Else they are the few that are known from the caller's identity in Vault.
	Verified bool

	EntityID, EntityName string
	Groups               []string
	Metadata             map[string]string // of the entity
	RemoteAddress        string
}

// Request is what the caller asks for. What it leaves out is what the role gives.
type Request struct {
	Repositories  []string // with or without their owner
	RepositoryIDs []int64
	Permissions   map[string]string
	TTL           time.Duration
}

// Check is one rule, and how it went.
type Check struct {
	Rule   string // such as "bound_claims ref"
	Wanted string
	Seen   string
	Pass   bool
	Remedy string // what helps, if it did not pass
}

// Decision is every rule that was looked at, and what is granted if all passed.
type Decision struct {
	Checks []Check
	Grant  Grant // empty unless Allowed
}

// Allowed reports whether every check passed.
func (d Decision) Allowed() bool { return passed(d.Checks) }

// Refusal is the error for the first check that failed, a [*Refusal]; nil if the
// decision is to allow.
func (d Decision) Refusal() error {
	for _, c := range d.Checks {
		if !c.Pass {
			return &Refusal{c}
		}
	}
	return nil
}

// Refusal is the error for a rule that was not met.
type Refusal struct{ Check Check }

func (r *Refusal) Error() string {
	return fmt.Sprintf("%s: wanted %s, seen %s; %s", r.Check.Rule, r.Check.Wanted, r.Check.Seen, r.Check.Remedy)
}

// Decide looks at every rule of the role and the limits. mountDefault is how long
// a lease lasts where neither role nor request says.
func Decide(role *Role, limits Limits, caller Caller, request Request, mountDefault time.Duration, now time.Time) Decision {
	checks := role.checkCaller(caller, limits.RequireIDToken)
	grant, scopeChecks := role.grant(limits, caller, request, mountDefault)
	checks = append(checks, scopeChecks...)
	switch {
	case role.condition == nil:
	case passed(scopeChecks):
		checks = append(checks, role.condition.check(caller, grant, now))
	default:
		checks = append(checks, role.condition.undecided())
	}
	if !passed(checks) {
		return Decision{Checks: checks}
	}
	return Decision{Checks: checks, Grant: grant}
}

// checkCaller looks at who the caller is.
func (r *Role) checkCaller(caller Caller, requireIDToken bool) []Check {
	checks := make([]Check, 0, 8)
	if r.spec.RequireIDToken || requireIDToken {
		checks = append(checks, checkIDToken(caller))
	}
	if len(r.spec.BoundSubjects) > 0 {
		checks = append(checks, r.checkSubject(caller))
	}
	for _, claim := range r.claims {
		checks = append(checks, claim.check(caller))
	}
	return checks
}

func checkIDToken(caller Caller) Check {
	c := Check{Rule: "require_id_token", Wanted: "the job's ID token", Seen: "a verified one", Pass: caller.Verified}
	if !c.Pass {
		c.Seen, c.Remedy = "none", "present it (id_token)"
	}
	return c
}

func (r *Role) checkSubject(caller Caller) Check {
	c := Check{Rule: "bound_subjects", Wanted: "like " + oneOf(r.spec.BoundSubjects, quote), Seen: quote(caller.Subject)}
	switch {
	case caller.Subject == "":
		c.Seen, c.Remedy = "none", "log in to Vault by the auth mount of the role's issuer"
	case matchAny(r.spec.BoundSubjects, caller.Subject):
		c.Pass = true
	default:
		c.Remedy = remedyRole
	}
	return c
}

// grant is what the caller would get, with the checks of what it asks for.
func (r *Role) grant(limits Limits, caller Caller, request Request, mountDefault time.Duration) (Grant, []Check) {
	permissions, permissionChecks := r.narrowPermissions(request)
	ttl, maxTTL, ttlChecks := r.ttl(request.TTL, mountDefault, limits.MaxTTL)
	allowed, checks := r.expand(caller)
	if !passed(checks) {
		return Grant{}, slices.Concat(checks, permissionChecks, ttlChecks)
	}
	asked, repositoryChecks := allowed.narrow(request)
	checks = slices.Concat(checks, repositoryChecks, permissionChecks, ttlChecks, limits.check(asked, permissions))
	deniedNames, deniedIDs := limits.denied(asked.organization)
	return Grant{
		Organization: asked.organization, InstallationID: r.spec.InstallationID,
		Repositories: asked.names, RepositoryIDs: asked.ids, AllRepositories: asked.all,
		Permissions: permissions, TTL: ttl, MaxTTL: maxTTL,
		AllowedNames: allowed.names, AllowedIDs: allowed.ids,
		DeniedNames: deniedNames, DeniedIDs: deniedIDs,
	}, checks
}

func passed(checks []Check) bool {
	for _, c := range checks {
		if !c.Pass {
			return false
		}
	}
	return true
}

// missingClaimRemedy says how a claim that the caller lacks can be had.
func missingClaimRemedy(caller Caller) string {
	if caller.Verified {
		return "the job's ID token does not hold it; have an administrator change the role"
	}
	return "present the job's ID token (id_token)"
}
