package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCompileRefusesWhatIsNoRole(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Spec)
		want   string
	}{
		"no account": {
			func(s *Spec) { s.Organization = "" },
			"give organization (a user account's name will do) or installation_id",
		},
		"two accounts": {
			func(s *Spec) { s.InstallationID = 7 },
			"give either organization or installation_id, not both",
		},
		"a negative installation": {
			func(s *Spec) { s.Organization, s.InstallationID = "", -1 },
			"installation_id: -1 is not an id: a whole number from 1 to 9007199254740991",
		},
		"an organization with a slash": {
			func(s *Spec) { s.Organization = "acme/api" },
			`organization: "acme/api" is not the name of a GitHub account: letters, digits and '-'`,
		},
		"an organization that no claim could complete": {
			func(s *Spec) { s.Organization = "a b{{claims.x}}" },
			`organization: "a b1" is not the name of a GitHub account: letters, digits and '-'`,
		},
		"no repository": {
			func(s *Spec) { s.Repositories = nil },
			"name repositories or repository_ids, or say repository_selection=all to mean every repository of the installation",
		},
		"repositories and all": {
			func(s *Spec) { s.AllRepositories = true },
			"repository_selection=all and repositories or repository_ids exclude each other",
		},
		"501 repositories": {
			func(s *Spec) {
				s.Repositories = nil
				for i := range 501 {
					s.RepositoryIDs = append(s.RepositoryIDs, fmt.Sprint(i+1))
				}
			},
			"501 repositories are too many: GitHub takes 500 for one token",
		},
		"an empty repository": {
			func(s *Spec) { s.Repositories = []string{""} },
			`repositories: "" is not the name of a repository: up to 100 letters, digits, '-', '_', '.'`,
		},
		"a repository above": {
			func(s *Spec) { s.Repositories = []string{".."} },
			`repositories: ".." is not the name of a repository: up to 100 letters, digits, '-', '_', '.'`,
		},
		"another owner's repository": {
			func(s *Spec) { s.Repositories = []string{"evil/api"} },
			`repositories: "evil/api" is not of the role's organization "acme"`,
		},
		"an owner without an organization": {
			func(s *Spec) { s.Organization, s.InstallationID, s.Repositories = "", 7, []string{"acme/api"} },
			`repositories: give "acme/api" without its owner, or name the organization of the role`,
		},
		"a template's owner without an organization": {
			func(s *Spec) { s.Organization, s.InstallationID, s.Repositories = "", 7, []string{"{{claims.o}}/api"} },
			`repositories: give "{{claims.o}}/api" without its owner, or name the organization of the role`,
		},
		"a repository twice, in another case": {
			func(s *Spec) { s.Repositories = []string{"api", "acme/API"} },
			`repositories: "acme/API" is named twice`,
		},
		"a repository that no claim could complete": {
			func(s *Spec) { s.Repositories = []string{"a,{{claims.x}}"} },
			`repositories: "a,1" is not the name of a repository: up to 100 letters, digits, '-', '_', '.'`,
		},
		"an ill-formed template": {
			func(s *Spec) { s.Repositories = []string{"{{foo}}"} },
			`repositories: "{{foo}}" is not {{claims.NAME}}, with letters, digits, '_' and '-' in NAME`,
		},
		"an id with a leading zero": {
			func(s *Spec) { s.RepositoryIDs = []string{"010"} },
			`repository_ids: "010" is not an id: a whole number from 1 to 9007199254740991, written without sign, point or leading zeros`,
		},
		"an id beyond what JSON holds": {
			func(s *Spec) { s.RepositoryIDs = []string{"9007199254740992"} },
			`repository_ids: "9007199254740992" is not an id: a whole number from 1 to 9007199254740991, written without sign, point or leading zeros`,
		},
		"an id twice": {
			func(s *Spec) { s.RepositoryIDs = []string{"7", "7"} },
			"repository_ids: 7 is named twice",
		},
		"an id's template with a text": {
			func(s *Spec) { s.RepositoryIDs = []string{"x{{claims.id}}"} },
			`repository_ids: "x1" is not an id: a whole number from 1 to 9007199254740991, written without sign, point or leading zeros`,
		},
		"no permission": {
			func(s *Spec) { s.Permissions = nil },
			"permissions are missing: name each, as in permissions=contents=read; there is no word for all",
		},
		"a permission with a capital": {
			func(s *Spec) { s.Permissions = map[string]string{"Contents": "read"} },
			`permissions: "Contents" is not the name of a permission: small letters and '_', as in pull_requests`,
		},
		"an unknown level": {
			func(s *Spec) { s.Permissions = map[string]string{"contents": "all"} },
			`permissions: "all" for "contents" is not a level: read, write or admin`,
		},
		"a ttl that GitHub does not give": {
			func(s *Spec) { s.TTL = 2 * time.Hour },
			"ttl: 2h0m0s is not between 0 and 1h, the life of every installation token",
		},
		"a negative max_ttl": {
			func(s *Spec) { s.MaxTTL = -time.Second },
			"max_ttl: -1s is not between 0 and 1h, the life of every installation token",
		},
		"a ttl above max_ttl": {
			func(s *Spec) { s.MaxTTL = time.Minute },
			"ttl: 20m0s is more than max_ttl, 1m0s",
		},
		"an empty subject": {
			func(s *Spec) { s.BoundSubjects = []string{"a", ""} },
			`bound_subjects: "" matches nobody; name a subject, or a glob such as "repo:acme/*"`,
		},
		"an unknown type of bound claims": {
			func(s *Spec) { s.BoundClaimsType = "regex" },
			`bound_claims_type: "regex" is neither string nor glob`,
		},
		"a bound claim without values": {
			func(s *Spec) { s.BoundClaims = map[string][]any{"ref": {}} },
			`bound_claims: "ref": no value is named: nothing would match`,
		},
		"a bound claim without a name": {
			func(s *Spec) { s.BoundClaims = map[string][]any{"": {"x"}} },
			`bound_claims: "": a claim needs a name`,
		},
		"a bound claim that is an object": {
			func(s *Spec) { s.BoundClaims = map[string][]any{"ref": {map[string]any{"a": 1}}} },
			`bound_claims: "ref": an object is not a text, a number or a boolean`,
		},
		"a bound claim that is null": {
			func(s *Spec) { s.BoundClaims = map[string][]any{"ref": {nil}} },
			`bound_claims: "ref": null is not a text, a number or a boolean`,
		},
		"a glob that is a number": {
			func(s *Spec) { s.BoundClaims, s.BoundClaimsType = map[string][]any{"id": {5}}, "glob" },
			`bound_claims: "id": 5 is not a text: only texts match globs; use bound_claims_type=string`,
		},
		"an ill-formed JSON pointer": {
			func(s *Spec) { s.BoundClaims = map[string][]any{"/a~b": {"x"}} },
			`bound_claims: "/a~b": in a JSON pointer, ~ is written ~0 and / in a name ~1`,
		},
		"a condition that is misspelt": {
			func(s *Spec) { s.Condition = "claims.ref == 'x' &&\n  claim.actor == 'y'" },
			"condition: line 2, column 3: undeclared reference to 'claim' (did you mean 'claims'?)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role, err := Compile(spec(test.change))
			if err == nil || err.Error() != test.want || role != nil {
				t.Errorf("role %v, error\n%v\nwant\n%s", role, err, test.want)
			}
		})
	}
}

