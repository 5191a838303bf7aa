package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

const auditLong = `Say who got which token, and what was done with it.

It reads Vault's audit log: files, also compressed ones and a whole set of
rotated ones in any order, directories, or - for standard input. With GitHub's
audit-log export (--github-log) it shows what each token was used for, and with
Vault's server log (--server-log) when a token really ended and what was issued
in wrapped responses. Vault need not be reached.`

const auditExamples = `  vault-github audit report audit.log
  vault-github audit report --github-log github.json --format html -o report.html logs/
  vault-github audit findings --github-log github.json --server-log vault.log audit.log
  vault-github audit replay --role role.json --name api-read audit.log`

func newAudit(t *terminal, c *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "audit",
		Short:   "Say who got which token, and what was done with it",
		Long:    auditLong,
		Example: auditExamples,
		Args:    noCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuditReport(t, c), newAuditFindings(t, c), newAuditReplay(t, c), newAuditExport(t, c))
	return cmd
}

// auditLogs are the logs that a command reads, and what of them matters.
type auditLogs struct {
	github, server []string
	mounts, roles  []string
	since, until   string
	skew           time.Duration

	from, to time.Time
	eachUse  func(auditlog.Use) error // of GitHub's log, if not nil
}

func (l *auditLogs) addFlags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&l.github, "github-log", nil, "`FILE` with GitHub's audit-log export, JSON; may be repeated")
	flags.StringArrayVar(&l.server, "server-log", nil, "`FILE` with Vault's server log; may be repeated")
	flags.StringVar(&l.since, "since", "", "only requests from this `TIME` on: 2026-06-01, RFC 3339, or 24h ago as 24h")
	flags.StringVar(&l.until, "until", "", "only requests before this `TIME`")
	flags.DurationVar(&l.skew, "skew", ledger.DefaultSkew, "how far the clocks of Vault and GitHub may be apart")
}

// addRoleFlag is for commands that --role narrows.
func (l *auditLogs) addRoleFlag(flags *pflag.FlagSet) {
	flags.StringSliceVar(&l.roles, "role", nil, "only requests for these `ROLES`")
}

// parse reads the times and the mount, which matters only if it is given: the
// engine is known by its plugin's name.
func (l *auditLogs) parse(cmd *cobra.Command, now time.Time) error {
	if mount := cmd.Flags().Lookup("mount"); mount != nil && mount.Changed {
		l.mounts = strings.Split(mount.Value.String(), ",")
	}
	var err error
	if l.from, err = parseTime(l.since, now); err != nil {
		return usagef("--since: %w", err)
	}
	if l.to, err = parseTime(l.until, now); err != nil {
		return usagef("--until: %w", err)
	}
	return nil
}

func parseTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 2026-06-01, 2026-06-01T12:00:00Z, or 24h for a day ago", text)
}

// wanted reports whether a request is among those asked for.
func (l *auditLogs) wanted(r *auditlog.Request) bool {
	return (len(l.roles) == 0 || slices.Contains(l.roles, r.Role)) &&
		(l.from.IsZero() || !r.Time.Before(l.from)) && (l.to.IsZero() || r.Time.Before(l.to))
}

// auditRun is one reading of the logs.
type auditRun struct {
	vault   *auditlog.Reader
	uses    *auditlog.UseReader
	server  *auditlog.ServerReader
	summary ledger.Summary
}

// Reading makes much that dies at once, and little lives: the heap may grow to five
// times that before it is collected, but not beyond what a small machine has.
const (
	collectLess = 400
	heapLimit   = 128 << 20
)

// read reads the logs to their end.
func (l *auditLogs) read(ctx context.Context, t *terminal, paths []string, account func(*ledger.Account) error, stray func(ledger.Stray) error) (*auditRun, error) {
	vault, err := auditSources(t, paths)
	if err != nil {
		return nil, err
	}
	github, err := auditSources(t, l.github)
	if err != nil {
		return nil, err
	}
	server, err := auditSources(t, l.server)
	if err != nil {
		return nil, err
	}
	p := newProgress(t.err, vault, github, server)
	defer p.end()
	defer debug.SetGCPercent(debug.SetGCPercent(collectLess))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(heapLimit))
	run := &auditRun{
		vault:  auditlog.NewReader(vault, auditlog.Options{Mounts: l.mounts, Progress: p.part()}),
		uses:   auditlog.NewUseReader(github, p.part()),
		server: auditlog.NewServerReader(server, p.part()),
	}
	in := ledger.Inputs{
		Events: run.vault.All(ctx), Server: run.server.All(ctx), Skew: l.skew, VaultEnd: func() time.Time { return run.vault.Stats().End },
	}
	if len(server) == 0 {
		in.Server = nil
	}
	if len(github) > 0 {
		in.Uses = tap(run.uses.All(ctx), l.eachUse)
		in.Covered = func() ledger.Span { s := run.uses.Stats(); return ledger.Span{First: s.First, Last: s.Last} }
	}
	run.summary, err = ledger.Run(in, func(a *ledger.Account) error {
		if !l.wanted(&a.Request) {
			return nil
		}
		return account(a)
	}, stray)
	return run, err
}

// auditSources opens nothing yet, but knows what is not there.
func auditSources(t *terminal, paths []string) ([]auditlog.Source, error) {
	sources, err := auditlog.Files(paths, t.in)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, usagef("%w", err)
	}
	return sources, err
}

// someLogs wants at least one log, and standard input at most once.
func someLogs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("which log? give Vault's audit log, or - for standard input: %s", cmd.UseLine())
	}
	stdin := 0
	for _, path := range args {
		if path == "-" {
			stdin++
		}
	}
	if stdin > 1 {
		return usagef("- stands for standard input, which can be read only once")
	}
	return nil
}

// notes are sentences about what the logs could not tell.
func (r *auditRun) notes() []string {
	return slices.Concat(r.summary.Notes, r.vault.Stats().Warnings(), r.uses.Stats().Warnings(), r.server.Stats().Warnings())
}

// headline sums the run up in a sentence.
func (r *auditRun) headline() string {
	s := r.summary
	if s.Requests == 0 {
		return "no request for a token is in these logs; is the plugin registered under a name of its own? Then give --mount"
	}
	parts := []string{fmt.Sprintf("%d issued", s.Issued), fmt.Sprintf("%d refused", s.Refused)}
	if s.Unanswered > 0 {
		parts = append(parts, fmt.Sprintf("%d without an answer", s.Unanswered))
	}
	if s.Uses > 0 {
		parts = append(parts, fmt.Sprintf("%d uses at GitHub", s.Uses))
	}
	return fmt.Sprintf("%d requests from %s to %s: %s", s.Requests,
		s.Vault.First.UTC().Format("2006-01-02 15:04"), s.Vault.Last.UTC().Format("2006-01-02 15:04 MST"), strings.Join(parts, ", "))
}

// tell says on standard error what a table does not hold.
func (r *auditRun) tell(t *terminal) {
	fmt.Fprintln(t.err, r.headline())
	for _, note := range r.notes() {
		fmt.Fprintln(t.err, "note:", oneLine(note))
	}
}
