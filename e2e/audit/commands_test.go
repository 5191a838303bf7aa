package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/githubtest"
)

// TestTheExampleHoldsOnlyFieldsThatThereAre compares the page's example with its
// table, which is compared with the log.
func TestTheExampleHoldsOnlyFieldsThatThereAre(t *testing.T) {
	t.Parallel()
	_, example, _ := strings.Cut(readPage(t), "<!-- example -->\n```json\n")
	example, _, _ = strings.Cut(example, "```")
	var e entry
	if err := json.Unmarshal([]byte(example), &e); err != nil {
		t.Fatal(err)
	}
	for path, value := range leaves("", map[string]any(e)) {
		known := slices.ContainsFunc(tableOf(t, "fields: issuance"), func(cells []string) bool {
			f := parseField(t, cells)
			return f.matches(path) && f.tuned == standsAs(value)
		})
		if !known {
			t.Errorf("%s: %v is not as the table says", path, value)
		}
	}
}

// day is what happened before somebody opens the page.
type day struct {
	*world
	variables                     []string
	lease, leakedHash, pushedHash string
}

// newDay is a job that pushes, and is refused once; and somebody who has the
// App's key and makes a token beside the engine.
func newDay(t *testing.T, w *world) day {
	t.Helper()
	pushed := time.Now()
	j := w.job(map[string]any{"run_id": "4711"})
	secret := j.token("self", nil)
	w.push(w.clone(tokenOf(secret), "api"))
	j.ask("self", map[string]any{"permissions": map[string]string{"issues": "write"}})

	leaked := w.mintBesideTheEngine()
	w.readFile(leaked, "web", "README.md")
	d := day{world: w, lease: secret.LeaseID, leakedHash: githubHash(leaked), pushedHash: secret.Data["hashed_token"].(string)}
	d.variables = []string{
		"TOKEN=" + tokenOf(secret), "RUN_ID=4711", "PUSHED_AT=" + pushed.Add(2*time.Second).UTC().Format(time.RFC3339),
		"SERVER_LOG=" + vault.LogFile(), "GITHUB_LOG=" + w.exportOfGitHub(),
	}
	return d
}

// mintBesideTheEngine makes a token with the App's private key, as a thief would.
func (w *world) mintBesideTheEngine() string {
	w.t.Helper()
	before := w.github.LiveTokens()
	if status := w.request("POST", fmt.Sprintf("/app/installations/%d/access_tokens", w.installation.ID), w.app.JWT(), nil); status != 201 {
		w.t.Fatalf("GitHub makes no token: %d", status)
	}
	for _, token := range w.github.LiveTokens() {
		if !slices.ContainsFunc(before, func(b githubtest.Token) bool { return b.Value == token.Value }) {
			w.t.Cleanup(func() { w.github.RevokeToken(token.Value) })
			return token.Value
		}
	}
	w.t.Fatal("GitHub has no new token")
	return ""
}

// commands are the blocks of the page that a reader types.
var commands = regexp.MustCompile("(?s)<!-- admin(?:: ([\\w-]+))? -->\n```sh\n(.*?)```\n")

// exports are where a reader's logs are; a test's are elsewhere.
var exports = regexp.MustCompile(`(?m)^export .*$`)

// TestEveryCommandOnThePageAnswersItsQuestion types them, in order.
func TestEveryCommandOnThePageAnswersItsQuestion(t *testing.T) {
	w := newWorldAt(t, "github", "jwt")
	logs := []string{
		"AUDIT_LOG=" + filepath.Join(filepath.Dir(vault.AuditFile()), "audit-page.log"),
		"AUDIT_MIRROR=" + filepath.Join(filepath.Dir(vault.AuditFile()), "audit-page-mirror.log"),
	}
	t.Cleanup(func() {
		for _, device := range []string{"primary", "mirror"} {
			w.expect(vault.Root().Delete(t, "sys/audit/"+device))
		}
	})
	var d day
	answers := map[string]func() []string{ // what each must say
		"reports": func() []string {
			return []string{"contents=write,metadata=read", "1 clone, 1 push", "asked for more than the role gives"}
		},
		"whose":        func() []string { return []string{`"run_id":"4711"`, d.lease} },
		"whose-jq":     func() []string { return []string{`"run_id":"4711"`, `"scope":"acme: api: contents=write`, d.lease} },
		"whose-hashed": func() []string { return []string{`"run_id":"4711"`, d.lease} },
		"job": func() []string {
			return []string{"contents=write", "request permissions: wanted at most", d.pushedHash}
		},
		"job-uses":   func() []string { return []string{`"action":"git.clone","repo":"acme/api"`, `"action":"git.push"`} },
		"leaked":     func() []string { return []string{strings.TrimRight(d.leakedHash, "=") + "\n"} },
		"pushed":     func() []string { return []string{`"run_id":"4711"`, "contents=write"} },
		"could-have": func() []string { return []string{`"run_id":"4711"`, "contents=write"} },
	}
	dir := t.TempDir()
	for i, block := range commands.FindAllStringSubmatch(readPage(t), -1) {
		if i == 1 { // the devices are there
			d = newDay(t, w)
		}
		out := d.types(t, w, dir, block[2], append(logs, d.variables...))
		want := answers[block[1]]
		if block[1] == "" {
			continue
		}
		if want == nil {
			t.Fatalf("what must the block %s answer?", block[1])
		}
		for _, text := range want() {
			if !strings.Contains(out, text) {
				t.Errorf("%s does not answer %q:\n%s", block[1], text, out)
			}
		}
		if block[1] == "leaked" && strings.Count(out, "\n") != 1 {
			t.Errorf("other tokens seem to be leaked, too:\n%s", out)
		}
		delete(answers, block[1])
	}
	if len(answers) > 0 {
		t.Errorf("the page has no blocks for %v", answers)
	}
}

// types runs what is printed, and it must succeed.
func (d day) types(t *testing.T, w *world, dir, printed string, variables []string) string {
	t.Helper()
	bash := w.command("bash", "-euo", "pipefail", "-c", exports.ReplaceAllString(printed, ""))
	bash.Dir = dir
	bash.Env = append(bash.Env, variables...)
	out, err := bash.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("%s\n%s\n%s%s", printed, err, out, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestAFileIsWrittenAnewAfterSIGHUP is what the page's rotation stands on: nothing
// is lost, and nothing is written to the old file any more.
func TestAFileIsWrittenAnewAfterSIGHUP(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(filepath.Dir(vault.AuditFile()), "audit-rotated.log")
	w.write("sys/audit/rotated", map[string]any{"type": "file", "options": map[string]string{"file_path": file}})
	t.Cleanup(func() { w.expect(vault.Root().Delete(t, "sys/audit/rotated")) })
	before, after := device{"rotated", file + ".1"}, device{"rotated", file}

	first := w.job(nil).token("api-read", nil)
	if err := os.Rename(file, before.file); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(vault.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	vaulttest.Eventually(t, settleTimeout, func() error {
		_, err := os.Stat(file)
		return err
	})
	second := w.job(nil).token("api-read", nil)
	isIssuance := func(e entry) bool {
		return e.text("type") == "response" && e.text("request", "path") == w.mount+"/token/api-read"
	}
	for d, want := range map[device]any{before: first.Data["hashed_token"], after: second.Data["hashed_token"]} {
		if issued := d.entries(t, isIssuance); len(issued) != 1 || issued[0].at("response", "data", "hashed_token") != want {
			t.Errorf("%s has %d issuances, not its one", d.file, len(issued))
		}
	}
}
