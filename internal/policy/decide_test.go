package policy

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// spec is a role that binds nothing, changed by the functions given.
func spec(changes ...func(*Spec)) Spec {
	s := Spec{
		Organization: "acme",
		Repositories: []string{"api", "web"},
		Permissions:  map[string]string{"contents": "write", "issues": "read"},
		TTL:          20 * time.Minute,
	}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func compile(t testing.TB, s Spec) *Role {
	t.Helper()
	role, err := Compile(s)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return role
}

// job is a caller who presented the ID token of a push to acme/api.
func job(changes ...func(*Caller)) Caller {
	c := Caller{
		Subject:  "repo:acme/api:ref:refs/heads/main",
		Verified: true,
		Claims: map[string]any{
			"repository": "acme/api", "repository_id": "700000001", "repository_owner": "acme",
			"ref": "refs/heads/main", "event_name": "push", "run_attempt": 1.0,
		},
		EntityID: "entity-1", EntityName: "api", Groups: []string{"ci"},
		Metadata: map[string]string{"team": "core"}, RemoteAddress: "192.0.2.7",
	}
	for _, change := range changes {
		change(&c)
	}
	return c
}

func unverified(c *Caller) {
	c.Verified = false
	c.Claims = map[string]any{"repository": "acme/api", "repository_owner": "acme"}
}

// refusal is why a decision is no, "" if it is yes.
func refusal(d Decision) string {
	if err := d.Refusal(); err != nil {
		return err.Error()
	}
	return ""
}

func TestDecideGrantsWhatTheRoleGivesWhereNothingIsAsked(t *testing.T) {
	t.Parallel()
	d := Decide(compile(t, spec()), Limits{}, job(), Request{}, time.Hour, noon)
	want := Grant{
		Organization: "acme", Repositories: []string{"api", "web"}, AllowedNames: []string{"api", "web"},
		Permissions: map[string]string{"contents": "write", "issues": "read"},
		TTL:         20 * time.Minute, MaxTTL: time.Hour,
	}
	if diff := cmp.Diff(want, d.Grant); diff != "" || !d.Allowed() || d.Refusal() != nil {
		t.Errorf("refusal %v, grant (-want +got):\n%s", d.Refusal(), diff)
	}
}

// Every rule has its row, whether it passed or not, and the first that failed is
// the refusal.
func TestDecideShowsEveryRuleAndRefusesWithTheFirst(t *testing.T) {
	t.Parallel()
	role := compile(t, spec(func(s *Spec) {
		s.Organization, s.Repositories = "{{claims.repository_owner}}", []string{"{{claims.repository}}", "shared"}
		s.BoundSubjects = []string{"repo:acme/*"}
		s.BoundClaims = map[string][]any{"ref": {"refs/heads/main"}, "event_name": {"push", "workflow_dispatch"}}
		s.Condition = `request.ttl <= duration("10m")`
		s.RequireIDToken = true
	}))
	limits := Limits{Organizations: []string{"acme"}, Permissions: map[string]string{"contents": "write"}, DeniedRepositories: []string{"acme/vault"}}
	caller := job(func(c *Caller) { c.Claims["ref"] = "refs/pull/7/merge" })
	request := Request{Repositories: []string{"api"}, Permissions: map[string]string{"contents": "read"}, TTL: 5 * time.Minute}

	d := Decide(role, limits, caller, request, time.Hour, noon)
	want := []Check{
		{Rule: "require_id_token", Wanted: "the job's ID token", Seen: "a verified one", Pass: true},
		{Rule: "bound_subjects", Wanted: `like "repo:acme/*"`, Seen: `"repo:acme/api:ref:refs/heads/main"`, Pass: true},
		{Rule: "bound_claims event_name", Wanted: `one of "push", "workflow_dispatch"`, Seen: `"push"`, Pass: true},
		{Rule: "bound_claims ref", Wanted: `"refs/heads/main"`, Seen: `"refs/pull/7/merge"`, Remedy: remedyRole},
		{Rule: "organization", Wanted: "{{claims.repository_owner}}", Seen: `"acme"`, Pass: true},
		{Rule: "repositories", Wanted: "{{claims.repository}}", Seen: `"acme/api"`, Pass: true},
		{Rule: "request repositories", Wanted: `within "shared", "api"`, Seen: `"api"`, Pass: true},
		{Rule: "request permissions", Wanted: "at most contents=write,issues=read", Seen: "contents=read", Pass: true},
		{Rule: "request ttl", Wanted: "at most 20m0s", Seen: "5m0s", Pass: true},
		{Rule: "limits organizations", Wanted: "an organization that the mount's limits allow", Seen: `"acme"`, Pass: true},
		{Rule: "limits repositories", Wanted: wantedNotDenied, Seen: `"api"`, Pass: true},
		{Rule: "limits permissions", Wanted: "at most contents=write", Seen: "contents=read", Pass: true},
		{Rule: "condition", Wanted: `request.ttl <= duration("10m")`, Seen: "true", Pass: true},
	}
	if diff := cmp.Diff(want, d.Checks); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Grant{}, d.Grant); diff != "" {
		t.Errorf("a refusal grants something:\n%s", diff)
	}
	var refused *Refusal
	if !errors.As(d.Refusal(), &refused) || refused.Check.Rule != "bound_claims ref" {
		t.Fatalf("refusal %v", d.Refusal())
	}
	if want := `bound_claims ref: wanted "refs/heads/main", seen "refs/pull/7/merge"; ` + remedyRole; refused.Error() != want {
		t.Errorf("refusal\n%s\nwant\n%s", refused, want)
	}
}

