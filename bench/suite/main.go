// Command suite measures the engine against a plugin that does nothing, in the
// same Vault in the same run, and writes what it found to a file. See README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(1)
	}
}

// settings are where things are, and how much is measured.
type settings struct {
	vault, plugins, out string
	size                size
	only                string // measurements that have this in their names
}

// size is how much is measured.
type size struct {
	rounds    int // of each comparison, ours and null by turns
	requests  int // of each round
	slow      int // requests of the comparison with a GitHub that takes its time
	large     int // answers with 500 repositories
	fresh     int // processes whose first such answer is looked at
	liveLease int // leases that are live at once
	tokens    int // tokens that are made before memory is looked at again
}

var (
	full  = size{rounds: 5, requests: 4000, slow: 3000, large: 100, fresh: 9, liveLease: 10_000, tokens: 100_000}
	quick = size{rounds: 3, requests: 600, slow: 600, large: 20, fresh: 3, liveLease: 500, tokens: 2_000}
)

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("suite", flag.ContinueOnError)
	s := settings{size: full}
	flags.StringVar(&s.vault, "vault", "", "Vault's `binary`")
	flags.StringVar(&s.plugins, "plugins", "", "`directory` of the engine's and the null plugin's binaries")
	flags.StringVar(&s.out, "out", "RESULTS.md", "`file` for the results")
	flags.StringVar(&s.only, "only", "", "measure only what has this `text` in its name")
	small := flags.Bool("quick", false, "measure little: to see that it works")
	github := flags.Bool("serve-github", false, "be the fake GitHub; for the suite itself")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *github {
		return serveGitHub(ctx)
	}
	if *small {
		s.size = quick
	}
	return measure(ctx, s)
}

// measure makes the world, measures every figure, and writes the results.
func measure(ctx context.Context, s settings) error {
	began := time.Now()
	w, err := newWorld(ctx, s)
	if err != nil {
		return err
	}
	results := results{machine: thisMachine(), versions: w.versions(ctx, s.vault), size: s.size, began: began}
	for _, m := range measurements {
		if !strings.Contains(m.name, s.only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%-8s %s ...\n", time.Since(began).Round(time.Second), m.name)
		figures, failed := m.measure(ctx, w, s.size)
		if failed != nil {
			_ = w.close() // the first failure is what matters
			return fmt.Errorf("measure %s: %w", m.name, failed)
		}
		for _, f := range figures {
			fmt.Fprintf(os.Stderr, "         %s\n", f)
		}
		results.figures = append(results.figures, figures...)
	}
	results.took = time.Since(began)
	if err := w.close(); err != nil {
		return err
	}
	if err := os.WriteFile(s.out, []byte(results.markdown()), 0o644); err != nil { //#nosec G306 -- for everybody to read
		return fmt.Errorf("write the results: %w", err)
	}
	path, err := filepath.Abs(s.out)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "the results are in", path)
	return nil
}
