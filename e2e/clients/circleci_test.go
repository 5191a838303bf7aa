package clients

import (
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	circleOrganization = "5b1d2f0e-8f43-4c6e-9a55-0d8f8b1c7a10"
	circleProject      = "0f3c8a52-6a0b-4e0c-8f1e-2d5f7c9b1e44"
)

// circleCIClaims are those of a push to the main branch of acme/api.
//
// https://circleci.com/docs/openid-connect-tokens/#format-of-the-openid-connect-id-token
func circleCIClaims() map[string]any {
	return map[string]any{
		"sub": "org/" + circleOrganization + "/project/" + circleProject +
			"/user/3f9b1f64-0c0c-4f7d-9f5e-6d1f3a2b4c5d/vcs-origin/github.com/acme/api/vcs-ref/refs/heads/main",
		"aud": "vault", "nbf": nil, "jti": nil,
		"oidc.circleci.com/org-id":      circleOrganization,
		"oidc.circleci.com/project-id":  circleProject,
		"oidc.circleci.com/context-ids": []string{"9a7c0c3e-54d7-4ad8-a0e1-1f6f7f0e2b11"},
		"oidc.circleci.com/pipeline-id": "c0f1b3f2-7f27-4c2f-8a3c-8a6b7e0f5f21",
		"oidc.circleci.com/vcs-origin":  "github.com/acme/api",
		"oidc.circleci.com/vcs-ref":     "refs/heads/main",
		"oidc.circleci.com/ssh-rerun":   false,
	}
}

// runCircleCI runs the steps of the one job of a configuration as CircleCI does.
func (w *world) runCircleCI(file string, claims map[string]any) outcome {
	w.t.Helper()
	var config struct {
		Jobs map[string]struct {
			Steps []struct{ Run struct{ Command string } }
		}
	}
	if err := yaml.Unmarshal([]byte(file), &config); err != nil {
		w.t.Fatal(err)
	}
	w.addCommand("circleci", `test "$*" = 'run oidc get --claims {"aud": "vault"}'
printf '%s\n' "$OIDC_TOKEN"
`)
	var o outcome
	for _, j := range config.Jobs {
		for _, s := range j.Steps {
			o = w.run(job{
				shell: []string{"bash", "-eo", "pipefail", "-c"}, script: s.Run.Command,
				env: map[string]string{"OIDC_TOKEN": w.issuer.Sign(claims)},
			})
		}
	}
	return o
}

func TestCircleCI(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), readPage(t, "docs/ci/circleci.md")
	w.setUp(p, map[string]string{
		"ORGANIZATION_ID": circleOrganization, "PROJECT_ID": circleProject, "CIRCLECI_ISSUER": w.issuer.URL, "ORGANIZATION": "acme",
	})
	file := p.block("file", ".circleci/config.yml")
	w.wantClone(w.runCircleCI(file, circleCIClaims()))
	w.wantRefused(w.runCircleCI(file, with(circleCIClaims(), map[string]any{"oidc.circleci.com/vcs-ref": "refs/heads/try"})),
		p.block("error", "branch"))
	w.wantRefused(w.runCircleCI(file, with(circleCIClaims(), map[string]any{"oidc.circleci.com/vcs-origin": "github.com/mallory/api"})),
		"bound_claims oidc.circleci.com/vcs-origin")
	w.wantRefused(w.runCircleCI(file, with(circleCIClaims(), map[string]any{"oidc.circleci.com/ssh-rerun": true})),
		"bound_claims oidc.circleci.com/ssh-rerun")
	w.wantRefused(w.runCircleCI(file, with(circleCIClaims(), map[string]any{"aud": circleOrganization})),
		p.block("error", "audience"))
}
