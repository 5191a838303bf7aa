package githubsecrets

import (
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestRoleWriteWarns(t *testing.T) {
	t.Parallel()
	good := map[string]any{
		"organization": "acme", "repositories": "api", "permissions": "contents=read", "app": "default",
		"bound_subjects": "repo:acme/api:ref:refs/heads/main",
	}
	tests := map[string]struct {
		change map[string]any
		want   string // a part of the one warning; empty for none
	}{
		"not of a good role":                     {nil, ""},
		"not of a permission with a dash":        {map[string]any{"permissions": "pull-requests=read"}, ""},
		"not of a bound environment":             {map[string]any{"bound_subjects": "repo:acme/*:environment:prod"}, ""},
		"not of a glob over branches":            {map[string]any{"bound_subjects": "repo:acme/api:ref:refs/heads/*"}, ""},
		"not of ref with event_name":             {map[string]any{"bound_claims": map[string]any{"ref": "refs/heads/main", "event_name": "push"}}, ""},
		"not of a name with its id":              {map[string]any{"bound_claims": map[string]any{"repository": "acme/api", "repository_id": "7"}}, ""},
		"not of reading secrets' names":          {map[string]any{"permissions": "secrets=read"}, ""},
		"of a role that binds nobody":            {map[string]any{"bound_subjects": nil}, "the role binds nobody"},
		"of a condition that is always met":      {map[string]any{"bound_subjects": nil, "condition": "true"}, "the role binds nobody"},
		"of a condition on the request alone":    {map[string]any{"bound_subjects": nil, "condition": `request.ttl < duration("600s")`}, "the role binds nobody"},
		"not of such a condition beside a rule":  {map[string]any{"condition": `request.ttl < duration("600s")`}, ""},
		"not of a condition on the job's groups": {map[string]any{"bound_subjects": nil, "condition": `"ci" in identity.groups`}, ""},
		"of pull requests":                       {map[string]any{"bound_subjects": "repo:acme/api:*"}, `"repo:acme/api:*" lets jobs of pull requests through`},
		"of pull requests of every repository":   {map[string]any{"bound_subjects": "repo:acme/*"}, "pull requests"},
		"of pull requests by name":               {map[string]any{"bound_subjects": "repo:acme/api:pull_request"}, "pull requests"},
		"of pull requests in the sub claim":      {map[string]any{"bound_claims": map[string]any{"sub": []any{"repo:acme/api:*"}}, "bound_claims_type": "glob"}, "pull requests"},
		"of * alone":                             {map[string]any{"bound_subjects": "*"}, `"*" alone`},
		"of * alone in a claim":                  {map[string]any{"bound_claims": "actor=*", "bound_claims_type": "glob"}, `bound_claims actor: "*" alone`},
		"of ref without event_name":              {map[string]any{"bound_claims": "ref=refs/heads/main"}, "pull_request_target"},
		"of ref without event_name in CEL":       {map[string]any{"condition": `claims.ref == "refs/heads/main"`}, "pull_request_target"},
		"of stars alone":                         {map[string]any{"bound_subjects": "**"}, `"*" alone`},
		"of a name without its id":               {map[string]any{"bound_claims": "repository=acme/api"}, "bind repository_id"},
		"of administration":                      {map[string]any{"permissions": "administration=write"}, "administration=write"},
		"of an organization's settings":          {map[string]any{"permissions": "organization-secrets=write"}, "organization_secrets=write"},
		"of secrets":                             {map[string]any{"permissions": "secrets=write"}, "secrets=write"},
		"of a permission that is not documented": {map[string]any{"permissions": "content=read"}, "content: not among the names"},
		"of an App that is not there":            {map[string]any{"app": "gone"}, `the App "gone" is not configured yet`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.trustIssuer(nil)
			data := map[string]any{}
			for field, value := range good {
				data[field] = value
			}
			for field, value := range test.change {
				data[field] = value
				if value == nil {
					delete(data, field)
				}
			}
			got := e.must(logical.CreateOperation, "roles/r", data).Warnings
			switch {
			case test.want == "" && len(got) != 0:
				t.Errorf("warned without cause: %q", got)
			case test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)):
				t.Errorf("warnings are %q, want one with %q", got, test.want)
			}
		})
	}
}
