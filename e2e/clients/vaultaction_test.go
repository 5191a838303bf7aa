package clients

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// vaultActionDir names a checkout of hashicorp/vault-action, whose dist/ is then
// run by node in place of the imitation below.
const vaultActionDir = "VAULT_ACTION_DIR"

// vaultAction does what hashicorp/vault-action v3 does with method jwt: its
// requests, in its order, and its way from an answer to an output.
//
// https://github.com/hashicorp/vault-action/blob/main/src/action.js
func (r *runner) vaultAction(s step) outcome {
	r.t.Helper()
	for name, value := range s.With {
		s.With[name] = r.expand(value)
	}
	if checkout := os.Getenv(vaultActionDir); checkout != "" {
		return r.runVaultAction(checkout, s)
	}
	headers := extraHeaders(s.With["extraHeaders"])
	login := r.vault.Client("").Do(r.t, http.MethodPost, "auth/"+s.With["path"]+"/login", map[string]any{
		"jwt": r.idToken(s.With["jwtGithubAudience"]), "role": s.With["role"],
	}, headers...)
	if login.Status != http.StatusOK {
		return outcome{output: "failed to retrieve vault token: " + login.Errors()}
	}
	token := login.Secret(r.t).Auth.ClientToken
	outputs, err := r.readSecrets(token, s.With["secrets"], headers)
	if err != nil {
		return outcome{output: err.Error()}
	}
	writeFile(r.t, r.env["GITHUB_OUTPUT"], outputs)
	writeFile(r.t, r.env["GITHUB_ENV"], "VAULT_TOKEN="+token+"\n")
	return outcome{ok: true}
}

// extraHeaders are names and values by turns.
func extraHeaders(input string) []string {
	var headers []string
	for line := range strings.Lines(input) {
		name, value, _ := strings.Cut(line, ":")
		headers = append(headers, strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return headers
}

// readSecrets reads every path once, and returns the outputs as lines of the
// runner's file.
//
// https://github.com/hashicorp/vault-action/blob/main/src/secrets.js
func (r *runner) readSecrets(token, input string, headers []string) (string, error) {
	r.t.Helper()
	var outputs strings.Builder
	answers := map[string]vaulttest.Answer{}
	for _, asked := range strings.Split(input, ";") {
		spec, name, _ := strings.Cut(asked, "|")
		path, selector, _ := strings.Cut(strings.TrimSpace(spec), " ")
		answer, read := answers[path]
		if !read {
			answer = r.vault.Client(token).Do(r.t, http.MethodGet, path, nil, headers...)
			answers[path] = answer
		}
		if answer.Status != http.StatusOK {
			return "", errors.New(answer.Errors())
		}
		value, err := selected(answer.Body, selector)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&outputs, "%s=%s\n", cmp.Or(strings.TrimSpace(name), selector), value)
	}
	return outputs.String(), nil
}

// selected is one field of an answer as an output: below data, or below data.data
// if there is such a key; a text as it is, and everything else as JSON.
func selected(body []byte, selector string) (string, error) {
	var answer struct{ Data map[string]json.RawMessage }
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", err
	}
	if _, nested := answer.Data["data"]; nested {
		return "", fmt.Errorf("the answer has a key called data, so %s would be looked for in it", selector)
	}
	value, ok := answer.Data[selector]
	if !ok {
		return "", fmt.Errorf("unable to retrieve result for %s", selector)
	}
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text, nil
	}
	return string(value), nil
}

// idToken asks for the job's ID token as GitHub's toolkit does.
func (r *runner) idToken(audience string) string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.env["ACTIONS_ID_TOKEN_REQUEST_URL"]+"&audience="+audience, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Value string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		r.t.Fatal(err)
	}
	return answer.Value
}

// runVaultAction runs the action itself.
func (r *runner) runVaultAction(checkout string, s step) outcome {
	r.t.Helper()
	env := maps.Clone(r.env)
	for name, value := range s.With {
		env["INPUT_"+strings.ToUpper(name)] = value
	}
	return r.run(job{shell: []string{"node"}, script: absolute(r.t, filepath.Join(checkout, "dist", "index.js")), env: env})
}

func TestVaultAction(t *testing.T) {
	t.Parallel()
	w, p := newClientWorld(t)
	w.issuer.SetClaims(w.pushToMain())
	contexts := map[string]string{"vars.VAULT_ADDR": w.vault.Addr}
	w.wantClone(w.runWorkflow(p.block("file", "vault-action.yml"), contexts))
	for name, want := range map[string]string{
		"github_token": gitHubToken.String(),
		"expires_at":   `^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$`,
		"repositories": `^\["api"\]$`,
		"permissions":  `^{"contents":"read","metadata":"read"}$`,
	} {
		if got := contexts["steps.vault.outputs."+name]; !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("the output %s is %q, not like %s", name, got, want)
		}
	}
	w.issuer.SetClaims(with(w.pushToMain(), map[string]any{"event_name": "pull_request_target"}))
	w.wantRefused(w.runWorkflow(p.block("file", "vault-action.yml"), contexts), "vault token")
}

func TestVaultActionShowsTheIDToken(t *testing.T) {
	t.Parallel()
	w, p := newClientWorld(t)
	file := p.block("file", "vault-action-id-token.yml")
	run := func(file string) outcome {
		w.issuer.SetClaims(w.pushToMain())
		return w.runWorkflow(file, map[string]string{"vars.VAULT_ADDR": w.vault.Addr})
	}
	w.wantClone(run(file))
	if o := run(strings.Replace(file, "X-CI-Id-Token", "X-Other", 1)); o.ok || o.minted != 0 {
		t.Errorf("without the header the role push gave %d tokens:\n%s", o.minted, o.output)
	}
}
