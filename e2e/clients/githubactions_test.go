package clients

import (
	"fmt"
	"strings"
	"testing"

	"vault-plugin-secrets-github/internal/oidctest"
)

func TestGitHubActions(t *testing.T) {
	t.Parallel()
	w, p := newWorld(t), readPage(t, "docs/ci/github-actions.md")
	w.setUp(p, map[string]string{"CI_ISSUER": w.issuer.URL, "ORGANIZATION": "acme", "OWNER_ID": "600000001"})
	file := p.block("file", ".github/workflows/release.yml")
	run := func(file string, claims map[string]any) outcome {
		w.issuer.SetClaims(oidctest.GitHubActionsClaims(with(map[string]any{
			"repository_id": fmt.Sprint(w.api.ID), "aud": "https://github.com/acme",
		}, claims)))
		return w.runWorkflow(file, map[string]string{"vars.VAULT_ADDR": w.vault.Addr})
	}
	w.wantClone(run(file, nil))
	w.wantRefused(run(file, map[string]any{"event_name": "pull_request_target"}), p.block("error", "event"))
	w.wantRefused(run(strings.Replace(file, "&audience=vault", "", 1), nil), p.block("error", "audience"))
	w.wantRefused(run(file, map[string]any{"repository_owner_id": "600000002"}), `claim "repository_owner_id" does not match`)
}
