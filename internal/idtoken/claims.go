package idtoken

import (
	"slices"
	"strings"
)

// varying are claims that differ between jobs of one repository, project or
// pipeline, from the documentation of each CI's ID tokens.
var varying = slices.Concat(
	// Of every token. A job asks for the audience that it wants.
	[]string{"sub", "aud", "exp", "nbf", "iat", "jti", "auth_time", "nonce"},
	// GitHub Actions: https://docs.github.com/en/actions/reference/security/oidc
	[]string{
		"ref", "ref_type", "ref_protected", "base_ref", "head_ref", "sha", "event_name", "environment",
		"workflow", "actor", "actor_id", "check_run_id",
	},
	// GitLab: https://docs.gitlab.com/ci/secrets/id_token_authentication/
	// A merge request's pipeline may run in another project than the one whose
	// project_path it has, and then has that one's visibility.
	[]string{
		"ref_path", "ci_config_ref_uri", "ci_config_sha", "groups_direct", "project_visibility",
		"target_audience",
	},
	// Buildkite: https://buildkite.com/docs/agent/cli/reference/oidc
	[]string{"branch", "commit", "step_key", "cluster_id", "cluster_name", "queue_id", "queue_key"},
)

// varyingPrefixes begin the names of such claims. To a CI's new claim among
// them, no job may be bound before somebody has looked at it.
var varyingPrefixes = []string{
	"agent_", "build_", "deployment_", "environment_", "job_", "pipeline_", "run_", "runner_", "user_", "workflow_",
	// CircleCI: https://circleci.com/docs/openid-connect-tokens/
	"oidc.circleci.com/",
}

// stable are the claims among those that do not vary: they name the pipeline or
// project. Buildkite's pipeline_id is not here, because GitLab's is a run's.
var stable = []string{"pipeline_slug", "oidc.circleci.com/org-id", "oidc.circleci.com/project-id"}

// Varies reports whether a claim is known to differ between jobs of one
// repository, project or pipeline, so that what one job's login left in Vault
// says nothing of another.
func Varies(claim string) bool {
	if slices.Contains(stable, claim) {
		return false
	}
	begins := func(prefix string) bool { return strings.HasPrefix(claim, prefix) }
	return slices.Contains(varying, claim) || slices.ContainsFunc(varyingPrefixes, begins)
}
