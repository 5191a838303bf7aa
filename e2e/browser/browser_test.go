// Package browser tests the audit's HTML report in a real Chromium. The tests
// themselves are in *.test.mjs: they drive the browser as a person would, over the
// reports that this package writes.
package browser

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"vault-plugin-secrets-github/internal/auditlog/htmlreport"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

const issuances = 100_000

var keep = flag.String("keep", "", "an absolute `directory` to leave the reports and screenshots in, to look at")

func TestReportInChromium(t *testing.T) {
	chromium := install(t)
	dir := *keep
	if dir == "" {
		dir = t.TempDir()
	}
	accounts := companyAccounts()
	writeReport(t, filepath.Join(dir, "company.html"), "Tokens of acme", func(report *htmlreport.Writer) error {
		return writeCompany(report, accounts)
	})
	writeReport(t, filepath.Join(dir, "hostile.html"), attacks[0], writeHostile)
	writeReport(t, filepath.Join(dir, "empty.html"), "", func(report *htmlreport.Writer) error { return report.Close(nil, nil) })
	truncate(t, filepath.Join(dir, "company.html"), filepath.Join(dir, "truncated.html"))
	writeJSON(t, filepath.Join(dir, "expect.json"), expect(accounts))

	node := exec.Command("node", "--test", "--test-concurrency=1", "--test-reporter=spec")
	node.Env = append(os.Environ(), "CHROMIUM="+chromium, "REPORTS="+dir)
	output, err := node.CombinedOutput()
	t.Logf("node --test\n%s", output)
	if err != nil {
		t.Fatalf("node --test: %v", err)
	}
}

// install gets the packages that drive the browser, and the browser unless the
// environment's CHROMIUM names one, where they are not there. It returns the browser.
func install(t *testing.T) string {
	t.Helper()
	if exec.Command("npm", "ls", "--silent").Run() != nil {
		run(t, "npm", "ci", "--silent", "--no-fund", "--no-audit")
	}
	if named := os.Getenv("CHROMIUM"); named != "" {
		return named
	}
	run(t, filepath.Join("..", "..", "scripts", "install-debian.sh"), "chromium=chromium")
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	return chromium
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if output, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, output)
	}
}

func writeReport(t *testing.T, path, title string, write func(*htmlreport.Writer) error) {
	t.Helper()
	var content bytes.Buffer
	began := time.Now()
	report := htmlreport.New(&content, htmlreport.Meta{
		Title: title, Generated: begin.AddDate(0, 0, days), Files: []string{"audit.log", "audit-2026-03-02.log.gz", "github.json"},
	})
	if err := write(report); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %.1f MB, written in %s", filepath.Base(path), float64(content.Len())/1e6, time.Since(began).Round(time.Millisecond))
	if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// truncate writes the first half of a file.
func truncate(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content[:len(content)/2], 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeJSON(t *testing.T, path string, value any) {
	t.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func companyAccounts() []*ledger.Account {
	c := newCompany(1)
	accounts := make([]*ledger.Account, issuances)
	for n := range accounts {
		accounts[n] = c.account(n, issuances)
	}
	return accounts
}

func writeCompany(report *htmlreport.Writer, accounts []*ledger.Account) error {
	for _, a := range accounts {
		if err := report.Account(a); err != nil {
			return err
		}
	}
	c := newCompany(2)
	for n := range 120 {
		if err := report.Stray(c.stray(n)); err != nil {
			return err
		}
	}
	return report.Close(findings(accounts), []string{"41 lines were cut off, and are not counted.", "GitHub's log begins two minutes after Vault's."})
}
