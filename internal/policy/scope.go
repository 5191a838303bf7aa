package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	remedyRole   = "run a job whose claims fit, or have an administrator change the role"
	remedyNarrow = "ask for less, or have an administrator change the role"
)

// scope is a set of repositories, with no template left in it.
type scope struct {
	organization string // "" where the role names an installation instead
	names        []string
	ids          []int64
	all          bool
}

func (s scope) String() string {
	if s.all {
		return "all repositories"
	}
	items := make([]string, 0, len(s.names)+len(s.ids))
	for _, name := range s.names {
		items = append(items, quote(name))
	}
	for _, id := range s.ids {
		items = append(items, strconv.FormatInt(id, 10))
	}
	return joinSome(items, func(item string) string { return item })
}

// mayHoldName reports whether a repository can be in the scope. Where the scope
// holds ids, any name can be: GitHub's answer shows whose id it is, see
// [Grant.Verify].
func (s scope) mayHoldName(name string) bool {
	return s.all || len(s.ids) > 0 || containsName(s.names, name)
}

func (s scope) mayHoldID(id int64) bool {
	return s.all || len(s.names) > 0 || slices.Contains(s.ids, id)
}

// spelling is a name as the scope has it, which a condition can rely on.
func (s scope) spelling(name string) string {
	if i := slices.IndexFunc(s.names, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
		return s.names[i]
	}
	return name
}

// expand fills the role's templates in, with a check for each field that holds
// any.
func (r *Role) expand(caller Caller) (scope, []Check) {
	s := r.fixed
	// What is added must not land in the role's own slices.
	s.names, s.ids = slices.Clip(s.names), slices.Clip(s.ids)
	var checks []Check
	if r.organization != nil {
		checks = append(checks, fillIn("organization", []template{*r.organization}, caller, s.setOrganization))
	}
	if len(r.repositories) > 0 {
		checks = append(checks, fillIn("repositories", r.repositories, caller, s.addRepository))
	}
	if len(r.repositoryIDs) > 0 {
		checks = append(checks, fillIn("repository_ids", r.repositoryIDs, caller, s.addID))
	}
	return s, checks
}

// fillIn gives the claims to each template of a field, and what comes of it to
// the scope.
func fillIn(field string, templates []template, caller Caller, add func(template, map[string]any) (string, error)) Check {
	c := Check{Rule: field, Wanted: joinSome(templates, func(t template) string { return t.source })}
	filled := make([]string, 0, len(templates))
	for _, t := range templates {
		text, err := add(t, caller.Claims)
		if err != nil {
			c.Seen, c.Remedy = err.Error(), remedyRole
			if errors.Is(err, errMissing) {
				c.Remedy = missingClaimRemedy(caller)
			}
			return c
		}
		filled = append(filled, text)
	}
	c.Seen, c.Pass = joinSome(filled, quote), true
	return c
}

func (s *scope) setOrganization(t template, claims map[string]any) (string, error) {
	text, err := t.expand(claims)
	if err != nil {
		return "", err
	}
	s.organization = text
	return text, checkLogin(text)
}

func (s *scope) addRepository(t template, claims map[string]any) (string, error) {
	text, err := t.expandRepository(claims)
	if err != nil {
		return "", err
	}
	name, err := bareName(text, s.organization)
	if err == nil && !containsName(s.names, name) {
		s.names = append(s.names, name)
	}
	return text, err
}

func (s *scope) addID(t template, claims map[string]any) (string, error) {
	text, err := t.expand(claims)
	if err != nil {
		return "", err
	}
	id, err := parseID(text)
	if err == nil && !slices.Contains(s.ids, id) {
		s.ids = append(s.ids, id)
	}
	return text, err
}

// narrow is the part of the scope that the request asks for: all of it where it
// names no repository.
func (s scope) narrow(request Request) (scope, []Check) {
	named := len(request.Repositories) + len(request.RepositoryIDs)
	if named == 0 {
		return s, nil
	}
	c := Check{Rule: "request repositories", Wanted: "within " + s.String()}
	if named > maxRepositories {
		c.Wanted = fmt.Sprintf("at most %d repositories, which GitHub takes for one token", maxRepositories)
		c.Seen, c.Remedy = strconv.Itoa(named), "ask for fewer"
		return scope{}, []Check{c}
	}
	asked, outside := s.sift(request)
	if len(outside) > 0 {
		c.Seen, c.Remedy = strings.Join(outside, ", "), remedyNarrow
	} else {
		c.Seen, c.Pass = asked.String(), true
	}
	return asked, []Check{c}
}

// sift splits a request into what may be within the scope and what is outside.
func (s scope) sift(request Request) (asked scope, outside []string) {
	asked.organization = s.organization
	for _, written := range request.Repositories {
		name, err := bareName(written, s.organization)
		switch {
		case err != nil:
			outside = append(outside, err.Error())
		case !s.mayHoldName(name):
			outside = append(outside, quote(written))
		case !containsName(asked.names, name):
			asked.names = append(asked.names, s.spelling(name))
		}
	}
	for _, id := range request.RepositoryIDs {
		switch {
		case !validID(id) || !s.mayHoldID(id):
			outside = append(outside, strconv.FormatInt(id, 10))
		case !slices.Contains(asked.ids, id):
			asked.ids = append(asked.ids, id)
		}
	}
	return asked, outside
}

// narrowPermissions are those that the request asks for: all that the role has
// where it names none.
func (r *Role) narrowPermissions(request Request) (map[string]string, []Check) {
	if len(request.Permissions) == 0 {
		return r.spec.Permissions, nil
	}
	c := Check{Rule: "request permissions", Wanted: "at most " + pairs(r.spec.Permissions), Seen: pairs(request.Permissions), Pass: true}
	if outside := excess(request.Permissions, r.spec.Permissions); len(outside) > 0 {
		c.Seen, c.Pass, c.Remedy = pairs(outside), false, remedyNarrow
	}
	return request.Permissions, []Check{c}
}

// excess is what permissions hold beyond those allowed. The metadata that GitHub
// adds to every token is always allowed.
func excess(permissions, allowed map[string]string) map[string]string {
	beyond := map[string]string{}
	for name, level := range permissions {
		if !implied(name, level) && !LevelCovers(allowed[name], level) {
			beyond[name] = level
		}
	}
	return beyond
}

// ttl is how long the lease lasts and how long it can be kept alive, both within
// the mount's limit unless that is 0.
func (r *Role) ttl(asked, mountDefault, limit time.Duration) (ttl, maxTTL time.Duration, checks []Check) {
	maxTTL = maxTokenTTL
	for _, most := range []time.Duration{r.spec.MaxTTL, limit} {
		if most != 0 {
			maxTTL = min(maxTTL, most)
		}
	}
	ttl = r.spec.TTL
	if ttl == 0 {
		ttl = mountDefault
	}
	ttl = min(ttl, maxTTL)
	if asked == 0 {
		return ttl, maxTTL, nil
	}
	c := Check{Rule: "request ttl", Wanted: "at most " + ttl.String(), Seen: asked.String(), Pass: 0 < asked && asked <= ttl}
	if !c.Pass {
		c.Remedy = "ask for less, or leave ttl out"
	}
	return asked, maxTTL, []Check{c}
}
