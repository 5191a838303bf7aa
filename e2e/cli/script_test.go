package cli

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"vault-plugin-secrets-github/internal/githubtest"
	"vault-plugin-secrets-github/internal/oidctest"
)

// TestScripts runs every transcript.
func TestScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			testscript.Run(t, testscript.Params{
				Files: []string{script},
				Setup: func(env *testscript.Env) error {
					env.Vars = append(env.Vars, w.environment()...)
					return nil
				},
				Cmds:                w.commands(),
				RequireUniqueNames:  true,
				RequireExplicitExec: true,
			})
		})
	}
}

// commands are what scripts have beside testscript's own.
func (w *world) commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"status":  status,
		"live":    w.live,
		"minted":  w.minted,
		"scope":   w.scope,
		"claims":  w.claims,
		"idtoken": w.idToken,
		"login":   w.login,
		"github":  w.trouble,
		"admin":   admin,
	}
}

// status N COMMAND...: the command's exit status is N.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var exit *exec.ExitError
	got := 0
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with status %d, not %d", strings.Join(args[1:], " "), got, want)
	}
}

// live N: GitHub takes N tokens, now or soon.
func (w *world) live(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(strings.Join(args, " "))
	ts.Check(err)
	w.awaitLive(want)
}

// minted N: GitHub has made N tokens since the beginning.
func (w *world) minted(ts *testscript.TestScript, _ bool, args []string) {
	if got := strconv.Itoa(w.github.Minted()); got != strings.Join(args, " ") {
		ts.Fatalf("GitHub made %s tokens, not %s", got, strings.Join(args, " "))
	}
}

// scope OWNER/NAME...: the newest live token is good for these repositories.
func (w *world) scope(ts *testscript.TestScript, _ bool, args []string) {
	tokens := w.github.LiveTokens()
	if len(tokens) == 0 {
		ts.Fatalf("GitHub takes no token")
	}
	if got := strings.Join(w.github.RepositoriesOf(tokens[len(tokens)-1]), " "); got != strings.Join(args, " ") {
		ts.Fatalf("the token is good for %s, not %s", got, strings.Join(args, " "))
	}
}

// claims NAME=VALUE...: what the job's next ID token says differently.
func (w *world) claims(_ *testscript.TestScript, _ bool, args []string) {
	w.ci.SetClaims(claimsOf(args))
}

// idtoken VARIABLE [NAME=VALUE...]: a variable holds the job's ID token.
func (w *world) idToken(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], w.ci.Sign(claimsOf(args[1:])))
}

// login VARIABLE: a variable holds a Vault token of the job's.
func (w *world) login(ts *testscript.TestScript, _ bool, args []string) {
	login := vault.Client("").Post(w.t, "auth/"+w.auth+"/login", map[string]any{"role": "ci", "jwt": w.ci.Sign(claimsOf(nil))})
	ts.Setenv(args[0], login.Secret(w.t).Auth.ClientToken)
}

func claimsOf(args []string) map[string]any {
	different := map[string]any{}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		different[name] = value
	}
	return oidctest.GitHubActionsClaims(different)
}

// github OUTAGE: what GitHub does when it is next asked for a token.
func (w *world) trouble(ts *testscript.TestScript, _ bool, args []string) {
	faults := map[string]githubtest.Fault{
		"bad-gateway": githubtest.BadGateway(),
	}
	fault, known := faults[strings.Join(args, " ")]
	if !known {
		ts.Fatalf("no such trouble: %q", args)
	}
	w.github.Inject(fault.On(githubtest.MintToken).Once())
}

// admin ARGUMENT...: the vault command as root, for whom the world's VAULT_TOKEN
// is put aside.
func admin(ts *testscript.TestScript, neg bool, args []string) {
	before := ts.Getenv("VAULT_TOKEN")
	ts.Setenv("VAULT_TOKEN", vault.RootToken)
	err := ts.Exec("vault", args...)
	ts.Setenv("VAULT_TOKEN", before)
	if (err != nil) != neg {
		ts.Fatalf("vault %s: %v", strings.Join(args, " "), err)
	}
}
