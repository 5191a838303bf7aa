package vaulttest

import (
	"context"
	"testing"
	"time"
)

const pollInterval = 20 * time.Millisecond

// poll calls check until it returns nil or the context ends, and returns what it
// said last.
func poll(ctx context.Context, check func() error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// Eventually fails the test if check has not returned nil in time.
func Eventually(t testing.TB, within time.Duration, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := poll(ctx, check); err != nil {
		t.Fatalf("still so after %s: %s", within, err)
	}
}
