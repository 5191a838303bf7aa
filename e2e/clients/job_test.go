package clients

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// job is what a CI runs, as its runner does it.
type job struct {
	shell  []string // with the arguments before the script
	script string
	env    map[string]string
	files  map[string]string // by their paths below the job's directory
}

// outcome is what came of a job.
type outcome struct {
	ok     bool
	output string // what stands in the job's log
	dir    string
	minted int // how many tokens GitHub made meanwhile
}

// run runs a job to its end.
func (w *world) run(j job) outcome {
	w.t.Helper()
	c := w.command(j.shell[0], append(j.shell[1:], j.script)...)
	for name, value := range j.env {
		c.Env = append(c.Env, name+"="+value)
	}
	for path, content := range j.files {
		writeFile(w.t, filepath.Join(c.Dir, path), content)
	}
	before := w.github.Minted()
	out, err := c.CombinedOutput()
	return outcome{ok: err == nil, output: string(out), dir: c.Dir, minted: w.github.Minted() - before}
}

// wantClone checks that a job cloned acme/api with one token, that its log does
// not show it, and that it ended with the job.
func (w *world) wantClone(o outcome) {
	w.t.Helper()
	if !o.ok {
		w.t.Fatalf("the job failed:\n%s", o.output)
	}
	if content, err := os.ReadFile(filepath.Join(o.dir, "api", "README.md")); string(content) != "api\n" {
		w.t.Errorf("the job did not clone acme/api: %v\n%s", err, o.output)
	}
	if o.minted != 1 {
		w.t.Errorf("GitHub made %d tokens for the job", o.minted)
	}
	w.wantNoSecret(o)
	w.awaitLiveTokens(0)
}

// wantRefused checks that a job was told no with these words, and got no token.
func (w *world) wantRefused(o outcome, says string) {
	w.t.Helper()
	if o.ok || o.minted != 0 {
		w.t.Errorf("the job was not refused, and got %d tokens:\n%s", o.minted, o.output)
	}
	if !strings.Contains(unwrapped(o.output), unwrapped(says)) {
		w.t.Errorf("the job's log does not say %q:\n%s", says, o.output)
	}
	w.wantNoSecret(o)
}

// wantNoSecret checks a job's log.
func (w *world) wantNoSecret(o outcome) {
	w.t.Helper()
	if secret.MatchString(o.output) {
		w.t.Error("the job's log shows a token")
	}
}

// with is the claims with others in their place; one that is nil is taken away.
func with(claims, others map[string]any) map[string]any {
	all := maps.Clone(claims)
	maps.Copy(all, others)
	return all
}

// unwrapped is a text in one line: documents and the vault command break long
// ones.
func unwrapped(text string) string { return strings.Join(strings.Fields(text), " ") }

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
