package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
	findings "vault-plugin-secrets-github/internal/auditlog/finding"
	"vault-plugin-secrets-github/internal/auditlog/flat"
	"vault-plugin-secrets-github/internal/auditlog/htmlreport"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

// accountWriter writes accounts as they come, in one of the report's formats.
type accountWriter interface {
	account(a *ledger.Account) error
	stray(s ledger.Stray) error
	end(run *auditRun, finder *findings.Finder) error
}

func newAccountWriter(format string, out *output, c *connection, t *terminal, paths []string) accountWriter {
	switch format {
	case "json":
		return &jsonAccounts{out: out}
	case "ndjson":
		return &ndjsonAccounts{encoder: plainEncoder(out)}
	case "csv":
		return &csvAccounts{w: csv.NewWriter(out)}
	case "html":
		return &htmlAccounts{htmlreport.New(out, htmlreport.Meta{Generated: time.Now(), Files: baseNames(paths)})}
	}
	return &tableAccounts{out: out, palette: c.paletteFor(t.out), width: terminalWidth(t.out)}
}

// baseNames are what a report says of its logs: it is passed on, and where they
// were is nobody's business.
func baseNames(paths []string) []string {
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = filepath.Base(path)
	}
	return names
}

func plainEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e
}

// noStrays is for formats of which each row is a request: findings tell of
// strays.
type noStrays struct{}

func (noStrays) stray(ledger.Stray) error { return nil }

type ndjsonAccounts struct {
	noStrays
	encoder *json.Encoder
}

func (w *ndjsonAccounts) account(a *ledger.Account) error       { return w.encoder.Encode(a) }
func (w *ndjsonAccounts) end(*auditRun, *findings.Finder) error { return nil }

// jsonAccounts writes one document, though the requests are written as they come.
type jsonAccounts struct {
	noStrays
	out   io.Writer
	begun bool
}

func (w *jsonAccounts) account(a *ledger.Account) error {
	encoded, err := json.Marshal(a)
	if err != nil {
		return err
	}
	separator := ",\n    "
	if !w.begun {
		separator, w.begun = "{\n  \"requests\": [\n    ", true
	}
	return printf(w.out, "%s%s", separator, encoded)
}

func (w *jsonAccounts) end(run *auditRun, _ *findings.Finder) error {
	if !w.begun {
		if err := printf(w.out, "{\n  \"requests\": ["); err != nil {
			return err
		}
	}
	summary, err := json.Marshal(run.summary)
	if err != nil {
		return err
	}
	notes, err := json.Marshal(append([]string{}, run.notes()...))
	if err != nil {
		return err
	}
	return printf(w.out, "\n  ],\n  \"summary\": %s,\n  \"notes\": %s\n}\n", summary, notes)
}

type csvAccounts struct {
	noStrays
	w     *csv.Writer
	begun bool
}

func (w *csvAccounts) account(a *ledger.Account) error {
	if err := w.header(); err != nil {
		return err
	}
	cells := flat.RequestOf(a).Cells()
	for i, cell := range cells {
		cells[i] = inertCell(cell)
	}
	return w.w.Write(cells)
}

func (w *csvAccounts) header() error {
	if w.begun {
		return nil
	}
	w.begun = true
	return w.w.Write(flat.Columns())
}

