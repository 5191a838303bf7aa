// Package sql runs the queries of docs/audit-sql.md on a real DuckDB, and holds
// their answers to those of vault-github audit findings.
package sql

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vault-plugin-secrets-github/internal/auditlog/auditlogtest"
)

var root = filepath.Join("..", "..")

func TestQueriesAnswerAsFindingsDo(t *testing.T) {
	dir := t.TempDir()
	truth := writeLogs(t, dir)
	blocks := blocks(t)
	shell(t, dir, blocks["export"])
	rows := query(t, dir, blocks)

	if got := len(rows["who"]); got != truth.Issued+truth.Refused+truth.Unanswered {
		t.Errorf("who got which token: %d rows, want one for each of %+v", got, truth)
	}
	want := findings(t, dir)
	for _, rule := range []string{"unaccounted-token", "used-after-lease-end", "unused-permission", "repeated-refusal", "never-used", "unanswered", "unused-role"} {
		if len(want[rule]) == 0 {
			t.Errorf("%s: the log shows none, so the query proves nothing", rule)
		}
		if diff := cmp.Diff(want[rule], found(rule, rows[rule])); diff != "" {
			t.Errorf("%s: findings (-), the query (+):\n%s", rule, diff)
		}
	}
}

// writeLogs writes half a year's logs, in which a role is used for the first days
// only.
func writeLogs(t *testing.T, dir string) auditlogtest.Truth {
	t.Helper()
	var files []*os.File
	for _, name := range []string{"audit.log", "github.json", "vault.log"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	truth, err := auditlogtest.Log{Requests: 15_000, Seed: 5, Every: 15 * time.Minute, Retired: 3}.Write(files[0], files[1], files[2])
	if err != nil {
		t.Fatal(err)
	}
	// A thief whose path ends as that of a revocation does.
	const hidden = `{"@timestamp":1783000000000,"action":"api.request","actor":"ci-tokens[bot]","hashed_token":"stolen",` +
		`"request_method":"DELETE","url_path":"/repos/acme/api/contents/installation/token","status_code":200}` + "\n"
	if _, err := files[1].WriteString(hidden); err != nil {
		t.Fatal(err)
	}
	return truth
}

// blocks are the marked blocks of docs/audit-sql.md, by name.
func blocks(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "audit-sql.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, block := range regexp.MustCompile("(?s)<!-- sql: (?:duckdb )?([a-z-]+) -->\n```[a-z]+\n(.*?)```").FindAllSubmatch(page, -1) {
		found[string(block[1])] = string(block[2])
	}
	if len(found) < 9 {
		t.Fatalf("docs/audit-sql.md has %d marked blocks", len(found))
	}
	return found
}

func shell(t *testing.T, dir, script string) {
	t.Helper()
	bin, err := filepath.Abs(filepath.Join(root, "bin"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-euc", script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

// query runs the blocks on DuckDB, from the npm registry.
func query(t *testing.T, dir string, blocks map[string]string) map[string][]map[string]any {
	t.Helper()
	if exec.Command("npm", "ls", "--silent").Run() != nil {
		// Not npm ci: it wants DuckDB for every platform in the lock file, and some
		// mirrors have only their own.
		if output, err := exec.Command("npm", "install", "--no-save", "--no-fund", "--no-audit").CombinedOutput(); err != nil {
			t.Fatalf("npm install: %v\n%s", err, output)
		}
	}
	queries := map[string]string{}
	for name, text := range blocks {
		if name != "export" {
			queries[name] = text
		}
	}
	encoded, err := json.Marshal(queries)
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("query.mjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", script)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(encoded), &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var rows map[string][]map[string]any
	if err := json.Unmarshal(output, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// findings are what vault-github finds: for each rule what it is about, and how
// often.
func findings(t *testing.T, dir string) map[string]map[string]int {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, "bin", "vault-github"), "audit", "findings", "--format", "json",
		"--github-log", filepath.Join(dir, "github.json"), "--server-log", filepath.Join(dir, "vault.log"), filepath.Join(dir, "audit.log"))
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Findings []struct {
			Rule, Role, Subject, Title string
			Count                      int
		}
	}
	if err := json.Unmarshal(output, &answer); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]int{}
	for _, f := range answer.Findings {
		if all[f.Rule] == nil {
			all[f.Rule] = map[string]int{}
		}
		all[f.Rule][strings.TrimSpace(f.Role+" "+f.Subject)] += countOf(f.Rule, f.Count)
	}
	return all
}

// countOf is 1 where finding and query count different things.
func countOf(rule string, count int) int {
	if rule == "unused-permission" || rule == "unused-role" {
		return 1
	}
	return count
}

// found is what a query found, in the form of findings.
func found(rule string, rows []map[string]any) map[string]int {
	all := map[string]int{}
	for _, row := range rows {
		about := ""
		if rule != "unanswered" {
			about = strings.TrimSpace(text(row["mount"]) + text(row["role"]) + " " + text(row["job"]) + text(row["actor"]))
		}
		count, _ := strconv.Atoi(text(row["found"]))
		switch rule {
		case "unused-permission":
			all[about] = 1
		case "unanswered":
			all[about] = count
		default:
			all[about] += count
		}
	}
	return all
}

func text(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}
