package idtoken

import (
	"strings"
	"testing"
)

func TestClaimsThatVaryBetweenJobs(t *testing.T) {
	t.Parallel()
	// The documented claims of each CI.
	tests := map[string]struct{ vary, stay string }{
		"every token": {
			vary: "sub aud exp nbf iat jti",
			stay: "iss",
		},
		"GitHub Actions": {
			vary: `actor actor_id base_ref check_run_id environment environment_node_id event_name head_ref job_workflow_ref
				job_workflow_sha ref ref_protected ref_type run_attempt run_id run_number runner_environment sha workflow
				workflow_ref workflow_sha`,
			stay: `enterprise enterprise_id repository repository_id repository_owner repository_owner_id repository_visibility
				repo_property_team issuer_scope`,
		},
		"GitLab": {
			vary: `ci_config_ref_uri ci_config_sha deployment_tier environment environment_action environment_protected
				groups_direct job_config job_id job_namespace_id job_namespace_path job_project_id job_project_path job_source
				pipeline_id pipeline_source project_visibility ref ref_path ref_protected ref_type runner_environment runner_id
				sha target_audience user_access_level user_email user_id user_identities user_login`,
			stay: "namespace_id namespace_path project_id project_path",
		},
		"Buildkite": {
			vary: `agent_id agent_tag:queue build_branch build_commit build_id build_number build_source build_tag cluster_id
				cluster_name job_id queue_id queue_key runner_environment step_key branch commit`,
			stay: "organization_id organization_slug pipeline_slug",
		},
		"CircleCI": {
			vary: `oidc.circleci.com/context-ids oidc.circleci.com/job-id oidc.circleci.com/pipeline-definition-id
				oidc.circleci.com/pipeline-id oidc.circleci.com/ssh-rerun oidc.circleci.com/vcs-origin
				oidc.circleci.com/vcs-ref oidc.circleci.com/workflow-id`,
			stay: "oidc.circleci.com/org-id oidc.circleci.com/project-id",
		},
	}
	for name, test := range tests {
		for _, claim := range strings.Fields(test.vary) {
			if !Varies(claim) {
				t.Errorf("%s: %s is not known to vary", name, claim)
			}
		}
		for _, claim := range strings.Fields(test.stay) {
			if Varies(claim) {
				t.Errorf("%s: %s is said to vary", name, claim)
			}
		}
	}
}
