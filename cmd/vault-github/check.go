package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vault-plugin-secrets-github/internal/jobtoken"
)

const checkLong = `Say whether a role would give this job a token, and if not, why not.

Each rule is shown with what it wants and what was seen, and for those that
refuse what helps. No token is made. With --claims the decision is for a job that
is described by claims, as its ID token would have them; that is for
administrators, and needs a Vault policy for check-claims/ROLE.

The exit status is 0 if a token would be given, 1 if not.`

const checkExamples = `  vault-github check api-read
  vault-github check api-read --repo api --format json
  vault-github check self --claims claims.json`

// decision is what the engine's check answers.
type decision struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
	Scope   string `json:"scope"`
	TTL     int64  `json:"ttl"`
	Rules   []rule `json:"rules"`
}

type rule struct {
	Rule   string `json:"rule"`
	Wanted string `json:"wanted"`
	Seen   string `json:"seen"`
	Pass   bool   `json:"pass"`
	Remedy string `json:"remedy"`
}

func newCheck(t *terminal, c *connection) *cobra.Command {
	var s scope
	var claims string
	format := formatFlag{value: "table", allowed: tableFormats}
	cmd := &cobra.Command{
		Use:     "check ROLE",
		Short:   "Say whether a token would be given, and why not",
		Long:    checkLong,
		Example: checkExamples,
		Args:    oneRole,
		RunE: func(cmd *cobra.Command, args []string) error {
			asked, err := s.request(cmd.Flags())
			if err != nil {
				return err
			}
			var described map[string]any
			if cmd.Flags().Changed("claims") {
				if described, err = readClaims(claims, t.in); err != nil {
					return err
				}
			}
			return c.withSession(cmd, func(session *jobtoken.Session) error {
				data, err := decide(cmd.Context(), session, args[0], asked, described)
				if err != nil {
					return err
				}
				return c.showDecision(t, format.value, args[0], data)
			})
		},
	}
	s.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&claims, "claims", "", "`FILE` with the claims of the job to decide for, a JSON object; - for standard input")
	cmd.Flags().Var(&format, "format", "`FORMAT`: one of "+strings.Join(tableFormats, ", "))
	return cmd
}

// decide asks the engine for its decision: for this job, or for one that is
// described by claims.
func decide(ctx context.Context, session *jobtoken.Session, role string, asked jobtoken.Request, described map[string]any) (map[string]any, error) {
	fields, path := session.Present(asked.Fields()), "check/"+role
	if described != nil {
		fields, path = asked.Fields(), "check-claims/"+role
		fields["claims"] = described
	}
	fields["details"] = true
	secret, err := session.Write(ctx, session.Path(path), fields)
	if err != nil || secret == nil {
		return nil, err
	}
	return secret.Data, nil
}

func readClaims(path string, stdin io.Reader) (map[string]any, error) {
	in := stdin
	if path != "-" {
		file, err := os.Open(path) //#nosec G304 -- the user names it
		if err != nil {
			return nil, usagef("--claims: %w", err)
		}
		defer file.Close()
		in = file
	}
	decoder := json.NewDecoder(in)
	decoder.UseNumber() // ids keep their digits
	var claims map[string]any
	if err := decoder.Decode(&claims); err != nil || claims == nil {
		return nil, usagef("--claims: %s does not hold a JSON object of claims", path)
	}
	return claims, nil
}

// asDecision reads an answer of the engine's check.
func asDecision(data map[string]any) (decision, error) {
	var d decision
	encoded, err := json.Marshal(data)
	if err == nil {
		err = json.Unmarshal(encoded, &d)
	}
	if err != nil || len(d.Rules) == 0 {
		return d, errors.New("what Vault answered is no decision; is the github engine mounted there?")
	}
	return d, nil
}

// showDecision prints a decision, and fails if it is a refusal.
func (c *connection) showDecision(t *terminal, format, role string, data map[string]any) error {
	d, err := asDecision(data)
	if err != nil {
		return err
	}
	if format == "json" {
		err = writeJSON(t.out, data)
	} else {
		err = d.write(t.out, role, c.paletteFor(t.out))
	}
	if err == nil && !d.Allowed {
		err = &exitError{statusFailed, nil}
	}
	return err
}

func (d decision) write(w io.Writer, role string, p palette) error {
	headline := fmt.Sprintf("%s: role %s gives %s for %s", p.good("yes"), role, oneLine(d.Scope), time.Duration(d.TTL)*time.Second)
	if !d.Allowed {
		headline = fmt.Sprintf("%s: role %s gives no token here", p.bad("no"), role)
	}
	rules, remedies := &table{}, &table{}
	rules.add(p.faint("    "), "RULE", "WANTED", "SEEN")
	for _, r := range d.Rules {
		mark := p.good("pass")
		if !r.Pass {
			mark = p.bad("FAIL")
			remedies.add("  "+oneLine(r.Rule)+":", oneLine(r.Remedy))
		}
		rules.add(mark, oneLine(r.Rule), oneLine(r.Wanted), oneLine(r.Seen))
	}
	if err := printf(w, "%s\n\n", headline); err != nil {
		return err
	}
	if err := rules.write(w); err != nil || d.Allowed {
		return err
	}
	if err := printf(w, "\nWhat helps:\n"); err != nil {
		return err
	}
	return remedies.write(w)
}
