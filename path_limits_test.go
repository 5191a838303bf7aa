package githubsecrets

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/sdk/logical"
)

func TestLimitsWriteIsRefused(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	for name, test := range map[string]struct {
		data map[string]any
		says string
	}{
		"an unknown level":       {map[string]any{"permissions": "contents=owner"}, `"owner"`},
		"no permissions":         {map[string]any{"permissions": ""}, "empty"},
		"an ill-formed account":  {map[string]any{"organizations": "ac/me"}, "organizations"},
		"a repository half said": {map[string]any{"denied_repositories": "api"}, "neither OWNER/NAME nor an id"},
		"a day":                  {map[string]any{"max_ttl": "24h"}, "max_ttl"},
		"a misspelt parameter":   {map[string]any{"organisation": "acme"}, "unknown parameter"},
	} {
		t.Run(name, func(t *testing.T) {
			e.wantRefusal(logical.CreateOperation, "limits", test.data, http.StatusBadRequest, test.says)
		})
	}
}

func TestLimitsHoldAtWriteAndAtIssuance(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		limits map[string]any
		says   string
	}{
		"permissions":   {map[string]any{"permissions": "metadata=read"}, "permissions"},
		"levels":        {map[string]any{"permissions": "contents=read"}, "permissions"},
		"organizations": {map[string]any{"organizations": "other"}, "organizations"},
		"a repository":  {map[string]any{"denied_repositories": "ACME/api"}, "repositories"},
		"the ID token":  {map[string]any{"require_id_token": true}, "require_id_token"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.trustIssuer(nil)
			role := map[string]any{"organization": "acme", "repositories": "api", "permissions": "contents=write", "bound_subjects": "acme/api"}
			e.must(logical.CreateOperation, "roles/ci", role)
			e.loginAs(jobAlias("acme/api", nil))
			if a := e.ask(nil); a.status != http.StatusOK {
				t.Fatalf("without limits: status %d: %s", a.status, a.err)
			}
			a := e.must(logical.CreateOperation, "limits", test.limits)
			if test.says != "require_id_token" && (len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "ci")) {
				t.Errorf("warnings are %q, want one that names the role", a.Warnings)
			}
			e.ask(nil).wantRefusal(t, http.StatusForbidden, test.says)
			if test.says != "require_id_token" {
				e.wantRefusal(logical.CreateOperation, "roles/new", role, http.StatusBadRequest, "limits", test.says)
			}
			e.must(logical.DeleteOperation, "limits", nil)
			if a := e.ask(nil); a.status != http.StatusOK {
				t.Errorf("after their deletion: status %d: %s", a.status, a.err)
			}
		})
	}
}

func TestTheLongestTTLCapsLeaseAndRenewal(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	e.must(logical.CreateOperation, "limits", map[string]any{"max_ttl": "5m"})
	secret := e.lease("ci")
	if secret.TTL != 5*time.Minute || secret.MaxTTL != 5*time.Minute {
		t.Errorf("TTL %s, max %s; want 5m", secret.TTL, secret.MaxTTL)
	}
	e.clock.Advance(5 * time.Minute)
	e.renew(secret).wantRefusal(t, http.StatusBadRequest, "at its end")
}

func TestARepositoryIsDeniedByItsIDHoweverItIsAskedFor(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	id := e.must(logical.ReadOperation, "token/ci", nil).data("repository_ids").([]int64)[0]
	e.must(logical.CreateOperation, "limits", map[string]any{"denied_repositories": idText(id)})
	e.wantRefusal(logical.ReadOperation, "token/ci", nil, http.StatusForbidden, "limits")
	e.must(logical.CreateOperation, "roles/ci", map[string]any{"repository_selection": "selected"})
}

func TestLimitsReadCanBeWrittenBack(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.must(logical.CreateOperation, "limits", map[string]any{
		"permissions": "contents=write,pull-requests=read", "organizations": "acme,other",
		"denied_repositories": "acme/vault,7", "max_ttl": "30m", "require_id_token": true,
	})
	read := e.must(logical.ReadOperation, "limits", nil).Data
	back := maps.Clone(read)
	e.must(logical.DeleteOperation, "limits", nil)
	if a := e.do(t.Context(), logical.ReadOperation, "limits", nil); a.Response != nil {
		t.Error("the limits are still there")
	}
	e.must(logical.CreateOperation, "limits", back)
	if diff := cmp.Diff(read, e.must(logical.ReadOperation, "limits", nil).Data); diff != "" {
		t.Error(diff)
	}
}
