package githubsecrets

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/oidctest"
)

func TestARequestNarrowsAndNeverWidens(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		role  map[string]any
		asked func(ids map[string]int64) map[string]any
		scope string // of the token; empty if refused
		says  []string
	}{
		"fewer repositories":       {nil, func(map[string]int64) map[string]any { return map[string]any{"repositories": "web"} }, "acme: web: contents=write,issues=read,metadata=read", nil},
		"by its full name":         {nil, func(map[string]int64) map[string]any { return map[string]any{"repositories": "acme/web"} }, "acme: web: ", nil},
		"fewer permissions":        {nil, func(map[string]int64) map[string]any { return map[string]any{"permissions": "issues=read"} }, "acme: api,web: issues=read,metadata=read", nil},
		"lower permissions":        {nil, func(map[string]int64) map[string]any { return map[string]any{"permissions": "contents=read"} }, "acme: api,web: contents=read,metadata=read", nil},
		"the role's names by id":   {nil, func(ids map[string]int64) map[string]any { return map[string]any{"repository_ids": []any{ids["web"]}} }, "acme: web: ", nil},
		"the role's ids by name":   {map[string]any{"repositories": nil, "repository_ids": "WEB"}, func(map[string]int64) map[string]any { return map[string]any{"repositories": "web"} }, "acme: web: ", nil},
		"one of all":               {map[string]any{"repositories": nil, "repository_selection": "all"}, func(map[string]int64) map[string]any { return map[string]any{"repositories": "docs"} }, "acme: docs: ", nil},
		"another repository":       {nil, func(map[string]int64) map[string]any { return map[string]any{"repositories": "web,docs"} }, "", []string{"request repositories", "docs"}},
		"another's id":             {nil, func(ids map[string]int64) map[string]any { return map[string]any{"repository_ids": []any{ids["docs"]}} }, "", []string{"request repositories"}},
		"a name not among the ids": {map[string]any{"repositories": nil, "repository_ids": "WEB"}, func(map[string]int64) map[string]any { return map[string]any{"repositories": "docs"} }, "", []string{"repositories", "docs"}},
		"another permission": {nil, func(map[string]int64) map[string]any {
			return map[string]any{"permissions": "contents=write,pull_requests=read"}
		}, "", []string{"request permissions", "pull_requests=read"}},
		"a higher permission": {nil, func(map[string]int64) map[string]any { return map[string]any{"permissions": "issues=write"} }, "", []string{"request permissions", "issues=write"}},
		"another owner":       {nil, func(map[string]int64) map[string]any { return map[string]any{"repositories": "evil/web"} }, "", []string{"evil/web"}},
		"no repositories":     {nil, func(map[string]int64) map[string]any { return map[string]any{"repositories": ""} }, "", []string{"empty"}},
		"no permissions":      {nil, func(map[string]int64) map[string]any { return map[string]any{"permissions": map[string]any{}} }, "", []string{"empty"}},
		"a parent directory":  {map[string]any{"repositories": nil, "repository_selection": "all"}, func(map[string]int64) map[string]any { return map[string]any{"repositories": "../evil"} }, "", []string{"../evil"}},
	}
	for name, test := range tests {
		for _, op := range []logical.Operation{logical.ReadOperation, logical.UpdateOperation} {
			t.Run(name+"/"+string(op), func(t *testing.T) {
				t.Parallel()
				e := newReadyEngine(t)
				e.mustWriteRole("ids", map[string]any{"repositories": "api,web,docs"})
				all := e.must(logical.ReadOperation, "token/ids", nil)
				ids := map[string]int64{}
				for i, name := range all.data("repositories").([]string) {
					ids[name] = all.data("repository_ids").([]int64)[i]
				}
				e.github.RevokeToken(all.data("token").(string))
				role := map[string]any{"repositories": "api,web", "permissions": "contents=write,issues=read"}
				for field, value := range test.role {
					role[field] = value
					if value == "WEB" {
						role[field] = idText(ids["web"])
					}
				}
				e.mustWriteRole("ci", role)
				a := e.do(t.Context(), op, "token/ci", test.asked(ids))
				if test.scope == "" {
					if a.status != http.StatusForbidden && a.status != http.StatusBadRequest {
						t.Errorf("status %d (%s), want a refusal", a.status, a.err)
					}
					a.wantRefusal(t, a.status, test.says...)
					e.wantNoLiveToken()
					return
				}
				if a.status != http.StatusOK || !strings.HasPrefix(a.data("scope").(string), test.scope) {
					t.Errorf("status %d (%s), want scope %s", a.status, a.err, test.scope)
				}
			})
		}
	}
}

func TestOneRoleServesEveryRepositoryWithATokenForItself(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		role   map[string]any
		alias  string
		claims map[string]any
		scope  string
		says   string
	}{
		"by its name":            {map[string]any{"organization": "{{claims.repository_owner}}", "repositories": "{{claims.repository}}"}, "acme/web", nil, "acme: web: ", ""},
		"a name beside":          {map[string]any{"repositories": "api,{{claims.repository}}"}, "acme/web", nil, "acme: api,web: ", ""},
		"of another owner":       {map[string]any{"repositories": "{{claims.repository}}"}, "evil/web", nil, "", "repository"},
		"with a slash too many":  {map[string]any{"repositories": "{{claims.repository}}"}, "acme/web/x", nil, "", "repository"},
		"with a parent":          {map[string]any{"repositories": "{{claims.repository}}"}, "acme/..", nil, "", "repository"},
		"with a template inside": {map[string]any{"repositories": "{{claims.repository}}"}, "acme/{{claims.ref}}", nil, "", "repository"},
		"with a comma":           {map[string]any{"repositories": "{{claims.repository}}"}, "acme/a,b", nil, "", "repository"},
		"of a missing claim":     {map[string]any{"repositories": "{{claims.nothing}}"}, "acme/web", nil, "", "nothing"},
		"of a list":              {map[string]any{"repositories": "{{claims.x}}"}, "acme/web", map[string]any{"x": []any{"api"}}, "", "x"},
		"of nothing":             {map[string]any{"repositories": "{{claims.x}}"}, "acme/web", map[string]any{"x": ""}, "", "x"},
		"of an id that is none":  {map[string]any{"repositories": nil, "repository_ids": "{{claims.x}}"}, "acme/web", map[string]any{"x": "010"}, "", "x"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			ci := e.trustIssuer(nil)
			e.mustWriteRole("ci", test.role)
			e.loginAs(jobAlias(test.alias, nil))
			claims := oidctest.GitHubActionsClaims(test.claims)
			claims["repository"] = test.alias
			claims["repository_owner"] = strings.Split(test.alias, "/")[0]
			a := e.ask(map[string]any{"id_token": ci.Sign(claims)})
			if test.scope == "" {
				a.wantRefusal(t, http.StatusForbidden, test.says)
				return
			}
			if a.status != http.StatusOK || !strings.HasPrefix(a.data("scope").(string), test.scope) {
				t.Errorf("status %d (%s), scope %v; want %s", a.status, a.err, a.data("scope"), test.scope)
			}
		})
	}
}