func TestCompileAcceptsRoles(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Spec){
		"names with the owner":       func(s *Spec) { s.Repositories = []string{"ACME/api", ".github"} },
		"an installation":            func(s *Spec) { s.Organization, s.InstallationID = "", 7 },
		"all repositories":           func(s *Spec) { s.Repositories, s.AllRepositories = nil, true },
		"a literal owner, templated": func(s *Spec) { s.Organization, s.Repositories = "{{claims.o}}", []string{"acme/api"} },
		"a permission of tomorrow":   func(s *Spec) { s.Permissions = map[string]string{"quantum_runners": "write"} },
		"no ttl":                     func(s *Spec) { s.TTL = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Compile(spec(change)); err != nil {
				t.Error(err)
			}
		})
	}
}

// What a role needs to know of a caller decides whether it can ever be met
// without an ID token.
func TestRoleNamesTheClaimsThatItUses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Spec)
		want   []string
		binds  bool
	}{
		"none":             {func(*Spec) {}, nil, false},
		"a subject":        {func(s *Spec) { s.BoundSubjects = []string{"*"} }, nil, true},
		"a required token": {func(s *Spec) { s.RequireIDToken = true }, nil, true},
		"templates": {func(s *Spec) {
			s.Organization, s.Repositories, s.RepositoryIDs = "{{claims.owner}}", []string{"{{claims.a}}-{{claims.b}}"}, []string{"{{claims.id}}"}
		}, []string{"a", "b", "id", "owner"}, true},
		"bound claims, by name and by pointer": {func(s *Spec) {
			s.BoundClaims = map[string][]any{"ref": {"x"}, "/job/steps/0": {"y"}, "/a~1b": {"z"}}
		}, []string{"a/b", "job", "ref"}, true},
		"the condition's": {func(s *Spec) {
			s.Condition = `claims.ref == "x" && has(claims.env.name) && claims["sub"] == .claims.sha && "actor" in claims && identity.alias_name != ""`
		}, []string{"actor", "env", "ref", "sha", "sub"}, true},
		"any, by a name that is computed": {func(s *Spec) { s.Condition = `claims[claims.key] == "x"` }, []string{"*", "key"}, true},
		"any, as a whole":                 {func(s *Spec) { s.Condition = `claims.exists(name, name == "x")` }, []string{"*"}, true},
		"any, compared":                   {func(s *Spec) { s.Condition = `claims == {"a": "b"}` }, []string{"*"}, true},
		"any, in a list":                  {func(s *Spec) { s.Condition = `claims in [{"a": "b"}]` }, []string{"*"}, true},
		"any, to a function":              {func(s *Spec) { s.Condition = `size(claims) > 3` }, []string{"*"}, true},
		"one in several places":           {func(s *Spec) { s.BoundClaims, s.Condition = map[string][]any{"ref": {"x"}}, `claims.ref == "x"` }, []string{"ref"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role := compile(t, spec(test.change))
			if diff := cmp.Diff(test.want, role.Claims()); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			if role.Binds() != test.binds {
				t.Errorf("Binds() = %v", role.Binds())
			}
		})
	}
}

// A role is decided on by many requests at once; what one fills in must not show
// in another's.
func TestRoleIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	role := compile(t, spec(func(s *Spec) {
		s.Repositories = []string{"a", "b", "c", "{{claims.repository}}"} // len < cap of what append makes
		s.Condition = `claims.repository.startsWith("acme/")`
	}))
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			name := strings.Repeat("x", i+1)
			caller := job(func(c *Caller) { c.Claims["repository"] = "acme/" + name })
			for range 200 {
				d := Decide(role, Limits{}, caller, Request{}, time.Hour, noon)
				if diff := cmp.Diff([]string{"a", "b", "c", name}, d.Grant.Repositories); diff != "" {
					t.Fatalf("repositories (-want +got):\n%s", diff)
				}
			}
		})
	}
}
