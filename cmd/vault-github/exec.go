package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"vault-plugin-secrets-github/internal/jobtoken"
)

const execLong = `Run a command with a token of a role, and revoke the token when it ends.

The command has the token as GITHUB_TOKEN and GH_TOKEN. Its lease is renewed while
the command runs, and revoked when it ends, however it ends. If this program is
killed outright, the token ends with its lease: so a short --ttl costs nothing.

GitHub ends every token after an hour. git, run by the command, asks anew for
each operation, and so always has a token that is good: its credential helper is
set for the command by environment variables, and talks to this program. What
reads GITHUB_TOKEN once has an hour.

The exit status is the command's; 126 and 127 if it cannot be run or is not
found; 128 and the signal's number if a signal ended it.`

const execExamples = `  vault-github exec api-read -- git clone https://github.com/acme/api
  vault-github exec api-read --ttl 1m -- sh -c 'curl -sf -H "Authorization: Bearer $GITHUB_TOKEN" https://api.github.com/installation/repositories'`

// revokeTimeout is how long the end of a job may be held up by a Vault that does
// not answer.
const revokeTimeout = 30 * time.Second

func newExec(t *terminal, c *connection) *cobra.Command {
	var s scope
	cmd := &cobra.Command{
		Use:     "exec ROLE [flags] -- COMMAND [ARGUMENT...]",
		Short:   "Run a command with a token, and revoke it after",
		Long:    execLong,
		Example: execExamples,
		Args:    roleAndCommand,
		RunE: func(cmd *cobra.Command, args []string) error {
			asked, err := s.request(cmd.Flags())
			if err != nil {
				return err
			}
			program, err := lookUp(args[1])
			if err != nil {
				return err
			}
			config, err := c.config(cmd.Flags())
			if err != nil {
				return err
			}
			server, err := c.githubURL()
			if err != nil {
				return err
			}
			x := &execution{
				t: t, c: c, server: server,
				broker: &broker{
					config: config, role: args[0], asked: asked,
					mask: func(token string) { c.mask(t, token) },
				},
				command: &exec.Cmd{Path: program, Args: args[1:], Stdin: t.in, Stdout: t.out, Stderr: t.err},
			}
			return x.run(cmd.Context())
		},
	}
	s.addFlags(cmd.Flags())
	return cmd
}

func roleAndCommand(cmd *cobra.Command, args []string) error {
	dash := cmd.ArgsLenAtDash()
	switch {
	case dash != 1 || len(args) < 2 || args[1] == "":
		return usagef("give one role, then -- and the command: %s", cmd.UseLine())
	default:
		return checkRoleName(args[0])
	}
}

// lookUp finds the program before a token is made for it.
func lookUp(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return "", cannotRun(program, err)
	}
	return path, nil
}

func cannotRun(program string, err error) error {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return &exitError{statusNotFound, fmt.Errorf("%s: command not found", program)}
	}
	return &exitError{statusNotExecutable, fmt.Errorf("%s: cannot be run: %w", program, cause(err))}
}

// cause leaves out the name of the program, which has been said.
func cause(err error) error {
	var (
		look *exec.Error
		path *os.PathError
	)
	switch {
	case errors.As(err, &look):
		return look.Err
	case errors.As(err, &path):
		return path.Err
	}
	return err
}

// execution is one run of exec.
type execution struct {
	t       *terminal
	c       *connection
	server  *url.URL
	broker  *broker
	command *exec.Cmd
}

// run gets a token, runs the command, and revokes whatever came of it, in every
// case. Until the command runs a signal ends this program; from then on signals
// are the command's, and it decides what they mean.
func (x *execution) run(ctx context.Context) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passedOn()...)
	defer signal.Stop(signals)

	ctx, cancel := context.WithCancelCause(ctx)
	defer func() {
		cancel(nil)
		x.revoke(context.WithoutCancel(ctx))
	}()
	lease, err := x.firstLease(ctx, cancel, signals)
	if err != nil {
		return err
	}
	socket, err := listen()
	if err != nil {
		return err
	}
	defer func() {
		cancel(nil)
		x.tell(socket.close())
	}()
	socket.serve(ctx, x.server, x.broker, x.tell)
	x.command.Env = append(os.Environ(), tokenEnvironment(x.server, lease.Token())...)
	x.command.Env = append(x.command.Env, gitEnvironment(x.c.environment, x.server, socket.path())...)
	return x.runCommand(signals)
}

