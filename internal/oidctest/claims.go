package oidctest

import "maps"

// GitHubActionsClaims returns the claims of a job of GitHub Actions: a push to
// refs/heads/main of acme/api, with audience vault. Overrides replace them; one
// that is nil takes a claim away.
//
// https://docs.github.com/en/actions/reference/security/oidc#oidc-token-claims
func GitHubActionsClaims(overrides map[string]any) map[string]any {
	claims := map[string]any{
		"sub":                   "repo:acme/api:ref:refs/heads/main",
		"aud":                   "vault",
		"repository":            "acme/api",
		"repository_id":         "700000001",
		"repository_owner":      "acme",
		"repository_owner_id":   "600000001",
		"repository_visibility": "private",
		"ref":                   "refs/heads/main",
		"ref_type":              "branch",
		"ref_protected":         "true",
		"base_ref":              "",
		"head_ref":              "",
		"sha":                   "0b5a1c0fe3d6c0d1f3b8a9b0c1d2e3f405162738",
		"event_name":            "push",
		"workflow":              "deploy",
		"workflow_ref":          "acme/api/.github/workflows/deploy.yml@refs/heads/main",
		"workflow_sha":          "0b5a1c0fe3d6c0d1f3b8a9b0c1d2e3f405162738",
		"job_workflow_ref":      "acme/api/.github/workflows/deploy.yml@refs/heads/main",
		"job_workflow_sha":      "0b5a1c0fe3d6c0d1f3b8a9b0c1d2e3f405162738",
		"run_id":                "9000000001",
		"run_number":            "42",
		"run_attempt":           "1",
		"runner_environment":    "github-hosted",
		"actor":                 "octocat",
		"actor_id":              "583231",
		"check_run_id":          "31000000001",
	}
	maps.Copy(claims, overrides)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}
