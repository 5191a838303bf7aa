package githubsecrets

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/oidctest"
)

const jwtAccessor = "auth_jwt_1234"

// trustIssuer writes the issuer "default", which verifies the ID tokens of a
// real OIDC issuer, changed by data.
func (e *engine) trustIssuer(data map[string]any) *oidctest.Issuer {
	e.t.Helper()
	ci := oidctest.New(e.t)
	issuer := map[string]any{
		"mount_accessor": jwtAccessor, "user_claim": "repository", "stable_claims": "repository_id,repository_owner",
		"oidc_discovery_url": ci.URL, "bound_issuer": ci.URL, "bound_audiences": "vault",
	}
	maps.Copy(issuer, data)
	maps.DeleteFunc(issuer, func(_ string, value any) bool { return value == nil })
	e.must(logical.CreateOperation, "issuers/default", issuer)
	return ci
}

// loginAs makes the caller's entity one with these aliases.
func (e *engine) loginAs(aliases ...*logical.Alias) {
	e.system.EntityVal = &logical.Entity{ID: "entity-1", Name: "job", Aliases: aliases}
}

func jobAlias(name string, metadata map[string]string) *logical.Alias {
	return &logical.Alias{MountAccessor: jwtAccessor, MountType: "jwt", Name: name, Metadata: metadata}
}

// ask reads or writes token/ci as the job.
func (e *engine) ask(data map[string]any) answer {
	e.t.Helper()
	return e.send(e.t.Context(), &logical.Request{
		Operation: logical.UpdateOperation, Path: "token/ci", Data: data, EntityID: "entity-1", MountPoint: "github/",
	})
}

func TestOnlyTheIssuersOneAliasIsTrusted(t *testing.T) {
	t.Parallel()
	good := jobAlias("acme/api", map[string]string{"repository_id": "7"})
	other := &logical.Alias{MountAccessor: "auth_jwt_other", Name: "acme/api", Metadata: map[string]string{"repository_id": "7"}}
	tests := map[string]struct {
		entity  *logical.Entity
		id      string
		refused string
	}{
		"its alias":                    {&logical.Entity{Aliases: []*logical.Alias{good}}, "entity-1", ""},
		"its alias beside another":     {&logical.Entity{Aliases: []*logical.Alias{other, good}}, "entity-1", ""},
		"a token without entity":       {nil, "", "has no entity"},
		"an entity that is gone":       {nil, "entity-1", "does not exist any more"},
		"an entity without alias":      {&logical.Entity{}, "entity-1", "no alias on the auth mount"},
		"another mount's alias":        {&logical.Entity{Aliases: []*logical.Alias{other}}, "entity-1", "no alias on the auth mount"},
		"two aliases on the mount":     {&logical.Entity{Aliases: []*logical.Alias{good, jobAlias("acme/web", nil)}}, "entity-1", "2 aliases"},
		"a disabled entity":            {&logical.Entity{Name: "job", Disabled: true, Aliases: []*logical.Alias{good}}, "entity-1", `"job" is disabled`},
		"an alias without name":        {&logical.Entity{Aliases: []*logical.Alias{jobAlias("", nil)}}, "entity-1", "has no name"},
		"another repository's alias":   {&logical.Entity{Aliases: []*logical.Alias{jobAlias("acme/web", nil)}}, "entity-1", "bound_subjects"},
		"an alias in another case":     {&logical.Entity{Aliases: []*logical.Alias{jobAlias("ACME/api", nil)}}, "entity-1", "bound_subjects"},
		"an alias that only begins so": {&logical.Entity{Aliases: []*logical.Alias{jobAlias("acme/api-evil", nil)}}, "entity-1", "bound_subjects"},
		"an alias that only ends so":   {&logical.Entity{Aliases: []*logical.Alias{jobAlias("evil/acme/api", nil)}}, "entity-1", "bound_subjects"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.trustIssuer(nil)
			e.mustWriteRole("ci", map[string]any{"bound_subjects": "acme/api"})
			e.system.EntityVal = test.entity
			a := e.send(t.Context(), &logical.Request{Operation: logical.ReadOperation, Path: "token/ci", EntityID: test.id, MountPoint: "github/"})
			if test.refused == "" {
				if a.status != http.StatusOK || a.data("subject") != "acme/api" {
					t.Errorf("status %d: %s", a.status, a.err)
				}
				return
			}
			a.wantRefusal(t, http.StatusForbidden, test.refused)
			if n := e.github.Minted(); n != 0 {
				t.Errorf("%d tokens were minted", n)
			}
		})
	}
}

