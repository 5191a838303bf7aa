// Command vault-github gets GitHub tokens from the github secrets engine for a
// CI job, its commands and its git.
package main

import (
	"context"
	"os"
)

// version is this build's, set by the linker.
var version = "v0.1.0-dev"

func main() {
	t := &terminal{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(run(context.Background(), t, os.Args[1:]))
}
