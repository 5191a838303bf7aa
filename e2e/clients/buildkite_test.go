package clients

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const buildkitePipeline = "018d5a22-7a6c-4f37-9bbd-3c0a1f8c2e11"

// buildkiteClaims are those of a build of the main branch.
//
// https://buildkite.com/docs/agent/cli/reference/oidc#claims
func buildkiteClaims() map[string]any {
	return map[string]any{
		"sub": "organization:acme-inc:pipeline:deploy:ref:refs/heads/main:commit:9f3182061f1e2cca4702c368cbc039b7dc9d4485:step:deploy",
		"aud": "vault", "jti": nil,
		"organization_slug": "acme-inc", "pipeline_slug": "deploy", "pipeline_id": buildkitePipeline,
		"build_number": 41, "build_branch": "main", "build_commit": "9f3182061f1e2cca4702c368cbc039b7dc9d4485", "build_source": "webhook",
		"step_key": "deploy", "job_id": "0184990a-477b-4fa8-9968-496074483cee", "agent_id": "0184990a-4782-42b5-afc1-16715b10b8ff",
		"runner_environment": "self-hosted",
	}
}

// runBuildkite runs the one step of a page's pipeline as Buildkite's agent does:
// the plugin's hook, the command with what the hook exported, and at the end the
// other hook.
func (w *world) runBuildkite(p *page, claims map[string]any) outcome {
	w.t.Helper()
	const hooks = ".buildkite/plugins/github-token/hooks/"
	var pipeline struct {
		Steps []struct {
			Plugins []map[string]struct{ Role string }
			Command string
		}
	}
	// An upload fills in single dollars and leaves one of two.
	file := strings.ReplaceAll(p.block("file", ".buildkite/pipeline.yml"), "$$", "$")
	if err := yaml.Unmarshal([]byte(file), &pipeline); err != nil {
		w.t.Fatal(err)
	}
	w.addCommand("buildkite-agent", `case "$*" in
'oidc request-token --audience vault --claim pipeline_id') printf '%s\n' "$OIDC_TOKEN" ;;
'redactor add') grep -q ^ghs_ ;;
*) exit 64 ;;
esac
`)
	step := pipeline.Steps[0]
	return w.run(job{
		shell:  []string{"bash", "-e", "-c"},
		script: "trap 'bash " + hooks + "pre-exit' EXIT\n. " + hooks + "pre-command\n" + step.Command,
		env: map[string]string{
			"OIDC_TOKEN":                         w.issuer.Sign(claims),
			"BUILDKITE_PLUGIN_GITHUB_TOKEN_ROLE": step.Plugins[0]["./.buildkite/plugins/github-token"].Role,
		},
		files: map[string]string{
			hooks + "pre-command": p.block("file", hooks+"pre-command"),
			hooks + "pre-exit":    p.block("file", hooks+"pre-exit"),
		},
	})
}

func TestBuildkite(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), readPage(t, "docs/ci/buildkite.md")
	w.setUp(p, map[string]string{
		"BUILDKITE_URL": w.issuer.URL, "BUILDKITE_ORGANIZATION": "acme-inc", "PIPELINE_ID": buildkitePipeline, "ORGANIZATION": "acme",
	})
	w.wantClone(w.runBuildkite(p, buildkiteClaims()))
	w.wantRefused(w.runBuildkite(p, with(buildkiteClaims(), map[string]any{"pipeline_id": nil})), p.block("error", "no-pipeline-id"))
	w.wantRefused(w.runBuildkite(p, with(buildkiteClaims(), map[string]any{"build_source": "ui"})), p.block("error", "source"))
	w.wantRefused(w.runBuildkite(p, with(buildkiteClaims(), map[string]any{"organization_slug": "mallory"})), "claim \"organization_slug\" does not match")
}
