package githubsecrets

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubtest"
	"vault-plugin-secrets-github/internal/oidctest"
)

func TestIssuerWriteIsRefused(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	ci := oidctest.New(t)
	tests := map[string]struct {
		change map[string]any
		status int
		parts  []string
	}{
		"without an accessor":           {map[string]any{"mount_accessor": nil}, 400, []string{"mount_accessor is missing"}},
		"without a user claim":          {map[string]any{"user_claim": nil}, 400, []string{"user_claim"}},
		"with an empty stable claim":    {map[string]any{"stable_claims": "a,,b"}, 400, []string{"item 2 is empty"}},
		"with a stable claim of spaces": {map[string]any{"stable_claims": "a b"}, 400, []string{`stable_claims: "a b"`}},
		"without an issuer":             {map[string]any{"bound_issuer": nil, "jwks_url": ci.URL + "/jwks", "oidc_discovery_url": nil}, 400, []string{"bound_issuer"}},
		"without an audience":           {map[string]any{"bound_audiences": nil}, 400, []string{"bound_audiences"}},
		"with two ways to the keys":     {map[string]any{"jwks_url": ci.URL + "/jwks"}, 400, []string{"jwks_url"}},
		"with http elsewhere":           {map[string]any{"oidc_discovery_url": "http://ci.example", "bound_issuer": "http://ci.example"}, 400, []string{"http"}},
		"with a symmetric algorithm":    {map[string]any{"jwt_supported_algs": "HS256"}, 400, []string{"HS256"}},
		"with no algorithm at all":      {map[string]any{"jwt_supported_algs": "none"}, 400, []string{"none"}},
		"with a CA that is none":        {map[string]any{"ca_pem": "no"}, 400, []string{"ca_pem"}},
		"with keys of another issuer":   {map[string]any{"bound_issuer": "https://ci.example"}, 502, []string{"verify=false"}},
		"with nobody there":             {map[string]any{"oidc_discovery_url": "http://127.0.0.1:1", "bound_issuer": "http://127.0.0.1:1"}, 502, []string{"verify=false", "refused"}},
		"with an unknown preset":        {map[string]any{"preset": "jenkinsfile"}, 400, []string{"jenkinsfile", "github-actions"}},
		"with a base_url of no preset":  {map[string]any{"base_url": "https://ghes.example"}, 400, []string{"base_url", "preset"}},
		"with a misspelt parameter":     {map[string]any{"stable_claim": "ref"}, 400, []string{"unknown parameter"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := map[string]any{
				"mount_accessor": jwtAccessor, "user_claim": "repository",
				"oidc_discovery_url": ci.URL, "bound_issuer": ci.URL, "bound_audiences": "vault",
			}
			maps.Copy(data, test.change)
			maps.DeleteFunc(data, func(_ string, v any) bool { return v == nil })
			e.wantRefusal(logical.CreateOperation, "issuers/"+strings.ReplaceAll(name, " ", "-"), data, test.status, test.parts...)
			if a := e.do(t.Context(), logical.ReadOperation, "issuers/"+strings.ReplaceAll(name, " ", "-"), nil); a.Response != nil {
				t.Error("the issuer was written all the same")
			}
		})
	}
}

func TestIssuerReadCanBeWrittenBack(t *testing.T) {
	t.Parallel()
	tests := map[string]map[string]any{
		"verifying":      nil,
		"not verifying":  {"oidc_discovery_url": nil, "bound_issuer": nil, "bound_audiences": nil},
		"a preset":       {"preset": "github-actions", "oidc_discovery_url": nil, "bound_issuer": nil, "verify": false},
		"a preset, GHES": {"preset": "github-actions", "base_url": "https://ghes.example", "oidc_discovery_url": nil, "bound_issuer": nil, "verify": false},
		"disabled":       {"disabled": true},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.trustIssuer(change)
			read := e.must(logical.ReadOperation, "issuers/default", nil).Data
			back := maps.Clone(read)
			back["verify"] = false
			e.must(logical.CreateOperation, "issuers/copy", back)
			if diff := cmp.Diff(read, e.must(logical.ReadOperation, "issuers/copy", nil).Data); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStableClaimsThatMayVaryAreWarnedOf(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		issuer map[string]any
		want   string // a part of the one warning; empty for none
	}{
		"known to be stable":       {map[string]any{"preset": "github-actions", "stable_claims": "repository_id,repository_owner"}, ""},
		"known to vary":            {map[string]any{"preset": "github-actions", "stable_claims": "repository_id,actor"}, `"actor" is not known to be the same for all jobs with one repository`},
		"of another user_claim":    {map[string]any{"preset": "github-actions", "user_claim": "actor", "stable_claims": "actor_id"}, ""},
		"of a CI that has no name": {map[string]any{"stable_claims": "actor"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.trustIssuer(nil)
			test.issuer["verify"] = false
			got := e.must(logical.UpdateOperation, "issuers/default", test.issuer).Warnings
			switch {
			case test.want == "" && len(got) > 0:
				t.Errorf("warnings are %q, want none", got)
			case test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)):
				t.Errorf("warnings are %q, want one with %q", got, test.want)
			}
		})
	}
}

