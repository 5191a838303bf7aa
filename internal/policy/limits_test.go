package policy

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Limits are looked at when a role is written, and again when a token is asked
// for: the limits may be newer than the role, and only then are templates filled
// in.
func TestLimits(t *testing.T) {
	t.Parallel()
	templated := func(s *Spec) {
		s.Organization, s.Repositories = "{{claims.repository_owner}}", []string{"{{claims.repository}}"}
	}
	all := func(s *Spec) { s.Repositories, s.AllRepositories = nil, true }
	installed := func(s *Spec) { s.Organization, s.InstallationID = "", 42 }
	const (
		denies       = "limits repositories: wanted no repository that the mount's limits deny, seen "
		notAllowed   = `limits organizations: wanted an organization that the mount's limits allow, seen "acme"; ` + remedyLimits
		installation = "limits organizations: wanted an organization that the mount's limits allow, seen an installation by its id; have an administrator name the organization in the role"
	)
	for name, test := range map[string]struct {
		change  func(*Spec)
		limits  Limits
		atWrite string // "" if the role may be written
		atIssue string // "" if the token is granted
		request Request
	}{
		"none":                      {},
		"permissions that fit":      {limits: Limits{Permissions: map[string]string{"contents": "admin", "issues": "read"}}},
		"a permission that exceeds": {limits: Limits{Permissions: map[string]string{"contents": "read", "issues": "read"}}, atWrite: "limits permissions: wanted at most contents=read,issues=read, seen contents=write; " + remedyLimits, atIssue: "limits permissions: wanted at most contents=read,issues=read, seen contents=write; " + remedyLimits},
		"a permission not named":    {limits: Limits{Permissions: map[string]string{"contents": "write"}}, atWrite: "limits permissions: wanted at most contents=write, seen issues=read; " + remedyLimits, atIssue: "limits permissions: wanted at most contents=write, seen issues=read; " + remedyLimits},
		"a request within, of a role beyond": {
			limits:  Limits{Permissions: map[string]string{"contents": "read"}},
			atWrite: "limits permissions: wanted at most contents=read, seen contents=write,issues=read; " + remedyLimits,
			request: Request{Permissions: map[string]string{"contents": "read"}},
		},
		"no permission at all": {
			limits:  Limits{Permissions: map[string]string{}},
			atWrite: "limits permissions: wanted at most none, seen contents=write,issues=read; " + remedyLimits,
			atIssue: "limits permissions: wanted at most none, seen contents=write,issues=read; " + remedyLimits,
		},
		"metadata is GitHub's own": {
			change: func(s *Spec) { s.Permissions = map[string]string{"metadata": "read"} },
			limits: Limits{Permissions: map[string]string{}},
		},

		"its organization":                 {limits: Limits{Organizations: []string{"beta", "ACME"}}},
		"another organization":             {limits: Limits{Organizations: []string{"beta"}}, atWrite: notAllowed, atIssue: notAllowed},
		"an organization from a claim":     {change: templated, limits: Limits{Organizations: []string{"beta"}}, atIssue: notAllowed},
		"its organization from a claim":    {change: templated, limits: Limits{Organizations: []string{"acme"}}},
		"an installation of no known name": {change: installed, limits: Limits{Organizations: []string{"acme"}}, atWrite: installation, atIssue: installation},

		"another repository":                    {limits: Limits{DeniedRepositories: []string{"acme/vault", "9"}}},
		"its repository":                        {limits: Limits{DeniedRepositories: []string{"Acme/API"}}, atWrite: denies + `"api"; ` + remedyLimits, atIssue: denies + `"api"; ` + remedyLimits},
		"its repository, not asked for":         {limits: Limits{DeniedRepositories: []string{"acme/api"}}, request: Request{Repositories: []string{"web"}}, atWrite: denies + `"api"; ` + remedyLimits},
		"another organization's of that name":   {limits: Limits{DeniedRepositories: []string{"beta/api"}}},
		"of that name, of no known owner":       {change: installed, limits: Limits{DeniedRepositories: []string{"beta/api"}}, atWrite: denies + `"api"; ` + remedyLimits, atIssue: denies + `"api"; ` + remedyLimits},
		"a repository from a claim":             {change: templated, limits: Limits{DeniedRepositories: []string{"acme/api"}}, atIssue: denies + `"api"; ` + remedyLimits},
		"a name, in a templated account":        {change: func(s *Spec) { s.Organization = "{{claims.repository_owner}}" }, limits: Limits{DeniedRepositories: []string{"beta/api"}}},
		"its id":                                {change: func(s *Spec) { s.RepositoryIDs = []string{"7"} }, limits: Limits{DeniedRepositories: []string{"7"}}, atWrite: denies + "7; " + remedyLimits, atIssue: denies + "7; " + remedyLimits},
		"its id, beside a template":             {change: func(s *Spec) { templated(s); s.RepositoryIDs = []string{"7"} }, limits: Limits{DeniedRepositories: []string{"7"}}, atWrite: denies + "7; " + remedyLimits, atIssue: denies + "7; " + remedyLimits},
		"one of all":                            {change: all, limits: Limits{DeniedRepositories: []string{"acme/vault"}}, atWrite: denies + "all repositories; " + remedyLimits, atIssue: denies + "all repositories; " + remedyLimits},
		"an id, which may be one of all":        {change: all, limits: Limits{DeniedRepositories: []string{"7"}}, atWrite: denies + "all repositories; " + remedyLimits, atIssue: denies + "all repositories; " + remedyLimits},
		"another organization's, of all":        {change: all, limits: Limits{DeniedRepositories: []string{"beta/vault"}}},
		"one of all, in a templated account":    {change: func(s *Spec) { all(s); s.Organization = "{{claims.repository_owner}}" }, limits: Limits{DeniedRepositories: []string{"acme/vault"}}, atIssue: denies + "all repositories; " + remedyLimits},
		"one of all of an installation":         {change: func(s *Spec) { all(s); installed(s) }, limits: Limits{DeniedRepositories: []string{"beta/vault"}}, atWrite: denies + "all repositories; " + remedyLimits, atIssue: denies + "all repositories; " + remedyLimits},
		"one of all, of which another is asked": {change: all, limits: Limits{DeniedRepositories: []string{"acme/vault"}}, request: Request{Repositories: []string{"api"}}, atWrite: denies + "all repositories; " + remedyLimits},

		"a ttl that fits":     {limits: Limits{MaxTTL: 20 * time.Minute}},
		"a ttl that exceeds":  {limits: Limits{MaxTTL: time.Minute}, atWrite: "limits max_ttl: wanted at most 1m0s, seen 20m0s; " + remedyLimits},
		"a max_ttl that does": {change: func(s *Spec) { s.MaxTTL = 30 * time.Minute }, limits: Limits{MaxTTL: 25 * time.Minute}, atWrite: "limits max_ttl: wanted at most 25m0s, seen 30m0s; " + remedyLimits},
		"no ttl of its own":   {change: func(s *Spec) { s.TTL = 0 }, limits: Limits{MaxTTL: time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spec()
			if test.change != nil {
				test.change(&s)
			}
			role := compile(t, s)
			atWrite := ""
			if errs := test.limits.CheckRole(role); len(errs) > 0 {
				atWrite = errs[0].Error()
			}
			if atWrite != test.atWrite {
				t.Errorf("at write\n%s\nwant\n%s", atWrite, test.atWrite)
			}
			if got := refusal(Decide(role, test.limits, job(), test.request, time.Hour, noon)); got != test.atIssue {
				t.Errorf("at issue\n%s\nwant\n%s", got, test.atIssue)
			}
		})
	}
}

