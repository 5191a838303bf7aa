package audit

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readPage is docs/audit.md.
func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "audit.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tableOf returns the rows of a table of the page, by the comment before it,
// without its head.
func tableOf(t *testing.T, name string) [][]string {
	t.Helper()
	_, after, found := strings.Cut(readPage(t), "<!-- "+name+" -->\n")
	if !found {
		t.Fatalf("docs/audit.md has no table <!-- %s -->", name)
	}
	table, _, _ := strings.Cut(after, "\n\n")
	var rows [][]string
	for _, line := range strings.Split(table, "\n")[2:] {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("the table %s has only %d rows", name, len(rows))
	}
	return rows
}

// How the page says that a value stands in the log.
const (
	plain  = "plain"
	hashed = "hashed"
)

// field is a row about a field of an entry.
type field struct {
	pattern        string // a dotted path; * is anything
	entries        []string
	untuned, tuned string
	expression     *regexp.Regexp
}

func (f field) matches(path string) bool { return f.expression.MatchString(path) }

// as says how the value is to stand there.
func (f field) as(tuned bool) string {
	if tuned {
		return f.tuned
	}
	return f.untuned
}

// parseField reads the cells: field, entry, untuned, tuned.
func parseField(t *testing.T, cells []string) field {
	t.Helper()
	if len(cells) < 4 {
		t.Fatalf("the row %q has too few cells", cells)
	}
	f := field{pattern: strings.Trim(cells[0], "`"), untuned: cells[2], tuned: cells[3]}
	f.entries = []string{cells[1]}
	if cells[1] == "both" {
		f.entries = []string{"request", "response"}
	}
	for _, how := range []string{f.untuned, f.tuned} {
		if how != plain && how != hashed {
			t.Fatalf("%s: a value is %s or %s, not %q", f.pattern, plain, hashed, how)
		}
	}
	f.expression = regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(f.pattern), `\*`, ".*") + "$")
	return f
}
