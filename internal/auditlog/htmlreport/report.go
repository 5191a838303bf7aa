// Package htmlreport writes what the audit logs tell as one HTML file that needs
// nothing else: no server, no network, no other file.
//
// What it shows was chosen, in part, by whoever asked for a token: branches, user
// agents, names of repositories. None of it is ever markup. It goes into the file
// compressed and in base64, whose alphabet cannot end a script element; the page's
// script makes text nodes of it, never HTML; and the page's Content-Security-Policy
// allows nothing but this package's own script and style, by their hashes, and no
// connection to anywhere.
package htmlreport

import (
	"fmt"
	"io"
	"time"

	"vault-plugin-secrets-github/internal/auditlog/finding"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

// Meta is what the report says about itself.
type Meta struct {
	Title     string // "" is "Tokens issued by Vault"
	Generated time.Time
	Files     []string // the logs that were read, as the reader of the report should see them
}

// Writer writes a report as what it tells comes. It holds at most one block of
// requests and one of stray uses. After an error it writes no more, and each call
// returns that error. It is not for concurrent use.
type Writer struct {
	out      *blockWriter
	requests *table
	strays   *table
	meta     Meta
}

// New begins a report. An error of writing comes from the calls that follow.
func New(w io.Writer, m Meta) *Writer {
	if m.Title == "" {
		m.Title = "Tokens issued by Vault"
	}
	out := &blockWriter{w: w}
	out.markup(header(m.Title))
	return &Writer{out: out, requests: newTable("requests", out), strays: newTable("strays", out), meta: m}
}

// Account adds a request with what became of it, in any order.
func (w *Writer) Account(a *ledger.Account) error {
	w.requests.add(a.Time, a)
	return w.out.err
}

// Stray adds a use of a token that no account holds.
func (w *Writer) Stray(s ledger.Stray) error {
	w.strays.add(s.Time, s)
	return w.out.err
}

// about is what the page needs besides the two tables.
type about struct {
	Title     string            `json:"title"`
	Generated time.Time         `json:"generated"`
	Files     []string          `json:"files"`
	Findings  []finding.Finding `json:"findings"`
	Notes     []string          `json:"notes"`
}

// Close ends the report with the findings, in the order to show them, and notes on
// what the logs leave out. It does not close the writer below. A file without its
// end says so when it is opened.
func (w *Writer) Close(findings []finding.Finding, notes []string) error {
	w.requests.flush()
	w.strays.flush()
	w.out.block("about", 1, about{
		Title: w.meta.Title, Generated: w.meta.Generated.UTC(), Files: w.meta.Files,
		Findings: findings, Notes: notes,
	})
	w.out.markup(footer())
	if w.out.err != nil {
		return fmt.Errorf("write the HTML report: %w", w.out.err)
	}
	return nil
}