// Where a template cannot be filled in, the rules that build on it are shown, and
// none is guessed.
func TestDecideShowsRulesThatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	role := compile(t, spec(func(s *Spec) {
		s.Repositories, s.RepositoryIDs = nil, []string{"{{claims.project_id}}"}
		s.Condition = "request.repository_ids.all(id, id > 0)"
	}))
	d := Decide(role, Limits{Organizations: []string{"acme"}}, job(), Request{TTL: time.Hour}, time.Hour, noon)
	var rules []string
	for _, c := range d.Checks {
		if !c.Pass {
			rules = append(rules, c.Rule)
		}
	}
	if diff := cmp.Diff([]string{"repository_ids", "request ttl", "condition"}, rules); diff != "" {
		t.Errorf("rules refused (-want +got):\n%s", diff)
	}
}

func TestDecideBindsTheCaller(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Spec)
		limits Limits
		caller Caller
		want   string
	}{
		"an ID token that the role requires": {
			change: func(s *Spec) { s.RequireIDToken = true },
			caller: job(unverified),
			want:   "require_id_token: wanted the job's ID token, seen none; present it (id_token)",
		},
		"an ID token that the mount requires": {
			limits: Limits{RequireIDToken: true},
			caller: job(unverified),
			want:   "require_id_token: wanted the job's ID token, seen none; present it (id_token)",
		},
		"an ID token that is presented": {
			change: func(s *Spec) { s.RequireIDToken = true },
			limits: Limits{RequireIDToken: true},
			caller: job(),
		},
		"one subject of several": {
			change: func(s *Spec) { s.BoundSubjects = []string{"repo:acme/web:*", "repo:*:ref:refs/heads/main"} },
			caller: job(unverified),
		},
		"another subject": {
			change: func(s *Spec) { s.BoundSubjects = []string{"repo:acme/api:*", "repo:acme/web"} },
			caller: job(func(c *Caller) { c.Subject = "repo:acme/web:pull_request" }),
			want:   `bound_subjects: wanted like one of "repo:acme/api:*", "repo:acme/web", seen "repo:acme/web:pull_request"; ` + remedyRole,
		},
		"no subject, whatever the glob": {
			change: func(s *Spec) { s.BoundSubjects = []string{"*"} },
			caller: job(func(c *Caller) { c.Subject = "" }),
			want:   `bound_subjects: wanted like "*", seen none; log in to Vault by the auth mount of the role's issuer`,
		},
		"a role that binds nothing": {caller: Caller{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spec()
			if test.change != nil {
				test.change(&s)
			}
			d := Decide(compile(t, s), test.limits, test.caller, Request{}, time.Hour, noon)
			if got := refusal(d); got != test.want {
				t.Errorf("refusal\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func BenchmarkDecide(b *testing.B) {
	role := compile(b, benchmarkSpec())
	caller := job()
	for b.Loop() {
		if d := Decide(role, Limits{}, caller, Request{}, time.Hour, noon); !d.Allowed() {
			b.Fatal(d.Refusal())
		}
	}
}

func BenchmarkDecideWithCondition(b *testing.B) {
	s := benchmarkSpec()
	s.Condition = `claims.ref.startsWith("refs/heads/") && request.ttl <= duration("30m")`
	role := compile(b, s)
	caller := job()
	for b.Loop() {
		if d := Decide(role, Limits{}, caller, Request{}, time.Hour, noon); !d.Allowed() {
			b.Fatal(d.Refusal())
		}
	}
}

// benchmarkSpec gives every repository a token for itself.
func benchmarkSpec() Spec {
	return spec(func(s *Spec) {
		s.Organization, s.Repositories, s.RepositoryIDs = "{{claims.repository_owner}}", nil, []string{"{{claims.repository_id}}"}
		s.BoundClaims = map[string][]any{"repository_owner": {"acme"}, "ref": {"refs/heads/main"}, "event_name": {"push"}}
	})
}
