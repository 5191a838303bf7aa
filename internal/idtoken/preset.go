package idtoken

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Preset is what is known of a CI.
type Preset struct {
	DiscoveryURL string
	Issuer       string
	Algorithms   []string
	// UserClaim is the claim that Vault's JWT roles for this CI usually have as
	// their user_claim.
	UserClaim string
}

// PresetFor returns the settings of a CI. baseURL is that of a self-managed one,
// or empty; CircleCI needs the one of the organization.
func PresetFor(name, baseURL string) (Preset, error) {
	baseURL = strings.TrimRight(baseURL, "/")
	issuer, userClaim := "", ""
	switch name {
	case "github-actions":
		issuer, userClaim = "https://token.actions.githubusercontent.com", "repository"
		if baseURL != "" {
			issuer = baseURL + "/_services/token"
		}
	case "gitlab":
		issuer, userClaim = "https://gitlab.com", "project_path"
		if baseURL != "" {
			issuer = baseURL
		}
	case "buildkite":
		issuer, userClaim = "https://agent.buildkite.com", "pipeline_id"
		if baseURL != "" {
			issuer = baseURL
		}
	case "circleci":
		if baseURL == "" {
			return Preset{}, errors.New("preset circleci needs base_url: https://oidc.circleci.com/org/ORGANIZATION-ID")
		}
		issuer, userClaim = baseURL, "oidc.circleci.com/project-id"
	default:
		return Preset{}, fmt.Errorf("preset: %.100q is not one of github-actions, gitlab, buildkite, circleci", name)
	}
	return Preset{DiscoveryURL: issuer, Issuer: issuer, Algorithms: []string{"RS256"}, UserClaim: userClaim}, nil
}

// varying are claims that differ between jobs of one repository, project or
// pipeline, from the documentation of each CI's ID tokens.
var varying = map[string][]string{
	"any": {"jti", "iat", "nbf", "exp", "sub", "auth_time", "nonce"},
	// https://docs.github.com/en/actions/reference/security/oidc
	"github-actions": {
		"ref", "ref_type", "ref_protected", "base_ref", "head_ref", "sha", "event_name", "environment",
		"environment_node_id", "workflow", "workflow_ref", "workflow_sha", "job_workflow_ref", "job_workflow_sha",
		"run_id", "run_number", "run_attempt", "runner_environment", "actor", "actor_id", "check_run_id",
	},
	// https://docs.gitlab.com/ci/secrets/id_token_authentication/
	"gitlab": {
		"ref_path", "pipeline_id", "pipeline_source", "job_id", "user_id", "user_login", "user_email", "user_identities",
		"user_access_level", "environment_protected", "environment_action", "deployment_tier", "deployment_environment",
		"runner_id", "ci_config_ref_uri", "ci_config_sha", "job_source", "job_group_id", "job_project_id", "job_project_path",
		"job_namespace_id", "job_namespace_path",
	},
	// https://buildkite.com/docs/agent/v3/cli-oidc
	"buildkite": {
		"build_id", "build_number", "build_branch", "build_tag", "build_commit", "build_source", "step_key", "agent_id",
		"runner_environment", "cluster_id", "queue_id", "queue_key",
	},
	// https://circleci.com/docs/openid-connect-tokens/
	"circleci": {
		"oidc.circleci.com/vcs-ref", "oidc.circleci.com/vcs-origin", "oidc.circleci.com/context-ids",
		"oidc.circleci.com/ssh-rerun", "oidc.circleci.com/pipeline-id", "oidc.circleci.com/job-id", "oidc.circleci.com/workflow-id",
		"oidc.circleci.com/pipeline-definition-id",
	},
}

// Varies reports whether a claim is known to differ between jobs of one
// repository, so that what one job's login left in Vault says nothing of
// another.
func Varies(claim string) bool {
	for _, claims := range varying {
		if slices.Contains(claims, claim) {
			return true
		}
	}
	return false
}
