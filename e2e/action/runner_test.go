package action

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// job is a job on a runner, of which the action is some of the steps.
type job struct {
	*world
	manifest manifest
	temp     string            // RUNNER_TEMP
	env      map[string]string // for every process of the job; GITHUB_ENV adds to it
	steps    []*step           // that use the action
	posts    []func()          // of these and of other actions
}

func (w *world) newJob() *job {
	w.t.Helper()
	root := w.t.TempDir()
	j := &job{world: w, manifest: readManifest(w.t), temp: filepath.Join(root, "temp")}
	home := filepath.Join(root, "home")
	for _, dir := range []string{j.temp, home} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			w.t.Fatal(err)
		}
	}
	j.env = map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": home,
		"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": w.github.URL, "GITHUB_API_URL": w.github.APIURL, "RUNNER_TEMP": j.temp,
		"ACTIONS_ID_TOKEN_REQUEST_URL": w.ci.url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": requestToken,
		"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "job", "GIT_AUTHOR_EMAIL": "job@acme.example",
		"GIT_COMMITTER_NAME": "job", "GIT_COMMITTER_EMAIL": "job@acme.example",
	}
	return j
}

// inputs are those of a step that asks for a token of the role ci, but for some.
func (w *world) inputs(others map[string]string) map[string]string {
	inputs := map[string]string{
		"vault-address": vault.Addr, "auth-path": w.auth, "auth-role": "ci", "mount": w.mount, "role": "ci",
	}
	maps.Copy(inputs, others)
	return inputs
}

// step is a step that uses the action.
type step struct {
	j              *job
	main           *process
	inputs         map[string]string
	outputs, state map[string]string
}

// use runs the action's main, as the runner does.
func (j *job) use(inputs map[string]string) *step {
	j.t.Helper()
	s := j.begin(inputs)
	s.finish()
	return s
}

// begin starts the action's main.
func (j *job) begin(inputs map[string]string) *step {
	j.t.Helper()
	s := &step{j: j, inputs: map[string]string{}}
	for _, input := range j.manifest.Inputs {
		s.inputs[input.Name] = input.Default
	}
	maps.Copy(s.inputs, inputs)
	s.main = j.start(j.manifest.Runs.Main, inputVariables(s.inputs))
	j.steps = append(j.steps, s)
	j.posts = append(j.posts, func() { s.post() })
	return s
}

// finish waits for main, and reads what it left in the runner's files: whether
// it failed, or was cancelled.
func (s *step) finish() {
	s.j.t.Helper()
	s.main.wait()
	s.outputs, s.state = s.main.file("GITHUB_OUTPUT"), s.main.file("GITHUB_STATE")
	maps.Copy(s.j.env, s.main.file("GITHUB_ENV"))
}

// end runs the post of every step, the last step's first.
func (j *job) end() {
	j.t.Helper()
	for _, post := range slices.Backward(j.posts) {
		post()
	}
}

// post runs the action's post, as the runner does. It never fails the job.
func (s *step) post() *process {
	s.j.t.Helper()
	variables := inputVariables(s.inputs)
	for name, value := range s.state {
		variables["STATE_"+name] = value
	}
	p := s.j.start(s.j.manifest.Runs.Post, variables)
	p.wait()
	if p.code != 0 {
		s.j.t.Errorf("post ended with %d:\n%s", p.code, p.stdout.String())
	}
	return p
}

// inputVariables are how the runner hands inputs over: also those that are not
// in action.yml.
func inputVariables(inputs map[string]string) map[string]string {
	variables := map[string]string{}
	for name, value := range inputs {
		variables["INPUT_"+strings.ToUpper(strings.ReplaceAll(name, " ", "_"))] = value
	}
	return variables
}

// process is a script of the action's.
type process struct {
	t              *testing.T
	j              *job
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	code           int // of the exit; -1 if a signal ended it
	files          string
}

// fileCommands are the files through which an action speaks to the runner.
var fileCommands = []string{"GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_ENV"}

