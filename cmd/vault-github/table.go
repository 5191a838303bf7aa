package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

func isTerminal(f *os.File) bool { return isatty.IsTerminal(f.Fd()) }

// terminalWidth is in characters; 0 if it is not a terminal.
func terminalWidth(f *os.File) int {
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// table is rows of which each cell but the last is as wide as its column.
type table struct{ rows [][]string }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) error {
	aligned := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range t.rows {
		fmt.Fprintln(aligned, strings.Join(row, "\t"))
	}
	return aligned.Flush()
}

// palette colours words on a terminal, unless NO_COLOR is set
// (https://no-color.org) or the terminal is a dumb one. All its colours are as
// long as each other, so that columns stay aligned.
type palette struct{ on bool }

func (c *connection) paletteFor(f *os.File) palette {
	return palette{isTerminal(f) && c.environment("NO_COLOR") == "" && c.environment("TERM") != "dumb"}
}

func (p palette) good(word string) string  { return p.paint("32", word) }
func (p palette) bad(word string) string   { return p.paint("31", word) }
func (p palette) faint(word string) string { return p.paint("90", word) }

func (p palette) paint(colour, word string) string {
	if !p.on {
		return word
	}
	return "\x1b[" + colour + "m" + word + "\x1b[0m"
}

// oneLine is a text of somebody else's as a cell of a table: without what would
// begin a line or tell the terminal something.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}
