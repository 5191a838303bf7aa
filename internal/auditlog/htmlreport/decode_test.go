package htmlreport

import (
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// blockPattern finds the data blocks, as the page's script does.
var blockPattern = regexp.MustCompile(`<script type="application/gzip" data-kind="(\w+)" data-rows="\d+">([^<]*)</script>`)

// blocks returns the JSON of a report's blocks of a kind.
func blocks(t *testing.T, report, kind string) []string {
	t.Helper()
	var found []string
	for _, block := range blockPattern.FindAllStringSubmatch(report, -1) {
		if block[1] != kind {
			continue
		}
		compressed, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(block[2])))
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(compressed)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, string(content))
	}
	return found
}

// row is a row of a table: values by the names of columns. Times are in UTC.
type row map[string]any

// rows reads a table of a report as the page's script does.
func rows(t *testing.T, report, kind string) []row {
	t.Helper()
	var all []row
	for _, block := range blocks(t, report, kind) {
		var columns []column
		if err := json.Unmarshal([]byte(block), &columns); err != nil {
			t.Fatal(err)
		}
		all = append(all, blockRows(t, columns)...)
	}
	return all
}

func blockRows(t *testing.T, columns []column) []row {
	t.Helper()
	var rows []row
	at := func(i int) row {
		for len(rows) <= i {
			rows = append(rows, row{})
		}
		return rows[i]
	}
	starts := map[int]int64{} // the other times are told since "time"
	slices.SortStableFunc(columns, func(a, b column) int { return cmp.Compare(rank(a), rank(b)) })
	for _, c := range columns {
		var last int64
		for i, ms := range c.Times {
			switch {
			case ms == nil:
			case c.Name == "time":
				last += *ms
				starts[i] = last
				at(i)[c.Name] = time.UnixMilli(last).UTC()
			default:
				at(i)[c.Name] = time.UnixMilli(starts[i] + *ms).UTC()
			}
		}
		for i, n := range c.Numbers {
			if n != nil {
				at(i)[c.Name] = *n
			}
		}
		next := 0
		for i, position := range c.Rows {
			if position == 0 {
				continue
			}
			if position == newValue {
				next++
				position = next
			}
			var value any
			if err := json.Unmarshal(c.Values[position-1], &value); err != nil {
				t.Fatal(err)
			}
			at(i)[c.Name] = value
		}
	}
	return rows
}

// rank puts "time" first.
func rank(c column) int {
	if c.Name == "time" {
		return 0
	}
	return 1
}
