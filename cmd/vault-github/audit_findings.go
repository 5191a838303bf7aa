package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	findings "vault-plugin-secrets-github/internal/auditlog/finding"
	"vault-plugin-secrets-github/internal/auditlog/htmlreport"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
	"vault-plugin-secrets-github/internal/jobtoken"
)

const auditFindingsLong = `Say what an auditor should look at: tokens used after their lease ended, tokens
that no lease accounts for, permissions, repositories and roles that nobody needs,
with the narrower role to write, jobs refused again and again, leases that were
not revoked, jobs unlike those before them, requests without an answer.

Each finding has a severity, lines of evidence, and what to do. What tokens were
used for is known only with --github-log.

The exit status is 0, or with --fail-on 3 if there is a finding at least as
severe.`

const auditFindingsExamples = `  vault-github audit findings --github-log github.json --server-log vault.log audit.log
  vault-github audit findings --github-log github.json --fail-on high --format json audit.log || echo 'something to look at'
  vault-github audit findings --known-roles roles.txt logs/`

var auditFindingsFormats = []string{"table", "json", "ndjson", "html"}

func newAuditFindings(t *terminal, c *connection) *cobra.Command {
	f := &findingsCommand{t: t, c: c}
	f.format = formatFlag{value: "table", allowed: auditFindingsFormats}
	cmd := &cobra.Command{
		Use:     "findings LOG...",
		Short:   "Say what an auditor should look at",
		Long:    auditFindingsLong,
		Example: auditFindingsExamples,
		Args:    someLogs,
		RunE:    f.run,
	}
	f.logs.addFlags(cmd.Flags())
	f.logs.addRoleFlag(cmd.Flags())
	flags := cmd.Flags()
	flags.StringVar(&f.failOn, "fail-on", "", "fail if a finding is at least of this `SEVERITY`: info, low, medium, high, critical")
	flags.IntVar(&f.unusedDays, "unused-days", 90, "a role without an issuance for so many `DAYS` is unused")
	flags.IntVar(&f.refusals, "refusals", 5, "so many refusals of one job for one reason are a finding")
	flags.IntVar(&f.history, "history", 20, "issuances that a role has before a job unlike the others is a finding")
	flags.StringVar(&f.known, "known-roles", "", "`FILE` with the roles that exist, as MOUNT/NAME, a line each")
	flags.BoolVar(&f.ask, "ask-vault", false, "ask Vault which roles exist at the mount")
	flags.Var(&f.format, "format", "`FORMAT`: one of "+strings.Join(auditFindingsFormats, ", "))
	flags.StringVarP(&f.path, "output", "o", "", "`FILE` to write, complete or not at all; standard output if none")
	return cmd
}

type findingsCommand struct {
	t *terminal
	c *connection

	logs                          auditLogs
	format                        formatFlag
	failOn, known, path           string
	ask                           bool
	unusedDays, refusals, history int
}

func (f *findingsCommand) run(cmd *cobra.Command, args []string) error {
	if err := f.logs.parse(cmd, time.Now()); err != nil {
		return err
	}
	limit := findings.Severity("")
	if f.failOn != "" {
		var err error
		if limit, err = findings.ParseSeverity(f.failOn); err != nil {
			return usagef("--fail-on: %w", err)
		}
	}
	if f.unusedDays < 1 || f.refusals < 1 || f.history < 1 {
		return usagef("--unused-days, --refusals and --history are at least 1")
	}
	roles, err := f.knownRoles(cmd)
	if err != nil {
		return err
	}
	var found []findings.Finding
	err = writeTo(f.t, f.path, f.format.value, func(out *output) error {
		found, err = f.find(cmd, args, roles, out)
		return err
	})
	if err != nil {
		return err
	}
	for _, one := range found {
		if limit != "" && one.Severity.AtLeast(limit) {
			return &exitError{statusFindings, nil}
		}
	}
	return nil
}