// TestAliasMetadataIsNotThisJobs is the confused deputy: the alias holds the
// claims of whichever job logged in last.
func TestAliasMetadataIsNotThisJobs(t *testing.T) {
	t.Parallel()
	claimed := map[string]string{
		"repository_id": "7", "ref": "refs/heads/main", "event_name": "push", "environment": "prod", "run_id": "1",
	}
	tests := map[string]struct {
		issuer  map[string]any
		alias   string
		bound   string
		allowed bool
		says    string
	}{
		"a stable claim holds":                          {nil, "acme/api", "repository_id=7", true, ""},
		"the user claim holds":                          {nil, "acme/api", "repository=acme/api", true, ""},
		"a claim that is not declared does not":         {map[string]any{"stable_claims": "repository_owner"}, "acme/api", "repository_id=7", false, "present the job's ID token"},
		"a varying claim does not, declared or not":     {map[string]any{"stable_claims": "ref"}, "acme/api", "ref=refs/heads/main", false, "present the job's ID token"},
		"nor does event_name":                           {map[string]any{"stable_claims": "event_name"}, "acme/api", "event_name=push", false, "present the job's ID token"},
		"it holds while it stands in the alias name":    {map[string]any{"stable_claims": "ref", "user_claim": "sub"}, "repo:acme/api:ref:refs/heads/main", "ref=refs/heads/main", true, ""},
		"not when only a part of it stands there":       {map[string]any{"stable_claims": "ref", "user_claim": "sub"}, "repo:acme/api:ref:refs/heads/main-evil", "ref=refs/heads/main", false, "present"},
		"not when another claim has that value":         {map[string]any{"stable_claims": "event_name", "user_claim": "sub"}, "repo:acme/api:environment:push", "event_name=push", false, "present"},
		"not when the name is of another job by now":    {map[string]any{"stable_claims": "environment", "user_claim": "sub"}, "repo:acme/api:environment:dev", "environment=prod", false, "present"},
		"not behind a name that a job may choose":       {map[string]any{"stable_claims": "ref", "user_claim": "sub"}, "repo:acme/api:environment:x:ref:refs/heads/main", "ref=refs/heads/main", false, "present"},
		"nor as the beginning of such a name":           {map[string]any{"stable_claims": "environment", "user_claim": "sub"}, "repo:acme/api:environment:prod:x", "environment=prod", false, "present"},
		"an environment holds that stands in the name":  {map[string]any{"stable_claims": "environment", "user_claim": "sub"}, "repo:acme/api:environment:prod", "environment=prod", true, ""},
		"metadata that stands for the user claim fails": {map[string]any{"stable_claims": "repository"}, "acme/web", "repository=acme/api", false, "wanted"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.trustIssuer(test.issuer)
			e.mustWriteRole("ci", map[string]any{"bound_claims": test.bound})
			metadata := maps.Clone(claimed)
			metadata["repository"] = "acme/api"
			e.loginAs(jobAlias(test.alias, metadata))
			a := e.ask(nil)
			if test.allowed != (a.status == http.StatusOK) {
				t.Errorf("status %d: %s", a.status, a.err)
			}
			if !test.allowed {
				a.wantRefusal(t, http.StatusForbidden, test.says)
			}
		})
	}
}

