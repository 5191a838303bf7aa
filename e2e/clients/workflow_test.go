package clients

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is a workflow of GitHub Actions, as far as the documents use them.
type workflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Permissions map[string]string
		Env         map[string]string
		Steps       []step
	}
}

type step struct {
	ID, If, Uses, Run, Shell string
	With, Env                map[string]string
}

// stepShells are the shells of steps, by the name that a step gives.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
var stepShells = map[string][]string{
	"":     {"bash", "-e", "-c"},
	"bash": {"bash", "-eo", "pipefail", "-c"},
}

// runner runs the one job of a workflow as GitHub's runner does.
type runner struct {
	*world
	job outcome
	// env is what the steps before have left.
	env map[string]string
	// contexts are values of expressions, e.g. "vars.VAULT_ADDR".
	contexts map[string]string
}

// runWorkflow runs the workflow for the job whose claims the issuer has.
func (w *world) runWorkflow(file string, contexts map[string]string) outcome {
	w.t.Helper()
	var flow workflow
	if err := yaml.Unmarshal([]byte(file), &flow); err != nil {
		w.t.Fatal(err)
	}
	r := &runner{
		world: w, job: outcome{ok: true, dir: w.t.TempDir()}, contexts: contexts,
		env: map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": w.github.URL},
	}
	before := w.github.Minted()
	for _, j := range flow.Jobs {
		if flow.Permissions["id-token"] == "write" || j.Permissions["id-token"] == "write" {
			r.env["ACTIONS_ID_TOKEN_REQUEST_URL"] = w.issuer.ActionsTokenURL()
			r.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "of the runner"
		}
		for name, value := range j.Env {
			r.env[name] = r.expand(value)
		}
		for _, s := range j.Steps {
			r.step(s)
		}
	}
	r.job.minted = w.github.Minted() - before
	return r.job
}

// step runs a step, unless one before has failed, and takes over what it writes
// into the runner's files.
func (r *runner) step(s step) {
	r.t.Helper()
	if !r.job.ok && s.If != "always()" {
		return
	}
	files := r.t.TempDir()
	for _, name := range []string{"GITHUB_ENV", "GITHUB_OUTPUT"} {
		r.env[name] = filepath.Join(files, name)
		writeFile(r.t, r.env[name], "")
	}
	o := r.perform(s)
	r.job.ok = r.job.ok && o.ok
	r.job.output += masked(o.output)
	maps.Copy(r.env, r.fileCommands("GITHUB_ENV"))
	for name, value := range r.fileCommands("GITHUB_OUTPUT") {
		r.contexts["steps."+s.ID+".outputs."+name] = value
	}
}

// perform runs the action or the script of a step.
func (r *runner) perform(s step) outcome {
	r.t.Helper()
	if name, _, _ := strings.Cut(s.Uses, "@"); name == "hashicorp/vault-action" {
		return r.vaultAction(s)
	} else if name != "" {
		r.t.Fatalf("the test has no action %s", name)
	}
	env := maps.Clone(r.env)
	for name, value := range s.Env {
		env[name] = r.expand(value)
	}
	return r.run(job{shell: stepShells[s.Shell], script: "cd '" + r.job.dir + "'\n" + r.expand(s.Run), env: env})
}

var expression = regexp.MustCompile(`\$\{\{ *([^ ]+) *\}\}`)

// expand fills in expressions.
func (r *runner) expand(text string) string {
	return expression.ReplaceAllStringFunc(text, func(found string) string {
		name := expression.FindStringSubmatch(found)[1]
		value, ok := r.contexts[name]
		if !ok && r.job.ok {
			r.t.Errorf("the test has no %s", name)
		}
		return value
	})
}

var fileCommand = regexp.MustCompile(`(?ms)^(\w+)(?:=([^\n]*)|<<(\S+)\n(.*?)\n(\S+))$`)

// fileCommands are the settings in one of the runner's files.
func (r *runner) fileCommands(name string) map[string]string {
	r.t.Helper()
	content, err := os.ReadFile(r.env[name])
	if err != nil {
		r.t.Fatal(err)
	}
	found := map[string]string{}
	for _, match := range fileCommand.FindAllStringSubmatch(string(content), -1) {
		found[match[1]] = match[2] + match[4]
	}
	return found
}

var addMask = regexp.MustCompile(`(?m)^::add-mask::(.*)\n`)

// masked is a step's output as the log shows it.
func masked(output string) string {
	masks := addMask.FindAllStringSubmatch(output, -1)
	output = addMask.ReplaceAllString(output, "")
	for _, mask := range masks {
		output = strings.ReplaceAll(output, mask[1], "***")
	}
	return output
}

func TestMaskedHidesTheTokenOnly(t *testing.T) {
	t.Parallel()
	if got := masked("::add-mask::secret\nthe secret\nand more\n"); got != "the ***\nand more\n" {
		t.Errorf("%q", got)
	}
}
