package policy

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// These tests draw roles, limits, callers and requests from a small world, in
// which names meet often, and hold every decision to what must be true of all of
// them. A failure prints what was drawn; the seed is fixed.

const draws = 4_000

// world is acme's repositories, by id.
var world = map[int64]string{1: "api", 2: "web", 3: "doc", 4: "infra", 5: "vault"}

// dice draws from the world.
type dice struct{ *rand.Rand }

// rolled gives a test its own dice for each draw.
func rolled(t *testing.T, test func(d dice)) {
	t.Helper()
	for i := range uint64(draws) {
		test(dice{rand.New(rand.NewPCG(7, i))})
		if t.Failed() {
			t.Fatalf("draw %d", i)
		}
	}
}

func (d dice) often() bool  { return d.IntN(3) > 0 }
func (d dice) seldom() bool { return d.IntN(4) == 0 }

func pick[T any](d dice, items ...T) T { return items[d.IntN(len(items))] }

func some[T any](d dice, items ...T) []T {
	var drawn []T
	for _, item := range items {
		if d.IntN(3) == 0 {
			drawn = append(drawn, item)
		}
	}
	return drawn
}

func (d dice) names() []string { return some(d, "api", "WEB", "doc", "infra", "vault", "gone") }
func (d dice) ids() []int64    { return some[int64](d, 1, 2, 3, 4, 5, 6) }

func (d dice) permissions() map[string]string {
	permissions := map[string]string{}
	for _, name := range some(d, "contents", "issues", "metadata", "secrets") {
		permissions[name] = pick(d, permissionLevels...)
	}
	return permissions
}

func (d dice) spec() Spec {
	s := Spec{
		Organization: pick(d, "acme", "acme", "{{claims.owner}}"),
		Permissions:  d.permissions(),
		TTL:          time.Duration(d.IntN(40)) * time.Minute,
	}
	if d.seldom() {
		s.AllRepositories = true
	} else {
		s.Repositories = append(d.names(), some(d, "{{claims.repository}}")...)
		for _, id := range d.ids() {
			s.RepositoryIDs = append(s.RepositoryIDs, fmt.Sprint(id))
		}
		s.RepositoryIDs = append(s.RepositoryIDs, some(d, "{{claims.id}}")...)
	}
	if d.seldom() {
		s.BoundSubjects = []string{pick(d, "repo:*", "repo:acme/api:*", "*:main", "repo:acme/web:main")}
	}
	if d.seldom() {
		s.BoundClaims = map[string][]any{pick(d, "ref", "event", "n"): {pick[any](d, "main", "push", 5)}}
	}
	if d.IntN(20) == 0 {
		s.Condition = pick(d, conditions...)
	}
	return s
}

// conditions look at the caller alone: one that looks at the request may well be
// met by asking for less.
var conditions = []string{`claims.ref == "main"`, `claims.event != "pull_request"`, `!has(claims.n)`, `identity.alias_name.endsWith("main")`}

func (d dice) caller() Caller {
	claims := map[string]any{
		"owner":      pick(d, "acme", "acme", "acme", "beta", "ACME", "a/b"),
		"repository": pick(d, "acme/api", "acme/web", "beta/api", "doc", "..", "acme/vault"),
		"id":         pick[any](d, "1", 2.0, "5", "x", true),
		"ref":        pick[any](d, "main", "next", nil, []any{"next", "main"}),
		"event":      pick(d, "push", "pull_request"),
		"n":          pick[any](d, 5.0, "5"),
	}
	maps.DeleteFunc(claims, func(string, any) bool { return d.IntN(12) == 0 })
	return Caller{
		Subject: pick(d, "repo:acme/api:main", "repo:acme/web:main", "repo:acme/api:pull", ""),
		Claims:  claims, Verified: d.often(),
	}
}

func (d dice) request() Request {
	var r Request
	if !d.often() {
		r.Repositories = append(d.names(), some(d, "acme/api", "beta/api")...)
	}
	if d.seldom() {
		r.RepositoryIDs = d.ids()
	}
	if d.seldom() {
		r.Permissions = d.permissions()
	}
	if d.seldom() {
		r.TTL = time.Duration(d.IntN(40)) * time.Minute
	}
	return r
}

func (d dice) limits() Limits {
	var l Limits
	if d.seldom() {
		l.Permissions = d.permissions()
	}
	if d.seldom() {
		l.Organizations = []string{pick(d, "Acme", "acme", "beta")}
	}
	if d.seldom() {
		l.DeniedRepositories = some(d, "acme/vault", "acme/API", "beta/doc", "4", "6")
	}
	if d.seldom() {
		l.MaxTTL = time.Duration(1+d.IntN(40)) * time.Minute
	}
	l.RequireIDToken = d.IntN(8) == 0
	return l
}

// question is all that a decision depends on.
type question struct {
	spec    Spec
	limits  Limits
	caller  Caller
	request Request
}