func TestTheJobsOwnIDTokenDecides(t *testing.T) {
	t.Parallel()
	main := oidctest.GitHubActionsClaims(nil)
	tests := map[string]struct {
		claims map[string]any
		says   string // empty if allowed
	}{
		"of a job on main":          {nil, ""},
		"of a pull request":         {map[string]any{"ref": "refs/pull/1/merge", "event_name": "pull_request"}, "bound_claims"},
		"of another repository":     {map[string]any{"repository": "acme/web"}, "it is not this caller's"},
		"for another audience":      {map[string]any{"aud": "other"}, "aud"},
		"without a repository":      {map[string]any{"repository": nil}, "it is not this caller's"},
		"with a list as repository": {map[string]any{"repository": []any{"acme/api"}}, "it is not this caller's"},
		"that has expired":          {map[string]any{"exp": time.Now().Add(-time.Hour).Unix(), "iat": time.Now().Add(-2 * time.Hour).Unix(), "nbf": time.Now().Add(-2 * time.Hour).Unix()}, "expired"},
		"of another issuer":         {map[string]any{"iss": "https://evil.example"}, "iss"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			ci := e.trustIssuer(nil)
			e.mustWriteRole("ci", map[string]any{"bound_claims": map[string]any{"ref": "refs/heads/main", "event_name": "push"}})
			// The alias says main, as after another job's login.
			e.loginAs(jobAlias("acme/api", map[string]string{"ref": "refs/heads/main", "event_name": "push"}))
			claims := maps.Clone(main)
			maps.Copy(claims, test.claims)
			a := e.ask(map[string]any{"id_token": ci.Sign(claims)})
			if test.says == "" {
				if a.status != http.StatusOK || a.data("ref") != "refs/heads/main" || a.data("event_name") != "push" || a.data("run_id") == nil {
					t.Errorf("status %d: %s, %v", a.status, a.err, a.Response)
				}
				return
			}
			a.wantRefusal(t, http.StatusForbidden, test.says)
			if strings.Contains(a.err, "eyJ") {
				t.Error("the error holds the ID token")
			}
		})
	}
}

func TestAnotherIssuersSignatureIsRefused(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	ci := e.trustIssuer(nil)
	evil := oidctest.New(t)
	e.mustWriteRole("ci", map[string]any{"require_id_token": true})
	e.loginAs(jobAlias("acme/api", nil))
	forged := evil.Sign(oidctest.GitHubActionsClaims(map[string]any{"iss": ci.URL}))
	e.ask(map[string]any{"id_token": forged}).wantRefusal(t, http.StatusForbidden, "id_token")
	e.ask(map[string]any{"id_token": "no.such.token"}).wantRefusal(t, http.StatusForbidden, "id_token")
	e.ask(nil).wantRefusal(t, http.StatusForbidden, "require_id_token", "present it")
	if a := e.ask(map[string]any{"id_token": ci.Sign(oidctest.GitHubActionsClaims(nil))}); a.status != http.StatusOK {
		t.Errorf("the right one: status %d: %s", a.status, a.err)
	}
}

func TestWhereAnIDTokenMayStand(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	ci := e.trustIssuer(nil)
	e.mustWriteRole("ci", map[string]any{"require_id_token": true})
	e.loginAs(jobAlias("acme/api", nil))
	idToken := ci.Sign(oidctest.GitHubActionsClaims(nil))
	ask := func(op logical.Operation, data map[string]any, header string) answer {
		return e.send(t.Context(), &logical.Request{
			Operation: op, Path: "token/ci", Data: data, EntityID: "entity-1", MountPoint: "github/",
			Headers: map[string][]string{"X-Ci-Id-Token": {header}},
		})
	}
	ask(logical.ReadOperation, map[string]any{"id_token": idToken}, "").wantRefusal(t, http.StatusBadRequest, "query string", "audit log", "X-CI-Id-Token")
	ask(logical.UpdateOperation, map[string]any{"id_token": idToken}, "another").wantRefusal(t, http.StatusBadRequest, "different")
	for op, data := range map[logical.Operation]map[string]any{logical.ReadOperation: nil, logical.UpdateOperation: {"id_token": idToken}} {
		if a := ask(op, data, idToken); a.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", op, a.status, a.err)
		}
	}
}