func TestIssuersAreListedAndDeleted(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.trustIssuer(nil)
	e.mustWriteRole("ci", map[string]any{"bound_subjects": "acme/api"})
	e.loginAs(jobAlias("acme/api", nil))
	if a := e.ask(nil); a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.err)
	}
	if diff := cmp.Diff([]string{"default"}, e.must(logical.ListOperation, "issuers/", nil).Data["keys"]); diff != "" {
		t.Error(diff)
	}
	if a := e.must(logical.DeleteOperation, "issuers/default", nil); a.Response == nil || len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "ci") {
		t.Errorf("warnings are %v, want one that names the role", a.Response)
	}
	e.ask(nil).wantRefusal(t, http.StatusBadRequest, `issuer "default" is not configured`)
}

func TestRolesThatNobodyCanMeetAreRefused(t *testing.T) {
	t.Parallel()
	notVerifying := map[string]any{"oidc_discovery_url": nil, "bound_issuer": nil, "bound_audiences": nil}
	tests := map[string]struct {
		issuer map[string]any // nil: none is configured
		role   map[string]any
		says   string // empty if written
	}{
		"no issuer":                     {nil, map[string]any{"bound_subjects": "a"}, `issuer "default" that is to vouch for them is not configured`},
		"no issuer and no rule":         {nil, nil, ""},
		"a claim that is not to be had": {notVerifying, map[string]any{"bound_claims": "ref=refs/heads/main"}, `claim "ref"`},
		"a template of such a claim":    {notVerifying, map[string]any{"repositories": "{{claims.ref}}"}, `claim "ref"`},
		"a condition on such a claim":   {notVerifying, map[string]any{"condition": `claims.ref == "x"`}, `claim "ref"`},
		"an ID token never verified":    {notVerifying, map[string]any{"require_id_token": true}, "require_id_token"},
		"a stable claim":                {notVerifying, map[string]any{"bound_claims": "repository_id=7"}, ""},
		"the user claim":                {notVerifying, map[string]any{"bound_claims": "repository=acme/api"}, ""},
		"any claim of an ID token":      {map[string]any{}, map[string]any{"bound_claims": "ref=refs/heads/main"}, ""},
		"an unknown issuer":             {map[string]any{}, map[string]any{"issuer": "gone", "bound_subjects": "a"}, `issuer "gone"`},
		"a condition that is no CEL":    {map[string]any{}, map[string]any{"condition": "claims.ref =="}, "condition"},
		"a condition of another type":   {map[string]any{}, map[string]any{"condition": `"yes"`}, "bool"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			if test.issuer != nil {
				e.trustIssuer(test.issuer)
			}
			data := map[string]any{"organization": "acme", "repositories": "api", "permissions": "contents=read"}
			maps.Copy(data, test.role)
			if test.says == "" {
				e.must(logical.CreateOperation, "roles/r", data)
				return
			}
			e.wantRefusal(logical.CreateOperation, "roles/r", data, http.StatusBadRequest, test.says)
		})
	}
}

func TestAnIssuerThatProvidesLessNamesTheRolesThatNeedMore(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.trustIssuer(map[string]any{"oidc_discovery_url": nil, "bound_issuer": nil, "bound_audiences": nil})
	e.mustWriteRole("ci", map[string]any{"bound_claims": "repository_id=7"})
	a := e.must(logical.UpdateOperation, "issuers/default", map[string]any{"stable_claims": "repository_owner"})
	if len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "refuse: ci") {
		t.Errorf("warnings are %q, want one that names the role", a.Warnings)
	}
}

// TestKillSwitchesWorkInAnOutage: the issuer is compromised and gone, GitHub
// refuses the key; just then they are wanted.
func TestKillSwitchesWorkInAnOutage(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	ci := e.trustIssuer(nil)
	ci.Close()
	e.github.Inject(githubtest.Outage())
	for _, path := range []string{"issuers/default", "config"} {
		e.must(logical.UpdateOperation, path, map[string]any{"disabled": true})
		if e.must(logical.ReadOperation, path, nil).data("disabled") != true {
			t.Errorf("%s is not disabled", path)
		}
	}
}

func TestKillSwitches(t *testing.T) {
	t.Parallel()
	for path, says := range map[string]string{
		"roles/ci": `role "ci" is disabled`, "issuers/default": `issuer "default" is disabled`, "config": `App "default" is disabled`,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.trustIssuer(nil)
			e.mustWriteRole("ci", map[string]any{"bound_subjects": "acme/api"})
			e.loginAs(jobAlias("acme/api", nil))
			a := e.ask(nil)
			a.Secret.IssueTime = e.clock.Now()
			e.must(logical.UpdateOperation, path, map[string]any{"disabled": true})
			e.ask(nil).wantRefusal(t, http.StatusForbidden, says)
			e.renew(a.Secret).wantRefusal(t, http.StatusForbidden, says)
			if b := e.revoke(a.Secret); b.status != http.StatusOK {
				t.Errorf("revoke: status %d: %s", b.status, b.err)
			}
		})
	}
}