// draw draws until there is a role.
func (d dice) draw() question {
	for {
		q := question{d.spec(), d.limits(), d.caller(), d.request()}
		if _, err := Compile(q.spec); err == nil {
			return q
		}
	}
}

// reach is what a decision comes to: every repository that a token would be good
// for after GitHub's answer, with the permissions and the TTL. nil is nothing.
type reach struct {
	ids         []int64
	permissions map[string]string
	ttl, maxTTL time.Duration
}

// reach decides, asks the world for a token as GitHub would be asked, and
// verifies the answer.
func (q question) reach(t *testing.T) *reach {
	t.Helper()
	d := Decide(compile(t, q.spec), q.limits, q.caller, q.request, 30*time.Minute, noon)
	if !d.Allowed() {
		return nil
	}
	g := d.Grant
	if len(g.Permissions) == 0 || !g.AllRepositories && len(g.Repositories)+len(g.RepositoryIDs) == 0 {
		t.Errorf("%+v\na grant that names nothing, which GitHub reads as everything: %+v", q, g)
	}
	answer := Answer{AllRepositories: g.AllRepositories, Permissions: g.Permissions}
	for _, id := range slices.Sorted(maps.Keys(world)) {
		if g.AllRepositories || containsName(g.Repositories, world[id]) || slices.Contains(g.RepositoryIDs, id) {
			answer.Repositories = append(answer.Repositories, Repository{ID: id, Name: world[id]})
		}
	}
	if g.Verify(answer) != nil {
		return nil
	}
	r := &reach{permissions: g.Permissions, ttl: g.TTL, maxTTL: g.MaxTTL}
	for _, repository := range answer.Repositories {
		r.ids = append(r.ids, repository.ID)
	}
	return r
}

// within reports what a reach holds that another does not.
func (r *reach) within(other *reach) string {
	for _, id := range r.ids {
		if !slices.Contains(other.ids, id) {
			return fmt.Sprintf("repository %d", id)
		}
	}
	if beyond := excess(r.permissions, other.permissions); len(beyond) > 0 {
		return "permissions " + pairs(beyond)
	}
	if r.ttl > other.ttl || r.maxTTL > other.maxTTL {
		return fmt.Sprintf("ttl %s, max_ttl %s", r.ttl, r.maxTTL)
	}
	return ""
}

// filledIn is a second, plain reading of templates.
func (q question) filledIn(text string) string {
	for name, value := range q.caller.Claims {
		text = strings.ReplaceAll(text, "{{claims."+name+"}}", fmt.Sprint(value))
	}
	return strings.ToLower(text)
}

// holds reports whether a repository of acme is one of the role's, asked for, and
// not denied.
func (q question) holds(id int64) bool {
	name, digits := world[id], fmt.Sprint(id)
	inRole := q.spec.AllRepositories ||
		slices.ContainsFunc(q.spec.Repositories, func(s string) bool { return strings.TrimPrefix(q.filledIn(s), "acme/") == name }) ||
		slices.ContainsFunc(q.spec.RepositoryIDs, func(s string) bool { return q.filledIn(s) == digits })
	asked := len(q.request.Repositories)+len(q.request.RepositoryIDs) == 0 || slices.Contains(q.request.RepositoryIDs, id) ||
		containsName(q.request.Repositories, name) || containsName(q.request.Repositories, "acme/"+name)
	denied := containsName(q.limits.DeniedRepositories, "acme/"+name) || slices.Contains(q.limits.DeniedRepositories, digits)
	return inRole && asked && !denied
}

func TestPropertyAGrantIsWithinRoleRequestAndLimits(t *testing.T) {
	t.Parallel()
	allowed := 0
	rolled(t, func(d dice) {
		q := d.draw()
		r := q.reach(t)
		if r == nil {
			return
		}
		allowed++
		organization := q.filledIn(q.spec.Organization)
		for _, id := range r.ids {
			if organization == "acme" && !q.holds(id) {
				t.Errorf("%+v\nrepository %d", q, id)
			}
		}
		if l := q.limits.Organizations; l != nil && !containsName(l, organization) {
			t.Errorf("%+v\norganization %s", q, organization)
		}
		mosts := []map[string]string{q.spec.Permissions}
		if len(q.request.Permissions) > 0 {
			mosts = append(mosts, q.request.Permissions)
		}
		if q.limits.Permissions != nil {
			mosts = append(mosts, q.limits.Permissions)
		}
		for _, most := range mosts {
			if beyond := excess(r.permissions, most); len(beyond) > 0 {
				t.Errorf("%+v\npermissions %v", q, beyond)
			}
		}
		for _, most := range []time.Duration{q.spec.TTL, q.request.TTL, q.limits.MaxTTL, time.Hour} {
			if most != 0 && r.ttl > most {
				t.Errorf("%+v\nttl %s", q, r.ttl)
			}
		}
		if (q.spec.RequireIDToken || q.limits.RequireIDToken) && !q.caller.Verified {
			t.Errorf("%+v\nno ID token", q)
		}
	})
	if allowed < draws/20 {
		t.Errorf("only %d of %d were allowed: the draws say little", allowed, draws)
	}
}