// inertCell keeps a spreadsheet from taking a job's text for a formula.
//
// https://owasp.org/www-community/attacks/CSV_Injection
func inertCell(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func (w *csvAccounts) end(*auditRun, *findings.Finder) error {
	if err := w.header(); err != nil {
		return err
	}
	w.w.Flush()
	return w.w.Error()
}

type htmlAccounts struct{ w *htmlreport.Writer }

func (w *htmlAccounts) account(a *ledger.Account) error { return w.w.Account(a) }
func (w *htmlAccounts) stray(s ledger.Stray) error      { return w.w.Stray(s) }

func (w *htmlAccounts) end(run *auditRun, finder *findings.Finder) error {
	return w.w.Close(finder.Findings(run.summary.Vault.Last, nil), append([]string{run.headline()}, run.notes()...))
}

// tableAccounts writes a line for each request, in columns whose width is fixed,
// so that none waits for the others.
type tableAccounts struct {
	noStrays
	out     io.Writer
	palette palette
	width   int // of the terminal; 0: as long as it takes
	begun   bool
}

const accountColumns = "%-19s  %s  %-20s  %-28s  %s"

func (w *tableAccounts) account(a *ledger.Account) error {
	if !w.begun {
		w.begun = true
		head := w.palette.faint(fmt.Sprintf(accountColumns, "TIME (UTC)", fmt.Sprintf("%-10s", "OUTCOME"), "ROLE", "JOB", "WHAT"))
		if err := printf(w.out, "%s\n", head); err != nil {
			return err
		}
	}
	line := fmt.Sprintf(accountColumns, a.Time.UTC().Format("2006-01-02 15:04:05"), "%s", cut(oneLine(a.Role), 20), cut(oneLine(jobOf(a)), 28), oneLine(whatOf(a)))
	if w.width > 0 {
		line = cut(line, w.width-8) // the outcome's place is two wide yet
	}
	return printf(w.out, "%s\n", strings.Replace(line, "%s", w.outcome(a.Outcome), 1))
}

func (w *tableAccounts) outcome(o auditlog.Outcome) string {
	padded := fmt.Sprintf("%-10s", o)
	switch o {
	case auditlog.Issued:
		return w.palette.good(padded)
	case auditlog.Refused:
		return w.palette.bad(padded)
	}
	return w.palette.faint(padded)
}

func (w *tableAccounts) end(*auditRun, *findings.Finder) error { return nil }

// cut shortens a text to so many characters.
func cut(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width || width < 1 {
		return text
	}
	return string(runes[:width-1]) + "…"
}

// jobOf names who asked.
func jobOf(a *ledger.Account) string {
	switch {
	case a.Grant != nil && a.Grant.Subject != "":
		return shortHash(a.Grant.Subject)
	case a.Login["repository"] != "":
		return a.Login["repository"]
	}
	return a.DisplayName
}

// whatOf is what was issued, how it ended and what it was used for; or why not.
func whatOf(a *ledger.Account) string {
	if a.Outcome != auditlog.Issued {
		if auditlog.Hashed(a.Error) {
			return "bad request (" + shortHash(a.Error) + ")"
		}
		return a.Error
	}
	scope := shortHash(a.Grant.Scope)
	if a.Grant.Wrapped && scope == "" {
		scope = "in a wrapped response"
	}
	parts := []string{scope}
	if a.EndedBy != "" {
		parts = append(parts, lifeOf(a))
	}
	if use := usesOf(a); use != "" {
		parts = append(parts, use)
	}
	return strings.Join(parts, "; ")
}

func lifeOf(a *ledger.Account) string {
	if a.Ended.IsZero() {
		return string(a.EndedBy)
	}
	return fmt.Sprintf("%s after %s", a.EndedBy, a.Ended.Sub(a.Time).Round(time.Second))
}

func usesOf(a *ledger.Account) string {
	u := a.Usage
	if u.Count == 0 {
		if a.Joined {
			return "never used"
		}
		return ""
	}
	var parts []string
	for _, p := range []struct {
		count int
		what  string
	}{{u.Clones, "clone"}, {u.Pushes, "push"}, {u.APIReads, "API read"}, {u.APIWrites, "API write"}, {u.Other, "other"}} {
		if p.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.count, p.what))
		}
	}
	text := strings.Join(parts, ", ")
	if u.AfterEnd > 0 {
		text += fmt.Sprintf(" (%d AFTER ITS LEASE)", u.AfterEnd)
	}
	return text
}

// shortHash shows a value that Vault hashed as such.
func shortHash(value string) string {
	if !auditlog.Hashed(value) {
		return value
	}
	return "hmac:" + value[len("hmac-sha256:"):][:8] + "…"
}
