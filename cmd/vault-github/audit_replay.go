package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	githubsecrets "vault-plugin-secrets-github"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

const auditReplayLong = `Try a role that is not written yet on the requests in Vault's audit log: which
of them it would refuse, which it would newly allow, and with GitHub's export
which tokens would lack a permission or repository that they were used with. So a
role can be tightened on evidence, before it breaks a release.

The decision is the engine's own. The role is as vault read -format=json shows
it, or the body of a write. What a decision needs and the log does not show, such
as a claim that is neither among claim_mappings nor in the engine's answer, is
said: such a request counts as "cannot tell".

The exit status is 0, or 3 if a request that got a token would be refused, or
would lack what it used.`

const auditReplayExamples = `  vault read -format=json github/roles/api-read > role.json  # then edit it
  vault-github audit replay --role role.json --name api-read audit.log
  vault-github audit replay --role role.json --name api-read --github-log github.json logs/`

func newAuditReplay(t *terminal, c *connection) *cobra.Command {
	var (
		logs                   auditLogs
		roleFile, name, limits string
		format                 = formatFlag{value: "table", allowed: []string{"table", "json", "ndjson"}}
	)
	cmd := &cobra.Command{
		Use:     "replay --role FILE LOG...",
		Short:   "Try a role on the requests of the past",
		Long:    auditReplayLong,
		Example: auditReplayExamples,
		Args:    someLogs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := logs.parse(cmd, time.Now()); err != nil {
				return err
			}
			if name == "" {
				name = strings.TrimSuffix(filepath.Base(roleFile), filepath.Ext(roleFile))
			}
			proposal, err := readProposal(name, roleFile, limits)
			if err != nil {
				return err
			}
			logs.roles = []string{name}
			return runReplay(cmd, t, c, &logs, args, newReplay(proposal), format.value)
		},
	}
	logs.addFlags(cmd.Flags())
	flags := cmd.Flags()
	flags.StringVar(&roleFile, "role", "", "`FILE` with the role, JSON")
	flags.StringVar(&name, "name", "", "`NAME` of the role in the log; that of the file if none")
	flags.StringVar(&limits, "limits", "", "`FILE` with the mount's limits, JSON; none limit nothing")
	flags.Var(&format, "format", "`FORMAT`: one of table, json, ndjson")
	return cmd
}

// readProposal reads a role, and limits if there is a file of them.
func readProposal(name, roleFile, limitsFile string) (*githubsecrets.Proposal, error) {
	if roleFile == "" {
		return nil, usagef("which role? --role FILE, as vault read -format=json MOUNT/roles/NAME shows it")
	}
	role, err := readData("--role", roleFile)
	if err != nil {
		return nil, err
	}
	var limits map[string]any
	if limitsFile != "" {
		if limits, err = readData("--limits", limitsFile); err != nil {
			return nil, err
		}
	}
	proposal, err := githubsecrets.NewProposal(name, role, limits)
	if err != nil {
		return nil, usagef("%s: %w", roleFile, err)
	}
	return proposal, nil
}

// readData reads a JSON object: what Vault answers, or its data alone. Its numbers
// are as the engine gets those of a write.
func readData(flag, path string) (map[string]any, error) {
	file, err := os.Open(path) //#nosec G304 -- the user names it
	if err != nil {
		return nil, usagef("%s: %w", flag, err)
	}
	defer file.Close()
	var object map[string]any
	if err := json.NewDecoder(file).Decode(&object); err != nil || object == nil {
		return nil, usagef("%s: %s does not hold a JSON object", flag, path)
	}
	_, answer := object["request_id"]
	if data, ok := object["data"].(map[string]any); ok && (answer || len(object) == 1) {
		return data, nil
	}
	return object, nil
}

func runReplay(cmd *cobra.Command, t *terminal, c *connection, logs *auditLogs, paths []string, r *replay, format string) error {
	encoder := plainEncoder(t.out)
	run, err := logs.read(cmd.Context(), t, paths, func(a *ledger.Account) error {
		decided, ok := r.decide(a)
		if ok && format == "ndjson" {
			return encoder.Encode(decided)
		}
		return nil
	}, func(ledger.Stray) error { return nil })
	if err != nil {
		return err
	}
	switch format {
	case "table":
		err = r.write(t.out, c.paletteFor(t.out))
		run.tell(t)
	case "json":
		err = writeJSON(t.out, map[string]any{"results": r.groups(), "requests": r.total, "notes": append([]string{}, run.notes()...)})
	}
	if err == nil && r.breaks() {
		err = &exitError{statusFindings, nil}
	}
	return err
}

// write shows what the role would change, first what it would break.
func (r *replay) write(out *os.File, p palette) error {
	if r.total == 0 {
		return printf(out, "%s no request for this role is in the log\n", p.faint("nothing to try:"))
	}
	rows := &table{}
	rows.add(p.faint("RESULT      "), "REQUESTS", "WHY", "FOR EXAMPLE")
	for _, g := range r.groups() {
		word := fmt.Sprintf("%-12s", g.Result)
		switch g.Result {
		case wouldRefuse, wouldLack:
			word = p.bad(word)
		case stillGranted, stillRefused:
			word = p.good(word)
		default:
			word = p.paint("33", word)
		}
		rows.add(word, fmt.Sprint(g.Count), cut(oneLine(g.Why), 90), g.Example.Time.UTC().Format("2006-01-02 15:04:05")+" "+oneLine(g.Example.Job))
	}
	return rows.write(out)
}
