package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	ruleLimitRepositories = "limits repositories"
	wantedNotDenied       = "no repository that the mount's limits deny"
	remedyLimits          = "have an administrator change the role, or the mount's limits"
)

// Limits bound every role of a mount. The zero value limits nothing.
type Limits struct {
	// Permissions are the highest levels that a role may grant; one that is not
	// named may not be granted. nil is no limit.
	Permissions map[string]string
	// Organizations are those that a role may name; none is no limit.
	Organizations []string
	// DeniedRepositories are never granted: each is OWNER/NAME, or an id in digits.
	DeniedRepositories []string
	// MaxTTL is the longest that a lease may be kept alive; 0 is no limit.
	MaxTTL time.Duration
	// RequireIDToken refuses callers who present no ID token, for every role.
	RequireIDToken bool
}

// Validate checks the limits themselves: what is misspelt would limit nothing.
func (l Limits) Validate() error {
	for _, name := range l.Organizations {
		if err := checkLogin(name); err != nil {
			return fmt.Errorf("organizations: %w", err)
		}
	}
	for _, written := range l.DeniedRepositories {
		if err := checkDenied(written); err != nil {
			return fmt.Errorf("denied_repositories: %w", err)
		}
	}
	if l.MaxTTL < 0 || l.MaxTTL > maxTokenTTL {
		return fmt.Errorf("max_ttl: %s is not between 0 and 1h, the life of every installation token", l.MaxTTL)
	}
	return checkPermissions(l.Permissions)
}

func checkDenied(written string) error {
	owner, name, owned := strings.Cut(written, "/")
	if !owned {
		if _, err := parseID(written); err != nil {
			return fmt.Errorf("%s is neither OWNER/NAME nor an id", quote(written))
		}
		return nil
	}
	if err := checkLogin(owner); err != nil {
		return err
	}
	return checkRepository(name)
}

// CheckRole says what of a role is beyond the limits. What only a caller's claims
// decide is left to [Decide], which looks at everything again.
func (l Limits) CheckRole(role *Role) []error {
	fixed := role.fixed
	checks := l.checkPermissions(role.spec.Permissions)
	if role.organization == nil {
		checks = append(checks, l.checkOrganization(fixed.organization)...)
	} else {
		fixed.names, fixed.all = nil, false
	}
	checks = append(checks, l.checkRepositories(fixed)...)
	checks = append(checks, l.checkTTL(max(role.spec.TTL, role.spec.MaxTTL))...)
	var errs []error
	for _, c := range checks {
		if !c.Pass {
			errs = append(errs, &Refusal{c})
		}
	}
	return errs
}

// check compares what would be granted, one check for each limit that is set.
func (l Limits) check(s scope, permissions map[string]string) []Check {
	return slices.Concat(l.checkOrganization(s.organization), l.checkRepositories(s), l.checkPermissions(permissions))
}

func (l Limits) checkOrganization(organization string) []Check {
	if len(l.Organizations) == 0 {
		return nil
	}
	c := Check{Rule: "limits organizations", Wanted: "an organization that the mount's limits allow", Seen: quote(organization), Remedy: remedyLimits}
	switch {
	case organization == "":
		c.Seen, c.Remedy = "an installation by its id", "have an administrator name the organization in the role"
	case containsName(l.Organizations, organization):
		c.Pass, c.Remedy = true, ""
	}
	return []Check{c}
}

func (l Limits) checkPermissions(permissions map[string]string) []Check {
	if l.Permissions == nil {
		return nil
	}
	c := Check{Rule: "limits permissions", Wanted: "at most " + pairs(l.Permissions), Seen: pairs(permissions), Pass: true}
	if beyond := excess(permissions, l.Permissions); len(beyond) > 0 {
		c.Seen, c.Pass, c.Remedy = pairs(beyond), false, remedyLimits
	}
	return []Check{c}
}

func (l Limits) checkRepositories(s scope) []Check {
	if len(l.DeniedRepositories) == 0 {
		return nil
	}
	names, ids := l.denied(s.organization)
	hit := scope{
		names: slices.DeleteFunc(slices.Clone(s.names), func(name string) bool { return !containsName(names, name) }),
		ids:   slices.DeleteFunc(slices.Clone(s.ids), func(id int64) bool { return !slices.Contains(ids, id) }),
		// Nothing can be left out of all repositories.
		all: s.all && len(names)+len(ids) > 0,
	}
	c := Check{Rule: ruleLimitRepositories, Wanted: wantedNotDenied, Seen: s.String(), Pass: true}
	if hit.all || len(hit.names)+len(hit.ids) > 0 {
		c.Seen, c.Pass, c.Remedy = hit.String(), false, remedyLimits
	}
	return []Check{c}
}

func (l Limits) checkTTL(ttl time.Duration) []Check {
	if l.MaxTTL == 0 || ttl <= l.MaxTTL {
		return nil
	}
	return []Check{{Rule: "limits max_ttl", Wanted: "at most " + l.MaxTTL.String(), Seen: ttl.String(), Remedy: remedyLimits}}
}

// denied are the repositories denied that may be an organization's: by name, its
// own; by id, all, as ids do not say whose they are. Where the organization is
// not known, "", every name may be its.
func (l Limits) denied(organization string) (names []string, ids []int64) {
	for _, written := range l.DeniedRepositories {
		owner, name, owned := strings.Cut(written, "/")
		if !owned {
			id, _ := strconv.ParseInt(written, 10, 64)
			ids = append(ids, id)
		} else if organization == "" || strings.EqualFold(owner, organization) {
			names = append(names, name)
		}
	}
	return names, ids
}