// firstLease gives up when a signal comes first.
func (x *execution) firstLease(ctx context.Context, cancel context.CancelCauseFunc, signals <-chan os.Signal) (*jobtoken.Lease, error) {
	minted := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case s := <-signals:
			cancel(&exitError{statusSignal + int(s.(syscall.Signal)), nil})
		case <-minted:
		}
	}()
	lease, err := x.broker.lease(ctx, "")
	close(minted)
	<-watched
	if stopped := context.Cause(ctx); stopped != nil {
		return nil, stopped
	}
	return lease, err
}

// passedOn are the signals that the command gets. What was ignored when this
// program began stays ignored, as under nohup. Those that a terminal sends reach
// the command by themselves.
func passedOn() []os.Signal {
	var signals []os.Signal
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		if !signal.Ignored(s) {
			signals = append(signals, s)
		}
	}
	return signals
}

// tokenEnvironment are the variables that GitHub's own tools read. gh has others
// for GitHub Enterprise Server.
//
// https://cli.github.com/manual/gh_help_environment
func tokenEnvironment(server *url.URL, token string) []string {
	names := []string{"GITHUB_TOKEN", "GH_TOKEN"}
	if host := server.Hostname(); host != "github.com" && !strings.HasSuffix(host, ".ghe.com") {
		names = append(names, "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
	}
	var settings []string
	for _, name := range names {
		settings = append(settings, name+"="+token)
	}
	return settings
}

// gitEnvironment makes this program the only credential helper of git's for the
// server, after what settings the environment has already.
//
// https://git-scm.com/docs/git-config#ENVIRONMENT
func gitEnvironment(env func(string) string, server *url.URL, socket string) []string {
	count, _ := strconv.Atoi(env("GIT_CONFIG_COUNT")) // git has none if it is not a number, either
	settings := []string{socketVariable + "=" + socket}
	for _, helper := range []string{"", helperCommand("git-credential")} {
		n := strconv.Itoa(count)
		settings = append(settings,
			"GIT_CONFIG_KEY_"+n+"="+helperKey(server),
			"GIT_CONFIG_VALUE_"+n+"="+helper)
		count++
	}
	return append(settings, "GIT_CONFIG_COUNT="+strconv.Itoa(count))
}

// runCommand runs the command to its end, and returns its exit status as an
// error if it is not 0.
func (x *execution) runCommand(signals <-chan os.Signal) error {
	if err := x.command.Start(); err != nil {
		return cannotRun(x.command.Args[0], err)
	}
	ended := make(chan struct{})
	relayed := make(chan struct{})
	go func() {
		defer close(relayed)
		x.relay(signals, ended)
	}()
	err := x.command.Wait()
	close(ended)
	<-relayed
	return exitOf(err)
}

func (x *execution) relay(signals <-chan os.Signal, ended <-chan struct{}) {
	fromTerminal := isTerminal(x.t.in)
	for {
		select {
		case s := <-signals:
			if fromTerminal && (s == syscall.SIGINT || s == syscall.SIGQUIT) {
				continue // the terminal sent it to the command as well
			}
			_ = x.command.Process.Signal(s) // an error means that it has just ended
		case <-ended:
			return
		}
	}
}

func exitOf(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	status := exit.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return &exitError{statusSignal + int(status.Signal()), nil}
	}
	return &exitError{status.ExitStatus(), nil}
}

// revoke never changes how the command ended.
func (x *execution) revoke(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	if err := x.broker.revokeAll(ctx); err != nil {
		x.tell(fmt.Errorf("the token ends with its lease: %w", err))
	}
}

// tell says what went wrong beside the command.
func (x *execution) tell(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(x.t.err, "vault-github:", err)
	}
}
