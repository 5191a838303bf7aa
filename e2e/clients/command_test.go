package clients

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandsThatPrintTheToken(t *testing.T) {
	t.Parallel()
	w, p := newClientWorld(t)
	env := w.vaultToken()
	for _, name := range []string{"vault", "vault-narrow", "curl"} {
		o := w.run(job{shell: shell, script: p.block("run", name), env: env})
		if !o.ok {
			t.Fatalf("%s:\n%s", name, o.output)
		}
		w.wantLive(strings.TrimSuffix(o.output, "\n"))
	}
	w.wantMinted(3)
}

func TestCommandsThatShowTheIDToken(t *testing.T) {
	t.Parallel()
	w, p := newClientWorld(t)
	env := w.vaultToken()
	for _, name := range []string{"id-token-body", "id-token-header"} {
		env["ID_TOKEN"] = w.issuer.Sign(w.pushToMain())
		o := w.run(job{shell: shell, script: p.block("run", name), env: env})
		if !o.ok {
			t.Fatalf("%s:\n%s", name, o.output)
		}
		w.wantLive(strings.TrimSuffix(o.output, "\n"))
		for _, token := range []string{o.output, env["ID_TOKEN"], env["VAULT_TOKEN"]} {
			if !secret.MatchString(token) {
				t.Errorf("%.12q… would not be found in a log", token)
			}
		}
		env["ID_TOKEN"] = w.issuer.Sign(with(w.pushToMain(), map[string]any{"event_name": "pull_request_target"}))
		if o := w.run(job{shell: shell, script: p.block("run", name), env: env}); o.ok || o.minted != 0 {
			t.Errorf("%s gave another job %d tokens:\n%s", name, o.minted, o.output)
		}
	}
}

// Scripts that people have already: each cuts the token out in its own way, and
// each breaks if the body has another key that ends in token, or more than one
// line.
func TestScriptsThatCutTheTokenOut(t *testing.T) {
	t.Parallel()
	w, _ := newClientWorld(t)
	env := w.vaultToken()
	const ask = `status=$(curl -s -o body -w '%{http_code}' -H "X-Vault-Token: $VAULT_TOKEN" "$VAULT_ADDR/v1/github/token/ci")
test "$status" = 200
test "$(wc -l <body)" -le 1
`
	for _, cut := range []string{
		`sed 's/.*"token":"\([^"]*\)".*/\1/' body`,
		`sed -n 's/^.*"token" *: *"\([^"]*\)".*$/\1/p' body`,
		`sed -E 's/.*"token":"([^"]+)".*/\1/' body`,
		`sed -e 's/^.*"token":"//' -e 's/".*$//' body`,
		`grep -o '"token":"[^"]*"' body | cut -d'"' -f4`,
		`jq -er .data.token body`,
	} {
		o := w.run(job{shell: shell, script: ask + cut, env: env})
		if !o.ok {
			t.Errorf("%s:\n%s", cut, o.output)
			continue
		}
		w.wantLive(strings.TrimSuffix(o.output, "\n"))
	}
}

func TestFileForAnotherProcess(t *testing.T) {
	t.Parallel()
	w, p := newClientWorld(t)
	o := w.run(job{shell: shell, script: p.block("run", "file"), env: w.vaultToken()})
	if !o.ok {
		t.Fatal(o.output)
	}
	file := filepath.Join(o.dir, "github-token")
	wantPrivate(t, file)
	w.wantLive(readFile(t, file))
}