// Adding a restriction never widens, and never turns a refusal into a grant.
func TestPropertyARestrictionNeverWidens(t *testing.T) {
	t.Parallel()
	for name, restrict := range map[string]func(dice, *question){
		"a bound claim": func(d dice, q *question) {
			q.spec.BoundClaims = maps.Clone(q.spec.BoundClaims)
			if q.spec.BoundClaims == nil {
				q.spec.BoundClaims = map[string][]any{}
			}
			for _, name := range []string{"event", "ref", "n"} {
				if q.spec.BoundClaims[name] == nil {
					q.spec.BoundClaims[name] = []any{pick[any](d, "push", "main", 5)}
					return
				}
			}
		},
		"bound subjects": func(d dice, q *question) {
			if q.spec.BoundSubjects == nil {
				q.spec.BoundSubjects = []string{pick(d, "repo:acme/*", "*:main", "*")}
			}
		},
		"a condition": func(d dice, q *question) {
			condition := pick(d, conditions...)
			if q.spec.Condition != "" {
				condition += " && (" + q.spec.Condition + ")"
			}
			q.spec.Condition = condition
		},
		"require_id_token": func(_ dice, q *question) { q.spec.RequireIDToken = true },
		"fewer claims": func(d dice, q *question) {
			q.caller.Claims, q.caller.Verified = maps.Clone(q.caller.Claims), false
			delete(q.caller.Claims, pick(d, "owner", "repository", "id", "ref", "event", "n"))
		},
		"a limit to permissions": func(d dice, q *question) {
			if q.limits.Permissions == nil {
				q.limits.Permissions = d.permissions()
			}
		},
		"a limit to organizations": func(d dice, q *question) {
			if q.limits.Organizations == nil {
				q.limits.Organizations = []string{pick(d, "acme", "beta")}
			}
		},
		"a limit to repositories": func(d dice, q *question) {
			q.limits.DeniedRepositories = append(slices.Clone(q.limits.DeniedRepositories), pick(d, "acme/api", "acme/web", "1", "2", "9"))
		},
		"a limit to ttl": func(d dice, q *question) {
			if limit := time.Duration(1+d.IntN(20)) * time.Minute; q.limits.MaxTTL == 0 || limit < q.limits.MaxTTL {
				q.limits.MaxTTL = limit
			}
		},
		"a limit that requires an ID token": func(_ dice, q *question) { q.limits.RequireIDToken = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rolled(t, func(d dice) {
				before := d.draw()
				after := before
				restrict(d, &after)
				narrow := after.reach(t)
				if narrow == nil {
					return
				}
				wide := before.reach(t)
				if wide == nil {
					t.Errorf("%+v\nis refused, but allowed as\n%+v", before, after)
				} else if beyond := narrow.within(wide); beyond != "" {
					t.Errorf("%+v\nbecomes\n%+v\nwhich widens it by %s", before, after, beyond)
				}
			})
		})
	}
}

// A request that asks for less gets no more. That it gets something where more was
// refused is what requests are for.
func TestPropertyANarrowerRequestNeverWidens(t *testing.T) {
	t.Parallel()
	rolled(t, func(d dice) {
		before := d.draw()
		after := before
		switch r := &after.request; d.IntN(4) {
		case 0:
			if len(r.Repositories) > 1 {
				r.Repositories = r.Repositories[1:]
			} else if len(r.Repositories)+len(r.RepositoryIDs) == 0 {
				r.Repositories = d.names()
			}
		case 1:
			if len(r.RepositoryIDs) > 1 {
				r.RepositoryIDs = r.RepositoryIDs[1:]
			} else if len(r.Repositories)+len(r.RepositoryIDs) == 0 {
				r.RepositoryIDs = d.ids()
			}
		case 2:
			if len(r.Permissions) == 0 {
				r.Permissions = d.permissions()
			} else {
				r.Permissions = maps.Clone(r.Permissions)
				for name := range r.Permissions {
					r.Permissions[name] = "read"
				}
			}
		case 3:
			if r.TTL == 0 {
				r.TTL = time.Duration(1+d.IntN(40)) * time.Minute
			} else {
				r.TTL -= r.TTL / 2
			}
		}
		wide, narrow := before.reach(t), after.reach(t)
		if wide == nil || narrow == nil {
			return
		}
		if beyond := narrow.within(wide); beyond != "" {
			t.Errorf("%+v\nbecomes\n%+v\nwhich widens it by %s", before, after, beyond)
		}
	})
}