func TestCheckRoleNamesEverythingBeyondTheLimits(t *testing.T) {
	t.Parallel()
	limits := Limits{
		Permissions: map[string]string{"contents": "read"}, Organizations: []string{"beta"},
		DeniedRepositories: []string{"acme/api"}, MaxTTL: time.Minute,
	}
	var rules []string
	for _, err := range limits.CheckRole(compile(t, spec())) {
		var refused *Refusal
		if !errors.As(err, &refused) {
			t.Fatalf("%T: %v", err, err)
		}
		rules = append(rules, refused.Check.Rule)
	}
	want := []string{"limits permissions", "limits organizations", "limits repositories", "limits max_ttl"}
	if diff := cmp.Diff(want, rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// A limit that is misspelt would limit nothing.
func TestLimitsAreValidated(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limits Limits
		want   string
	}{
		"none": {},
		"all": {limits: Limits{
			Permissions: map[string]string{"contents": "write"}, Organizations: []string{"acme"},
			DeniedRepositories: []string{"acme/.github", "7"}, MaxTTL: time.Hour,
		}},
		"an organization with its URL": {Limits{Organizations: []string{"github.com/acme"}}, `organizations: "github.com/acme" is not the name of a GitHub account: letters, digits and '-'`},
		"a repository without owner":   {Limits{DeniedRepositories: []string{"vault"}}, `denied_repositories: "vault" is neither OWNER/NAME nor an id`},
		"a repository by a glob":       {Limits{DeniedRepositories: []string{"acme/*"}}, `denied_repositories: "*" is not the name of a repository: up to 100 letters, digits, '-', '_', '.'`},
		"a repository of nobody":       {Limits{DeniedRepositories: []string{"/vault"}}, `denied_repositories: "" is not the name of a GitHub account: letters, digits and '-'`},
		"an id with a leading zero":    {Limits{DeniedRepositories: []string{"07"}}, `denied_repositories: "07" is neither OWNER/NAME nor an id`},
		"a level":                      {Limits{Permissions: map[string]string{"contents": "none"}}, `permissions: "none" for "contents" is not a level: read, write or admin`},
		"a permission":                 {Limits{Permissions: map[string]string{"pull-requests": "read"}}, `permissions: "pull-requests" is not the name of a permission: small letters and '_', as in pull_requests`},
		"a negative ttl":               {Limits{MaxTTL: -1}, "max_ttl: -1ns is not between 0 and 1h, the life of every installation token"},
	} {
		got := ""
		if err := test.limits.Validate(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", name, got, test.want)
		}
	}
}
