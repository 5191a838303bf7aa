package githubsecrets

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubtest"
)

func TestTheStatusOfAnAppThatIsWell(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.trustIssuer(nil)
	e.mustWriteRole("ci", nil)
	e.mustWriteRole("any", map[string]any{"organization": "{{claims.repository_owner}}"})
	e.mustWriteRole("by-id", map[string]any{"organization": nil, "installation_id": e.acme.ID})
	e.clock.Advance(time.Hour)

	got := e.must(logical.ReadOperation, "status/default", nil).Data
	written := e.clock.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	permissions := map[string]string{
		"contents": "write", "issues": "write", "pull_requests": "write", "metadata": "read", "attestations": "write",
	}
	want := map[string]any{
		"app": "default", "disabled": false, "healthy": true, "problems": []string{}, "key_valid": true,
		"checked_at": e.clock.Now().UTC().Format(time.RFC3339), "key_written": written, "key_age": int64(3600),
		"fingerprint": e.must(logical.ReadOperation, "config", nil).Data["fingerprint"],
		"slug":        "ci-broker", "owner": e.app.Owner, "permissions": permissions,
		"rate_limit": 15000, "rate_limit_remaining": 14999,
		"rate_limit_reset": e.clock.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		"installations": []any{map[string]any{
			"installation_id": e.acme.ID, "organization": "acme", "repository_selection": "all",
			"suspended": false, "permissions": permissions, "not_accepted": map[string]string{},
		}},
		"drift": []any{map[string]any{"role": "any", "organization": "{{claims.repository_owner}}", "problem": "unresolved"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(got, e.must(logical.ReadOperation, "status", nil).Data); diff != "" {
		t.Errorf("status is not that of the App called default: %s", diff)
	}
	if keys := e.must(logical.ListOperation, "status/", nil).Data["keys"]; !cmp.Equal(keys, []string{"default"}) {
		t.Errorf("the list is %v", keys)
	}
	if a := e.do(t.Context(), logical.ReadOperation, "status/none", nil); a.Response != nil || a.err != "" {
		t.Errorf("an App that does not exist has the status %v %s", a.Response, a.err)
	}
}

func TestTheStatusNamesRolesThatHaveDrifted(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		role    map[string]any
		prepare func(*engine)
		drift   []any
		problem string
	}{
		"a permission that was not accepted": {
			map[string]any{"permissions": "contents=read,checks=write"}, nil,
			[]any{map[string]any{"role": "ci", "organization": "acme", "problem": "missing_permission", "permission": "checks", "wanted": "write", "has": "none"}},
			`role "ci": it asks for checks=write, and acme has none`,
		},
		"a level that was not accepted": {
			map[string]any{"permissions": "metadata=read,issues=admin"}, nil,
			[]any{map[string]any{"role": "ci", "organization": "acme", "problem": "missing_permission", "permission": "issues", "wanted": "admin", "has": "write"}},
			`role "ci": it asks for issues=admin, and acme has write`,
		},
		"an organization without the App": {
			map[string]any{"organization": "umbrella"}, nil,
			[]any{map[string]any{"role": "ci", "organization": "umbrella", "problem": "not_installed"}},
			`role "ci": the App is not installed on umbrella`,
		},
		"an installation that is gone": {
			map[string]any{"organization": nil, "installation_id": 4711}, nil,
			[]any{map[string]any{"role": "ci", "organization": "installation 4711", "problem": "not_installed"}},
			`role "ci": the App is not installed on installation 4711`,
		},
		"a suspended installation": {
			map[string]any{"organization": "ACME"}, func(e *engine) { e.github.Suspend(e.acme) },
			[]any{map[string]any{"role": "ci", "organization": "ACME", "problem": "suspended"}},
			`role "ci": the installation on ACME is suspended`,
		},
		"a template, beyond what the App asks for": {
			map[string]any{"organization": "{{claims.repository_owner}}", "permissions": "checks=write"}, nil,
			[]any{
				map[string]any{"role": "ci", "organization": "{{claims.repository_owner}}", "problem": "unresolved"},
				map[string]any{"role": "ci", "organization": "{{claims.repository_owner}}", "problem": "missing_permission", "permission": "checks", "wanted": "write", "has": "none"},
			},
			`role "ci": it asks for checks=write, and the App has none`,
		},
		"not a role that is disabled":     {map[string]any{"organization": "umbrella", "disabled": true}, nil, []any{}, ""},
		"not a role of another App":       {map[string]any{"organization": "umbrella", "app": "second"}, nil, []any{}, ""},
		"not what no role asks for":       {nil, func(e *engine) { e.github.AddOrganization("other"); e.github.Suspend(e.install("other")) }, []any{}, ""},
		"a permission as workflows spell": {map[string]any{"permissions": "pull-requests=write"}, nil, []any{}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.trustIssuer(nil)
			e.must(logical.CreateOperation, "config/second", e.appData(nil))
			e.mustWriteRole("ci", test.role)
			if test.prepare != nil {
				test.prepare(e)
			}
			got := e.must(logical.ReadOperation, "status/default", nil)
			if diff := cmp.Diff(test.drift, got.Data["drift"]); diff != "" {
				t.Error(diff)
			}
			problems := []string{}
			if test.problem != "" {
				problems = append(problems, test.problem)
			}
			if diff := cmp.Diff(problems, got.Data["problems"]); diff != "" {
				t.Error(diff)
			}
			if healthy := len(problems) == 0; got.Data["healthy"] != healthy {
				t.Errorf("healthy is %v", got.Data["healthy"])
			}
		})
	}
}

func TestTheStatusShowsWhatWasNotAccepted(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.github.AddOrganization("careful")
	e.github.AddRepository("careful", "one", nil)
	e.github.Install(e.app, "careful", githubtest.InstallOptions{Repositories: []string{"one"}, Permissions: map[string]string{"contents": "read", "issues": "write", "pull_requests": "write"}})
	list := e.must(logical.ReadOperation, "status/default", nil).Data["installations"].([]any)
	careful := list[len(list)-1].(map[string]any)
	if diff := cmp.Diff(map[string]string{"contents": "write", "attestations": "write"}, careful["not_accepted"]); diff != "" {
		t.Error(diff)
	}
	if got := careful["repository_selection"]; got != "selected" {
		t.Errorf("the selection of one repository is %v", got)
	}
}

// TestAFailureOfGitHubIsAStatusNotAnError: a monitor reads it, and needs not tell
// Vault's own failures from GitHub's.
func TestAFailureOfGitHubIsAStatusNotAnError(t *testing.T) {
	t.Parallel()
	deleteKey := func(e *engine) {
		e.app.RotateKey()
		e.app.RemoveKey()
	}
	inject := func(fault githubtest.Fault) func(*engine) {
		return func(e *engine) { e.github.Inject(fault) }
	}
	tests := map[string]struct {
		breaks   func(*engine)
		keyValid bool
		reason   string
		problem  string
	}{
		"the key was deleted":         {deleteKey, false, "github_unauthorized", "GitHub does not take the key with fingerprint "},
		"GitHub is down":              {inject(githubtest.Outage()), false, "github_unavailable", "look up the App: "},
		"GitHub has trouble":          {inject(githubtest.BadGateway()), false, "github_unavailable", "GitHub answered 502"},
		"the rate limit is used up":   {inject(githubtest.SecondaryRateLimit(429, time.Minute)), false, "github_rate_limited", "GitHub answered 429"},
		"the list of installations":   {inject(githubtest.BadGateway().On("GET /app/installations")), true, "github_unavailable", "list the installations: GitHub answered 502"},
		"what is not GitHub's answer": {inject(githubtest.Fault{Status: 200, Body: "<html>"}), false, "github_unavailable", "is base_url the API of a GitHub?"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.mustWriteRole("ci", map[string]any{"organization": "umbrella"})
			test.breaks(e)
			got := e.must(logical.ReadOperation, "status/default", nil).Data
			problems := got["problems"].([]string)
			if got["key_valid"] != test.keyValid || got["healthy"] != false || got["reason"] != test.reason || len(problems) != 1 {
				t.Errorf("the status is %v", got)
			}
			if !strings.Contains(problems[0], test.problem) || !strings.Contains(problems[0], got["error"].(string)) {
				t.Errorf("the problem is %q, the error %q", problems[0], got["error"])
			}
			if got["drift"] != nil || got["installations"] != nil {
				t.Error("it tells of installations that GitHub did not tell of")
			}
			if text := fmt.Sprint(got); strings.Contains(text, "-----BEGIN") || strings.Contains(text, "eyJ") {
				t.Error("a secret is in the status")
			}
		})
	}
}

