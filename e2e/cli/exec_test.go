package cli

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// running is a vault-github exec whose command has begun.
type running struct {
	*exec.Cmd
	output *bytes.Buffer
}

// begin starts an exec of a shell script, and waits until the script has made
// the file "began".
func (w *world) begin(args []string, script string) running {
	w.t.Helper()
	began := filepath.Join(w.home, "began")
	args = append(append([]string{"exec"}, args...), "--", "sh", "-c", script, began)
	r := running{w.command(w.t.Context(), nil, args...), new(bytes.Buffer)}
	r.Stdout, r.Stderr = r.output, r.output
	if err := r.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = r.Process.Kill() })
	vaulttest.Eventually(w.t, settleTimeout, func() error {
		_, err := os.Stat(began)
		return err
	})
	return r
}

func (r running) end(t *testing.T, want int) {
	t.Helper()
	err := r.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := r.ProcessState.ExitCode(); got != want {
		t.Errorf("status %d, not %d; it said:\n%s", got, want, r.output)
	}
}

func TestSignalsAreTheCommandsAndTheTokenIsRevoked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		signal syscall.Signal
		script string
		status int
	}{
		"TERM ends it":     {syscall.SIGTERM, `touch "$0"; while :; do sleep 0.05; done`, 143},
		"INT ends it":      {syscall.SIGINT, `touch "$0"; while :; do sleep 0.05; done`, 130},
		"HUP is handled":   {syscall.SIGHUP, `trap 'exit 7' HUP; touch "$0"; while :; do sleep 0.05; done`, 7},
		"TERM is ignored":  {syscall.SIGTERM, `trap 'stopped=1' TERM; touch "$0"; while [ -z "$stopped" ]; do sleep 0.05; done; exit 0`, 0},
		"USR1 means a lot": {syscall.SIGUSR1, `trap 'exit 9' USR1; touch "$0"; while :; do sleep 0.05; done`, 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.begin([]string{"api-read"}, test.script)
			w.awaitLive(1)
			if err := r.Process.Signal(test.signal); err != nil {
				t.Fatal(err)
			}
			r.end(t, test.status)
			w.awaitLive(0)
		})
	}
}

// TestTheLeaseIsKeptAliveWhileTheCommandRuns runs a command that outlives the
// TTL.
func TestTheLeaseIsKeptAliveWhileTheCommandRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.begin([]string{"brief"}, `touch "$0"; sleep 9; git ls-remote -q "$GITHUB_SERVER_URL"/acme/api >/dev/null`)
	token := w.github.LiveTokens()[0].Value
	r.end(t, 0) // git was given the token, long after the TTL
	if w.github.Minted() != 1 {
		t.Errorf("%d tokens were made; want one, renewed", w.github.Minted())
	}
	if strings.Contains(r.output.String(), token) != strings.Contains(r.output.String(), "::add-mask::"+token) {
		t.Error("the token was printed other than to be masked")
	}
	w.awaitLive(0)
}

// TestGitHasANewTokenWhenTheFirstCannotBeRenewedAnyMore has a max_ttl in the place
// of GitHub's hour.
func TestGitHasANewTokenWhenTheFirstCannotBeRenewedAnyMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := `git ls-remote -q "$GITHUB_SERVER_URL"/acme/api >/dev/null`
	r := w.begin([]string{"fleeting"}, ask+` && touch "$0" && sleep 6 && `+ask)
	r.end(t, 0)
	if w.github.Minted() != 2 {
		t.Errorf("%d tokens were made, not 2", w.github.Minted())
	}
	w.awaitLive(0)
}

// TestKillingTheExecOutrightLeavesALeaseThatEnds: nothing can be done then, so
// the TTL that was asked for must, however long the role's is.
func TestKillingTheExecOutrightLeavesALeaseThatEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.begin([]string{"api-read", "--ttl", "10s"}, `touch "$0"; exec sleep 1`)
	w.awaitLive(1)
	killed := time.Now()
	if err := r.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	r.end(t, -1)
	w.awaitLive(0)
	if took := time.Since(killed); took > 20*time.Second {
		t.Errorf("the token lived on for %s", took)
	}
}

// TestASignalBeforeTheCommandRunsLeavesNothing sends it while Vault is asked.
func TestASignalBeforeTheCommandRunsLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	proxy, asked, answer := holdingProxy(t, w.mount+"/token/")
	cmd := w.command(t.Context(), []string{"VAULT_ADDR=" + proxy}, "exec", "api-read", "--", "touch", filepath.Join(w.home, "ran"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	answer()
	if got := cmd.ProcessState.ExitCode(); got != 143 {
		t.Errorf("status %d, %v; want 143", got, err)
	}
	if _, err := os.Stat(filepath.Join(w.home, "ran")); err == nil {
		t.Error("the command was run")
	}
	w.awaitLive(0)
}

// TestNoSecretIsInAnArgumentVector looks at every process below an exec.
func TestNoSecretIsInAnArgumentVector(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.begin([]string{"api-read"}, `git ls-remote -q "$GITHUB_SERVER_URL"/acme/api; touch "$0"; while :; do sleep 0.05; done`)
	token := w.github.LiveTokens()[0].Value
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(lines) == 0 {
		t.Fatalf("no processes: %v", err)
	}
	for _, line := range lines {
		if content, err := os.ReadFile(line); err == nil && strings.Contains(string(content), token) {
			t.Errorf("the token is in %s", line)
		}
	}
	_ = r.Process.Signal(syscall.SIGTERM)
	r.end(t, 143)
}
