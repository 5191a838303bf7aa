package clients

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// gitLabJob is a job of .gitlab-ci.yml.
type gitLabJob struct {
	Variables map[string]string
	IDTokens  map[string]struct{ Aud string } `yaml:"id_tokens"`
	Script    []string
}

// gitLabClaims are those of a push to a protected branch.
//
// https://docs.gitlab.com/ci/secrets/id_token_authentication/#token-payload
func gitLabClaims() map[string]any {
	return map[string]any{
		"sub":          "project_path:acme/mirror:ref_type:branch:ref:main",
		"namespace_id": "72", "namespace_path": "acme", "project_id": "4711", "project_path": "acme/mirror",
		"project_visibility": "private", "user_id": "12", "user_login": "ada", "user_email": "ada@acme.example", "user_access_level": "developer",
		"pipeline_id": "574", "pipeline_source": "push", "job_id": "302",
		"ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main", "ref_protected": "true",
		"runner_id": 1, "runner_environment": "self-hosted", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
		"ci_config_ref_uri": "gitlab.example/acme/mirror//.gitlab-ci.yml@refs/heads/main",
		"ci_config_sha":     "714a629c0b401fdce83e847fc9589983fc6f46bc",
	}
}

// runGitLab runs the one job of a .gitlab-ci.yml as GitLab's runner does: the
// lines of its script are one script of bash.
func (w *world) runGitLab(file string, claims map[string]any) outcome {
	w.t.Helper()
	var jobs map[string]gitLabJob
	if err := yaml.Unmarshal([]byte(file), &jobs); err != nil {
		w.t.Fatal(err)
	}
	var o outcome
	for _, printed := range jobs {
		env := map[string]string{}
		for name, token := range printed.IDTokens {
			env[name] = w.issuer.Sign(with(claims, map[string]any{"aud": token.Aud}))
		}
		o = w.run(job{shell: []string{"bash", "-eo", "pipefail", "-c"}, script: strings.Join(printed.Script, "\n"), env: env})
	}
	return o
}

func TestGitLab(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), readPage(t, "docs/ci/gitlab.md")
	w.setUp(p, map[string]string{
		"GITLAB_URL": w.issuer.URL, "NAMESPACE_ID": "72", "PROJECT_ID": "4711", "ORGANIZATION": "acme",
	})
	file := p.block("file", ".gitlab-ci.yml")
	w.wantClone(w.runGitLab(file, gitLabClaims()))
	w.wantRefused(w.runGitLab(file, with(gitLabClaims(), map[string]any{"ref": "try", "ref_protected": "false"})),
		p.block("error", "unprotected"))
	forgetful := strings.Replace(file, "github/token/gitlab-mirror id_token=-", "-force github/token/gitlab-mirror", 1)
	w.wantRefused(w.runGitLab(forgetful, gitLabClaims()), p.block("error", "no-id-token"))
}
