package main

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap, a few megabytes of which live, grow fivefold between
// two collections, which halves what they take of the CPU time of a token. See
// bench/PROFILE.md.
const gcPercent = 400

// collectSeldom sets how often garbage is collected, unless the environment does.
func collectSeldom() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
