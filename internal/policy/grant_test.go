package policy

import (
	"errors"
	"testing"
)

// A token is used only if GitHub's own answer shows that it is good for nothing
// but what the job asked for and the role holds.
func TestVerify(t *testing.T) {
	t.Parallel()
	type repositories = []Repository
	read := map[string]string{"contents": "read"}
	names := Grant{Repositories: []string{"api", "web"}, AllowedNames: []string{"api", "web", "doc"}, Permissions: read}
	ids := Grant{RepositoryIDs: []int64{7}, AllowedIDs: []int64{7, 8}, Permissions: read}
	nameOfID := Grant{Repositories: []string{"api"}, AllowedIDs: []int64{7}, Permissions: read}
	idOfName := Grant{RepositoryIDs: []int64{7}, AllowedNames: []string{"api"}, Permissions: read}
	all := Grant{AllRepositories: true, Permissions: read}
	const unproven = "request repositories: wanted an answer of GitHub's with the name and id of "
	for name, test := range map[string]struct {
		grant  Grant
		answer Answer
		want   string
	}{
		"as asked":                       {names, Answer{Repositories: repositories{{7, "api"}, {8, "Web"}}, Permissions: read}, ""},
		"less than asked":                {names, Answer{Repositories: repositories{{7, "api"}}}, ""},
		"nothing said":                   {names, Answer{}, ""},
		"metadata, which GitHub adds":    {names, Answer{Permissions: map[string]string{"contents": "read", "metadata": "read"}}, ""},
		"a higher level":                 {names, Answer{Permissions: map[string]string{"contents": "write"}}, "GitHub granted more than was asked: permissions contents=write"},
		"more permissions":               {names, Answer{Permissions: map[string]string{"issues": "read", "metadata": "write"}}, "GitHub granted more than was asked: permissions issues=read,metadata=write"},
		"a level of tomorrow":            {names, Answer{Permissions: map[string]string{"contents": "triage"}}, "GitHub granted more than was asked: permissions contents=triage"},
		"another repository":             {names, Answer{Repositories: repositories{{7, "api"}, {9, "infra"}}}, `GitHub granted more than was asked: repository "infra" (id 9)`},
		"the role's, but not asked for":  {names, Answer{Repositories: repositories{{9, "doc"}}}, `GitHub granted more than was asked: repository "doc" (id 9)`},
		"all repositories":               {names, Answer{AllRepositories: true}, "GitHub granted more than was asked: all repositories"},
		"all repositories, as asked":     {all, Answer{AllRepositories: true, Repositories: repositories{{9, "x"}}, Permissions: read}, ""},
		"more permissions on all":        {all, Answer{Permissions: map[string]string{"contents": "admin"}}, "GitHub granted more than was asked: permissions contents=admin"},
		"a name, of all":                 {Grant{Repositories: []string{"api"}}, Answer{Repositories: repositories{{7, "api"}}}, ""},
		"another name, of all":           {Grant{Repositories: []string{"api"}}, Answer{Repositories: repositories{{8, "web"}}}, `GitHub granted more than was asked: repository "web" (id 8)`},
		"no grant":                       {Grant{}, Answer{Repositories: repositories{{8, "web"}}}, `GitHub granted more than was asked: repository "web" (id 8)`},
		"an id":                          {ids, Answer{Repositories: repositories{{7, "whatever"}}}, ""},
		"another id":                     {ids, Answer{Repositories: repositories{{8, "api"}}}, `GitHub granted more than was asked: repository "api" (id 8)`},
		"a name that is the role's id":   {nameOfID, Answer{Repositories: repositories{{7, "API"}}}, ""},
		"a name that is another id":      {nameOfID, Answer{Repositories: repositories{{9, "api"}}}, `request repositories: wanted within 7, seen "api"; ` + remedyNarrow},
		"a name, of which nothing said":  {nameOfID, Answer{}, unproven + `"api", seen none; ask for repositories as the role names them`},
		"a name that was another's":      {nameOfID, Answer{Repositories: repositories{{7, "renamed"}}}, `GitHub granted more than was asked: repository "renamed" (id 7)`},
		"an id that has the role's name": {idOfName, Answer{Repositories: repositories{{7, "Api"}}}, ""},
		"an id that has another name":    {idOfName, Answer{Repositories: repositories{{7, "infra"}}}, `request repositories: wanted within "api", seen 7; ` + remedyNarrow},
		"an id, of which nothing said":   {idOfName, Answer{}, unproven + "7, seen none; ask for repositories as the role names them"},
		"a name whose id is denied": {
			Grant{Repositories: []string{"api"}, AllowedNames: []string{"api"}, DeniedIDs: []int64{7}},
			Answer{Repositories: repositories{{7, "api"}}},
			`limits repositories: wanted no repository that the mount's limits deny, seen "api"; ` + remedyLimits,
		},
		"an id whose name is denied": {
			Grant{RepositoryIDs: []int64{7}, AllowedIDs: []int64{7}, DeniedNames: []string{"Vault"}},
			Answer{Repositories: repositories{{7, "vault"}}},
			`limits repositories: wanted no repository that the mount's limits deny, seen 7; ` + remedyLimits,
		},
		"a name whose id is not denied": {
			Grant{Repositories: []string{"api"}, AllowedNames: []string{"api"}, DeniedIDs: []int64{8}},
			Answer{Repositories: repositories{{7, "api"}}},
			"",
		},
		"a name whose id may be denied": {
			Grant{Repositories: []string{"api"}, AllowedNames: []string{"api"}, DeniedIDs: []int64{8}},
			Answer{},
			unproven + `"api", seen none; ask for repositories as the role names them`,
		},
		"an id whose name may be denied": {
			Grant{RepositoryIDs: []int64{7}, AllowedIDs: []int64{7}, DeniedNames: []string{"vault"}},
			Answer{},
			unproven + `7, seen none; ask for repositories as the role names them`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := test.grant.Verify(test.answer); err != nil {
				got = err.Error()
				var excess *Excess
				var refused *Refusal
				if errors.As(err, &excess) == errors.As(err, &refused) {
					t.Errorf("%T is neither an Excess nor a Refusal", err)
				}
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