// find reads the logs and shows what was found.
func (f *findingsCommand) find(cmd *cobra.Command, args, roles []string, out *output) ([]findings.Finding, error) {
	finder := findings.New(findings.Options{
		UnusedFor: time.Duration(f.unusedDays) * 24 * time.Hour, Refusals: f.refusals, History: f.history,
	})
	var page *htmlreport.Writer
	if f.format.value == "html" {
		page = htmlreport.New(out, htmlreport.Meta{Title: "Findings", Generated: time.Now(), Files: baseNames(args)})
	}
	run, err := f.logs.read(cmd.Context(), f.t, args, func(a *ledger.Account) error {
		finder.Account(a)
		if page != nil {
			return page.Account(a)
		}
		return nil
	}, func(s ledger.Stray) error {
		finder.Stray(s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	found := finder.Findings(run.summary.Vault.Last, roles)
	if page != nil {
		err = page.Close(found, append([]string{run.headline()}, run.notes()...))
	} else {
		err = f.show(out, run, found)
	}
	if f.format.value != "json" {
		run.tell(f.t)
	}
	return found, err
}

func (f *findingsCommand) show(out *output, run *auditRun, found []findings.Finding) error {
	switch f.format.value {
	case "json":
		return writeJSON(out, map[string]any{"findings": append([]findings.Finding{}, found...), "summary": run.summary, "notes": append([]string{}, run.notes()...)})
	case "ndjson":
		encoder := plainEncoder(out)
		for _, one := range found {
			if err := encoder.Encode(one); err != nil {
				return err
			}
		}
		return nil
	}
	return showFindings(out, found, f.c.paletteFor(f.t.out))
}

// showFindings shows findings to a person, the worst first.
func showFindings(w io.Writer, found []findings.Finding, p palette) error {
	if len(found) == 0 {
		return printf(w, "%s nothing to look at\n", p.good("ok"))
	}
	for i, f := range found {
		if i > 0 {
			fmt.Fprintln(w)
		}
		head := fmt.Sprintf("%s  %s", severityWord(f.Severity, p), oneLine(f.Title))
		if f.Role != "" {
			head += p.faint("  role " + oneLine(f.Role))
		}
		if f.Subject != "" {
			head += p.faint("  job " + oneLine(f.Subject))
		}
		fmt.Fprintln(w, head)
		for _, e := range f.Evidence {
			fmt.Fprintln(w, p.faint("    "+e.Time.UTC().Format("2006-01-02 15:04:05")+"  "), oneLine(e.Text))
		}
		if more := f.Count - len(f.Evidence); more > 0 && len(f.Evidence) > 0 {
			fmt.Fprintf(w, "    %s\n", p.faint(fmt.Sprintf("and %d more, the last at %s", more, f.Last.UTC().Format("2006-01-02 15:04:05"))))
		}
		fmt.Fprintln(w, "    ->", oneLine(f.Remedy))
		if f.Proposal != "" {
			fmt.Fprintln(w, "      ", p.good(oneLine(f.Proposal)))
		}
	}
	return nil
}

func severityWord(s findings.Severity, p palette) string {
	word := fmt.Sprintf("%-8s", strings.ToUpper(string(s)))
	switch {
	case s.AtLeast(findings.High):
		return p.bad(word)
	case s.AtLeast(findings.Medium):
		return p.paint("33", word)
	}
	return p.faint(word)
}

// knownRoles are the roles that exist, from a file or from Vault.
func (f *findingsCommand) knownRoles(cmd *cobra.Command) ([]string, error) {
	switch {
	case f.known != "" && f.ask:
		return nil, usagef("--known-roles and --ask-vault are two ways to say the same; give one")
	case f.known != "":
		text, err := os.ReadFile(f.known)
		if err != nil {
			return nil, usagef("--known-roles: %w", err)
		}
		return strings.Fields(string(text)), nil
	case f.ask:
		return f.rolesOfVault(cmd)
	}
	return nil, nil
}

func (f *findingsCommand) rolesOfVault(cmd *cobra.Command) (roles []string, err error) {
	err = f.c.withSession(cmd, func(session *jobtoken.Session) error {
		names, err := session.List(cmd.Context(), session.Path("roles"))
		for _, name := range names {
			roles = append(roles, session.Path(name))
		}
		return err
	})
	return roles, err
}
