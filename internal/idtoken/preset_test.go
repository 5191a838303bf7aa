package idtoken

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPresets(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, baseURL, issuer, err string }{
		{"github-actions", "", "https://token.actions.githubusercontent.com", ""},
		{"github-actions", "https://ghes.example/", "https://ghes.example/_services/token", ""},
		{"github-actions", "https://octocorp.ghe.com", "https://token.actions.octocorp.ghe.com", ""},
		{"github-actions", "https://token.actions.githubusercontent.com/acme", "https://token.actions.githubusercontent.com/acme", ""},
		{"github-actions", "https://ghes.example/api/v3", "", "base_url: give the host alone: https://ghes.example"},
		{"github-actions", "ghes.example", "", "base_url: it is not a URL with a host"},
		{"gitlab", "", "https://gitlab.com", ""},
		{"gitlab", "https://ci.example/gitlab/", "https://ci.example/gitlab", ""},
		{"gitlab", "http://ci.example", "", "base_url: http is allowed for loopback addresses only"},
		{"buildkite", "", "https://agent.buildkite.com", ""},
		{"circleci", "https://oidc.circleci.com/org/1", "https://oidc.circleci.com/org/1", ""},
		{"circleci", "", "", "needs base_url"},
		{"jenkins", "", "", "not one of github-actions"},
	}
	for _, test := range tests {
		t.Run(test.name+" "+test.baseURL, func(t *testing.T) {
			t.Parallel()
			got, err := PresetFor(test.name, test.baseURL)
			wantError(t, err, test.err)
			if err != nil {
				return
			}
			seen := []string{got.Issuer, got.DiscoveryURL, strings.Join(got.Algorithms, ",")}
			if diff := cmp.Diff([]string{test.issuer, test.issuer, "RS256"}, seen); diff != "" {
				t.Error(diff)
			}
			if _, err := New(Config{DiscoveryURL: got.DiscoveryURL, Issuer: got.Issuer, Algorithms: got.Algorithms, Audiences: []string{"vault"}}); err != nil {
				t.Errorf("it makes no verifier: %v", err)
			}
		})
	}
}

func TestStableClaimsOfPresetsDoNotVary(t *testing.T) {
	t.Parallel()
	for name, baseURL := range map[string]string{
		"github-actions": "", "gitlab": "", "buildkite": "", "circleci": "https://oidc.circleci.com/org/1",
	} {
		preset, err := PresetFor(name, baseURL)
		if err != nil {
			t.Fatal(err)
		}
		if preset.UserClaim == "" || len(preset.StableClaims) == 0 {
			t.Errorf("%s: %+v", name, preset)
		}
		for _, claim := range preset.StableClaims {
			if Varies(claim) {
				t.Errorf("%s: %s is said to be stable, and to vary", name, claim)
			}
		}
	}
}
