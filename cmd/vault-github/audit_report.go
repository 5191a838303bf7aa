package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	findings "vault-plugin-secrets-github/internal/auditlog/finding"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

const auditReportLong = `List every request for a token: when, which job, by its claims at login and
those of its ID token, which role, what was issued or why not, how the lease
ended and, with GitHub's export, what was done with the token.

Each token is told once nothing can be added to it, so rows come in the order of
time, and memory does not grow with the log. --format html writes one file that
needs no network, with findings, timeline and pages for each role and repository.

With --verify-token a token is read from standard input, or asked for, and only
the requests that issued it are shown. With --audit-device Vault's sys/audit-hash
is asked, so that it is found even where Vault hashed hashed_token.`

const auditReportExamples = `  vault-github audit report audit.log
  vault-github audit report --since 24h --role deploy --format csv logs/
  vault-github audit report --github-log github.json --format html -o report.html audit.log
  vault-github audit report --verify-token audit.log < token.txt
  zcat logs/audit.log.1.gz | vault-github audit report --format ndjson -`

var auditReportFormats = []string{"table", "json", "ndjson", "csv", "html"}

func newAuditReport(t *terminal, c *connection) *cobra.Command {
	var (
		logs   auditLogs
		verify verification
		path   string
	)
	format := formatFlag{value: "table", allowed: auditReportFormats}
	cmd := &cobra.Command{
		Use:     "report LOG...",
		Short:   "List who got which token, and what was done with it",
		Long:    auditReportLong,
		Example: auditReportExamples,
		Args:    someLogs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := logs.parse(cmd, time.Now()); err != nil {
				return err
			}
			matches, err := verify.matcher(cmd, t, c, args)
			if err != nil {
				return err
			}
			return writeTo(t, path, format.value, func(out *output) error {
				return reportAccounts(cmd, t, c, &logs, args, format.value, out, matches)
			})
		},
	}
	logs.addFlags(cmd.Flags())
	logs.addRoleFlag(cmd.Flags())
	verify.addFlags(cmd.Flags())
	cmd.Flags().Var(&format, "format", "`FORMAT`: one of "+strings.Join(auditReportFormats, ", "))
	cmd.Flags().StringVarP(&path, "output", "o", "", "`FILE` to write, complete or not at all; standard output if none")
	return cmd
}

// writeTo writes a file, or to standard output: an HTML page is not for a
// terminal.
func writeTo(t *terminal, path, format string, write func(*output) error) error {
	if format == "html" && path == "" && isTerminal(t.out) {
		return usagef("--format html writes a page for a browser: name a file with --output")
	}
	out, err := openOutput(t, path)
	if err != nil {
		return err
	}
	return out.done(write(out))
}

func reportAccounts(cmd *cobra.Command, t *terminal, c *connection, logs *auditLogs, paths []string, format string, out *output, matches func(*ledger.Account) bool) error {
	w := newAccountWriter(format, out, c, t, paths)
	finder := findings.New(findings.Options{})
	run, err := logs.read(cmd.Context(), t, paths, func(a *ledger.Account) error {
		if matches != nil && !matches(a) {
			return nil
		}
		finder.Account(a)
		return w.account(a)
	}, func(s ledger.Stray) error {
		if matches != nil {
			return nil
		}
		finder.Stray(s)
		return w.stray(s)
	})
	if err != nil {
		return err
	}
	if err := w.end(run, finder); err != nil {
		return err
	}
	run.tell(t)
	return nil
}
