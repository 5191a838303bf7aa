package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

const doctorLong = `Look at everything that stands between this job and a token.

Is Vault there and unsealed, may this job log in, is the engine mounted and tuned,
is its App configured, and which roles would give this job a token? Each line
that is not well says what helps; each that may not be looked at with this
job's Vault policies says so, and which policy allows it. Without ROLE every
role is tried, if they may be listed.

The exit status is 1 if something is to be mended.`

const doctorExamples = `  vault-github doctor
  vault-github doctor api-read
  vault-github doctor --format json`

// states of a finding.
const (
	well    = "ok"
	broken  = "FAIL"
	unknown = "skip" // may not be looked at
	no      = "no"   // a role that is not for this job, which is nothing to mend
)

// finding is a line of the doctor's.
type finding struct {
	State  string `json:"state"`
	What   string `json:"what"`
	Seen   string `json:"seen"`
	Remedy string `json:"remedy,omitempty"`
}

func newDoctor(t *terminal, c *connection) *cobra.Command {
	format := formatFlag{value: "table", allowed: tableFormats}
	cmd := &cobra.Command{
		Use:     "doctor [ROLE...]",
		Short:   "Look at all that stands between this job and a token",
		Long:    doctorLong,
		Example: doctorExamples,
		Args: func(_ *cobra.Command, args []string) error {
			for _, role := range args {
				if err := checkRoleName(role); err != nil {
					return err
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			e := &examination{ctx: cmd.Context(), c: c}
			e.examine(cmd, args)
			return e.show(t, format.value)
		},
	}
	cmd.Flags().Var(&format, "format", "`FORMAT`: one of "+strings.Join(tableFormats, ", "))
	return cmd
}

func (e *examination) show(t *terminal, format string) error {
	var err error
	if format == "json" {
		err = writeJSON(t.out, e.findings)
	} else {
		err = writeFindings(t.out, e.findings, e.c.paletteFor(t.out))
	}
	if err == nil && slices.ContainsFunc(e.findings, func(f finding) bool { return f.State == broken }) {
		err = &exitError{statusFailed, nil}
	}
	return err
}

func writeFindings(w io.Writer, findings []finding, p palette) error {
	paint := map[string]func(string) string{well: p.good, broken: p.bad, unknown: p.faint, no: p.faint}
	rows := &table{}
	for _, f := range findings {
		seen := f.Seen
		if f.Remedy != "" {
			seen += "\n\t\t-> " + f.Remedy
		}
		rows.add(paint[f.State](fmt.Sprintf("%-4s", f.State)), f.What, seen)
	}
	return rows.write(w)
}
