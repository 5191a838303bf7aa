package githubsecrets

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/oidctest"
)

// check writes check/ci as the job.
func (e *engine) check(path string, data map[string]any) answer {
	e.t.Helper()
	return e.send(e.t.Context(), &logical.Request{
		Operation: logical.UpdateOperation, Path: path, Data: data, EntityID: "entity-1", MountPoint: "github/",
	})
}

func TestCheckSaysWhatTokenWouldDo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		role, limits, asked map[string]any
		change              func(*engine)
		allowed             bool
		report              []string
	}{
		"an allowed job":              {nil, nil, nil, nil, true, []string{"pass  bound_claims ref", "pass  github installation", "pass  github permissions"}},
		"a wrong branch":              {map[string]any{"bound_claims": "ref=refs/heads/release"}, nil, nil, nil, false, []string{"FAIL  bound_claims ref", "refs/heads/release", "refs/heads/main"}},
		"a request beyond the role":   {nil, nil, map[string]any{"permissions": "contents=write"}, nil, false, []string{"FAIL  request permissions", "pass  bound_claims ref"}},
		"a limit":                     {nil, map[string]any{"max_ttl": "5m", "organizations": "other"}, nil, nil, false, []string{"FAIL  limits organizations"}},
		"a disabled role":             {map[string]any{"disabled": true}, nil, nil, nil, false, []string{"FAIL  role ci", "disabled=false"}},
		"a disabled App":              {nil, nil, nil, func(e *engine) { e.must(logical.UpdateOperation, "config", map[string]any{"disabled": true}) }, false, []string{"FAIL  app default"}},
		"a permission the App lacks":  {map[string]any{"permissions": "administration=read"}, nil, nil, nil, false, []string{"FAIL  github permissions", "give the App administration=read"}},
		"an App that is not there":    {map[string]any{"organization": "nobody"}, nil, nil, nil, false, []string{"FAIL  github installation", "not installed"}},
		"a suspended installation":    {nil, nil, nil, func(e *engine) { e.github.Suspend(e.acme) }, false, []string{"FAIL  github installation", "unsuspends"}},
		"a caller of no known issuer": {nil, nil, nil, func(e *engine) { e.loginAs() }, false, []string{"FAIL  identity", "no alias"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			ci := e.trustIssuer(nil)
			role := map[string]any{"bound_claims": "ref=refs/heads/main"}
			for field, value := range test.role {
				role[field] = value
			}
			e.mustWriteRole("ci", role)
			if test.limits != nil {
				e.must(logical.CreateOperation, "limits", test.limits)
			}
			e.loginAs(jobAlias("acme/api", nil))
			if test.change != nil {
				test.change(e)
			}
			asked := map[string]any{"id_token": ci.Sign(oidctest.GitHubActionsClaims(nil)), "details": true}
			for field, value := range test.asked {
				asked[field] = value
			}
			a := e.check("check/ci", asked)
			if a.status != http.StatusOK || a.data("allowed") != test.allowed {
				t.Fatalf("status %d (%s), allowed %v\n%v", a.status, a.err, a.data("allowed"), a.data("report"))
			}
			for _, part := range test.report {
				if !strings.Contains(a.data("report").(string), part) {
					t.Errorf("the report lacks %q:\n%s", part, a.data("report"))
				}
			}
			if len(a.data("rules").([]any)) == 0 {
				t.Error("no rules although details were asked for")
			}
			if test.allowed != (a.data("reason") == nil) {
				t.Errorf("reason %v", a.data("reason"))
			}
			delete(asked, "details")
			if token := e.ask(asked); test.allowed != (token.status == http.StatusOK) {
				t.Errorf("check says %v, token answers %d: %s", test.allowed, token.status, token.err)
			}
			if want := map[bool]int{true: 1, false: 0}[test.allowed]; e.github.Minted() != want {
				t.Errorf("%d tokens were minted, want %d", e.github.Minted(), want)
			}
		})
	}
}

func TestCheckClaimsDecidesForAJobThatIsDescribed(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.trustIssuer(nil)
	e.mustWriteRole("ci", map[string]any{
		"repositories": "{{claims.repository}}", "bound_subjects": "acme/*",
		"condition": `claims.ref == "refs/heads/main" && "deployers" in identity.groups`,
	})
	claims := map[string]any{"repository": "acme/web", "ref": "refs/heads/main"}
	a := e.check("check-claims/ci", map[string]any{"claims": claims, "groups": "deployers"})
	if a.data("allowed") != true || a.data("scope") != "acme: web: contents=read,metadata=read" || a.data("github_request") != `{"repositories":["web"],"permissions":{"contents":"read"}}` {
		t.Errorf("status %d (%s): %v", a.status, a.err, a.Response)
	}
	a = e.check("check-claims/ci", map[string]any{"claims": claims})
	if a.data("allowed") != false || !strings.Contains(a.data("reason").(string), "condition") {
		t.Errorf("status %d (%s): %v", a.status, a.err, a.Response)
	}
	if n := e.github.Minted(); n != 0 {
		t.Errorf("%d tokens were minted", n)
	}
}

func TestCheckOfAnUnknownRole(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	for _, path := range []string{"check/gone", "check-claims/gone"} {
		e.check(path, nil).wantRefusal(t, http.StatusBadRequest, `unknown role "gone"`)
	}
}
