package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	githubsecrets "vault-plugin-secrets-github"
)

const (
	// orphanCheck is how often the plugin looks whether Vault is still there. It
	// must notice long before it would revoke a token whose lease another node
	// has taken over, which is never sooner than 15 s after Vault's death.
	orphanCheck = 250 * time.Millisecond
	// orphanGrace is time for the answers to requests under way, and to revoke
	// their tokens: nobody else will.
	orphanGrace = 3 * time.Minute
)

// outliveVault ends the process some time after Vault was killed: a Vault that
// dies without warning leaves its plugins running. Until then it takes back the
// tokens that no lease will ever hold.
func outliveVault(engines *githubsecrets.Engines) {
	// A line of the log would end the process otherwise: nobody reads it now.
	signal.Ignore(syscall.SIGPIPE)
	vault := os.Getppid()
	go func() {
		for os.Getppid() == vault {
			time.Sleep(orphanCheck)
		}
		ctx, cancel := context.WithTimeout(context.Background(), orphanGrace)
		defer cancel()
		engines.Stop(ctx)
		os.Exit(0)
	}()
}