func TestADisabledAppHasAStatus(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.must(logical.UpdateOperation, "config", map[string]any{"disabled": true})
	got := e.must(logical.ReadOperation, "status", nil).Data
	if got["disabled"] != true || got["key_valid"] != true || !slices.Equal(got["problems"].([]string), []string{"the App is disabled here"}) {
		t.Errorf("the status is %v", got)
	}
}

func TestAStatusThatNobodyWaitsForIsAnError(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a := e.do(ctx, logical.ReadOperation, "status", nil); a.err == "" {
		t.Errorf("it was answered %v", a.Data)
	}
}

func TestInstallationsAreAllListed(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	const more = 230
	for n := range more {
		organization := fmt.Sprintf("org-%03d", n)
		e.github.AddOrganization(organization)
		e.install(organization)
	}
	for _, path := range []string{"installations", "installations/default", "status/default"} {
		list := e.must(logical.ReadOperation, path, nil).Data["installations"].([]any)
		if len(list) != more+1 || list[more].(map[string]any)["organization"] != "org-229" {
			t.Errorf("%s: there are %d, want %d; the last is %v", path, len(list), more+1, list[len(list)-1])
		}
	}
}

func TestInstallationsOfAnAppThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	if a := e.do(t.Context(), logical.ReadOperation, "installations/none", nil); a.Response != nil || a.err != "" {
		t.Errorf("an App that does not exist has the installations %v %s", a.Response, a.err)
	}
	e.github.Inject(githubtest.SecondaryRateLimit(http.StatusTooManyRequests, time.Minute))
	e.wantRefusal(logical.ReadOperation, "installations", nil, http.StatusTooManyRequests, "list the installations", "try again in 60 s")
}