func (j *job) start(script string, variables map[string]string) *process {
	j.t.Helper()
	p := &process{t: j.t, j: j, files: j.t.TempDir()}
	p.cmd = exec.CommandContext(j.t.Context(), "node", filepath.Join(directory, script))
	p.cmd.Env = environ(j.env, variables)
	for _, name := range fileCommands {
		path := filepath.Join(p.files, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			j.t.Fatal(err)
		}
		p.cmd.Env = append(p.cmd.Env, name+"="+path)
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		j.t.Fatal(err)
	}
	return p
}

func environ(sources ...map[string]string) []string {
	var list []string
	for _, source := range sources {
		for name, value := range source {
			list = append(list, name+"="+value)
		}
	}
	return list
}

// wait waits for the end, and holds what was printed to what holds always: no
// secret outside a mask, no stack trace.
func (p *process) wait() {
	p.t.Helper()
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	p.code = p.cmd.ProcessState.ExitCode()
	if p.stderr.Len() > 0 {
		p.t.Errorf("on standard error:\n%s", p.stderr.String())
	}
	secrets := p.secrets()
	for _, line := range p.printed() {
		if slices.ContainsFunc(secrets, func(secret string) bool { return strings.Contains(line, secret) }) {
			p.t.Error("a secret is printed in the clear")
		}
		if !strings.HasPrefix(line, "::debug::") && strings.Contains(line, ".js:") {
			p.t.Errorf("a stack trace is printed: %s", line)
		}
	}
}

// secrets are those that the process may know.
func (p *process) secrets() []string {
	secrets := append(p.j.ci.idTokens(), requestToken)
	for _, token := range p.j.github.LiveTokens() {
		secrets = append(secrets, token.Value)
	}
	kept := []string{p.file("GITHUB_STATE")["vault-token"]}
	for _, s := range p.j.steps {
		kept = append(kept, s.state["vault-token"], s.outputs["token"])
	}
	return append(secrets, slices.DeleteFunc(kept, func(secret string) bool { return secret == "" })...)
}

// lines are those of the standard output.
func (p *process) lines() []string {
	return strings.Split(strings.TrimSuffix(p.stdout.String(), "\n"), "\n")
}

// printed are the lines that people may see.
func (p *process) printed() []string {
	return slices.DeleteFunc(p.lines(), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "::add-mask::")
	})
}

// annotations are the messages of a kind, error or warning, as the runner shows
// them.
func (p *process) annotations(kind string) string {
	var found []string
	for _, line := range p.lines() {
		if rest, ok := strings.CutPrefix(line, "::"+kind+" "); ok {
			found = append(found, strings.NewReplacer("%0A", "\n", "%0D", "\r", "%3A", ":", "%2C", ",", "%25", "%").Replace(rest))
		}
	}
	return strings.Join(found, "\n")
}

// file reads what the action left in a file of the runner's.
func (p *process) file(name string) map[string]string {
	p.t.Helper()
	values := map[string]string{}
	rest := readFile(p.t, filepath.Join(p.files, name))
	for rest != "" {
		head, body, _ := strings.Cut(rest, "\n")
		key, delimiter, ok := strings.Cut(head, "<<")
		value, after, ended := strings.Cut(body, "\n"+delimiter+"\n")
		if !ok || !ended {
			p.t.Fatalf("%s: invalid format %q", name, head)
		}
		values[key], rest = value, after
	}
	return values
}

// run runs a command as a later step of the job.
func (j *job) run(name string, args ...string) (output string, err error) {
	j.t.Helper()
	cmd := exec.CommandContext(j.t.Context(), name, args...)
	cmd.Env = environ(j.env)
	cmd.Dir = j.temp
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// mustRun is run for what must succeed.
func (j *job) mustRun(name string, args ...string) string {
	j.t.Helper()
	out, err := j.run(name, args...)
	if err != nil {
		j.t.Fatalf("%s %s: %s\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// remote is the URL of a repository, with a token if it is not empty.
func (j *job) remote(token, repository string) string {
	user := ""
	if token != "" {
		user = "x-access-token:" + token + "@"
	}
	return fmt.Sprintf("http://%s%s/%s.git", user, strings.TrimPrefix(j.github.URL, "http://"), repository)
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
