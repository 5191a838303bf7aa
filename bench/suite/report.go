package main

import (
	"fmt"
	"strings"
	"time"
)

// results are what a run found.
type results struct {
	machine  string
	versions []string
	size     size
	began    time.Time
	took     time.Duration
	figures  []figure
}

// markdown is the results for people.
func (r results) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Results\n\nWritten by `make bench` on %s in %s. README.md says how each figure is measured.\n\n",
		r.began.UTC().Format("2006-01-02"), r.took.Round(time.Second))
	fmt.Fprintf(&b, "- %s\n", r.machine)
	for _, version := range r.versions {
		fmt.Fprintf(&b, "- %s\n", version)
	}
	missed := 0
	b.WriteString("\n| figure | target | measured | |\n|---|---|---|---|\n")
	for _, f := range r.figures {
		fmt.Fprintf(&b, "| %s | %s | "+f.format+" | %s |\n", f.name, f.target(), f.value, f.verdict())
		if !f.met() {
			missed++
		}
	}
	fmt.Fprintf(&b, "\n%d of %d met.\n\n## What they were computed from\n\n", len(r.figures)-missed, len(r.figures))
	for _, f := range r.figures {
		fmt.Fprintf(&b, "- %s: %s\n", f.name, f.raw)
	}
	return b.String()
}
