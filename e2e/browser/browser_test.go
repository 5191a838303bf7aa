// Package browser tests the audit's HTML report in a real Chromium. The tests
// themselves are in *.test.mjs: they drive the browser as a person would.
package browser

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"vault-plugin-secrets-github/internal/auditlog/htmlreport"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

var keep = flag.String("keep", "", "an absolute `directory` to leave the reports and screenshots in, to look at")

const issuances = 100_000

func TestReportInChromium(t *testing.T) {
	install(t)
	dir := *keep
	if dir == "" {
		dir = t.TempDir()
	}
	reports := map[string]func(*htmlreport.Writer) error{"company.html": writeCompany}
	for name, write := range reports {
		writeReport(t, filepath.Join(dir, name), write)
	}
	node := exec.Command("node", "--test", "--test-concurrency=1", "--test-reporter=spec")
	node.Env = append(os.Environ(), "REPORTS="+dir)
	node.Stdout, node.Stderr = os.Stdout, os.Stderr
	if err := node.Run(); err != nil {
		t.Fatalf("node --test: %v", err)
	}
}

// install gets the browser and the packages that drive it, unless they are there.
func install(t *testing.T) {
	t.Helper()
	if os.Getenv("CHROMIUM") == "" {
		run(t, "../../scripts/install-debian.sh", "chromium=chromium")
	}
	run(t, "npm", "ci", "--silent", "--no-fund", "--no-audit")
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	var output bytes.Buffer
	command := exec.Command(name, args...)
	command.Stdout, command.Stderr = &output, &output
	if err := command.Run(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, output.Bytes())
	}
}

func writeReport(t *testing.T, path string, write func(*htmlreport.Writer) error) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	began := time.Now()
	report := htmlreport.New(file, htmlreport.Meta{Title: "Tokens of acme", Generated: begin.AddDate(0, 0, days), Files: []string{"audit.log", "audit-2026-03-02.log.gz", "github.json"}})
	if err := write(report); err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%s: %.1f MB, written in %s\n", filepath.Base(path), float64(info.Size())/1e6, time.Since(began).Round(time.Millisecond))
}

func writeCompany(report *htmlreport.Writer) error {
	c := newCompany(1)
	accounts := make([]*ledger.Account, issuances)
	for n := range accounts {
		accounts[n] = c.account(n, issuances)
		if err := report.Account(accounts[n]); err != nil {
			return err
		}
	}
	for n := range 120 {
		if err := report.Stray(c.stray(n)); err != nil {
			return err
		}
	}
	return report.Close(findings(accounts), []string{"41 lines were cut off, and are not counted.", "GitHub's log begins two minutes after Vault's."})
}
