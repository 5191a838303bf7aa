package clients

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// page is a document. Each of its blocks has a comment before it that says what
// it is and what it is called:
//
//	<!-- admin: auth -->      commands of Vault's administrator
//	<!-- variables: … -->     what they take for granted, set by the test
//	<!-- file: PATH -->       a file
//	<!-- run: job -->         commands of a job, or of whoever uses the client
//	<!-- error: NAME -->      what somebody sees who makes a mistake
//
// The tests together must use every block of every page.
type page struct {
	t      *testing.T
	path   string
	blocks []block
}

type block struct{ kind, name, text string }

// usedBlocks are those of all pages that a test has used.
var usedBlocks sync.Map // of path and block

var fence = regexp.MustCompile("(?ms)(?:^<!-- (\\w+): ([^\n]+) -->\n)?^```\\w*\n(.*?)\n```$")

// readPage reads a document below docs/.
func readPage(t *testing.T, path string) *page {
	t.Helper()
	blocks, err := readBlocks(path)
	if err != nil {
		t.Fatal(err)
	}
	return &page{t: t, path: path, blocks: blocks}
}

func readBlocks(path string) ([]block, error) {
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return nil, err
	}
	var blocks []block
	for _, match := range fence.FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, block{kind: match[1], name: match[2], text: match[3]})
	}
	return blocks, nil
}

// checkEveryBlockWasUsed is for after all tests.
func checkEveryBlockWasUsed() error {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "ci", "*.md"))
	if err != nil {
		return err
	}
	var unused []error
	for _, path := range append(pages, filepath.Join(root, "docs", "clients.md")) {
		path = filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		blocks, err := readBlocks(path)
		if err != nil {
			return err
		}
		for _, b := range blocks {
			if _, used := usedBlocks.Load(path + b.text); !used {
				unused = append(unused, fmt.Errorf("%s: no test uses the block <!-- %s: %s -->:\n%s", path, b.kind, b.name, b.text))
			}
		}
	}
	return errors.Join(unused...)
}

// block is the text of the one block of this kind and name.
func (p *page) block(kind, name string) string {
	p.t.Helper()
	var found []string
	for _, b := range p.blocks {
		if b.kind == kind && b.name == name {
			found = append(found, b.text)
			usedBlocks.Store(p.path+b.text, true)
		}
	}
	if len(found) != 1 {
		p.t.Fatalf("%s has %d blocks <!-- %s: %s -->, not one", p.path, len(found), kind, name)
	}
	return found[0]
}

// all are the texts of the blocks of a kind, as one script: of those with one of
// the names, if any are given.
func (p *page) all(kind string, names ...string) string {
	var found []string
	for _, b := range p.blocks {
		if b.kind == kind && (len(names) == 0 || slices.Contains(names, b.name)) {
			found = append(found, b.text)
			usedBlocks.Store(p.path+b.text, true)
		}
	}
	return strings.Join(found, "\n")
}
