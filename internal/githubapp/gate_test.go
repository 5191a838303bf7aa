package githubapp

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// arrive lets calls wait at a gate and notes in which order they get in. It must
// be called in a bubble of synctest.
func arrive(ctx context.Context, g *gate, of class, name string, entered *[]string, mu *sync.Mutex) {
	go func() {
		if err := g.enter(ctx, of); err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		*entered = append(*entered, name)
	}()
	synctest.Wait() // it waits now, or is in
}

func TestAFloodOfOneClassDoesNotKeepTheOtherOut(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		flood, other class
	}{
		"leases that end": {revoking, minting},
		"new tokens":      {minting, revoking},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGate(1)
				var (
					mu      sync.Mutex
					entered []string
				)
				arrive(t.Context(), g, test.flood, "first", &entered, &mu)
				for _, n := range []string{"a", "b", "c", "d", "e", "f"} {
					arrive(t.Context(), g, test.flood, "flood "+n, &entered, &mu)
				}
				arrive(t.Context(), g, test.other, "other 1", &entered, &mu)
				arrive(t.Context(), g, test.other, "other 2", &entered, &mu)
				for range 9 {
					g.leave()
					synctest.Wait()
				}
				if at := slices.Index(entered, "other 2"); at < 0 || at > 4 {
					t.Errorf("the second of the other class came %d. in: %q", at+1, entered)
				}
				flood := slices.DeleteFunc(slices.Clone(entered), func(s string) bool { return s[0] != 'f' })
				if !slices.IsSorted(flood[1:]) || len(entered) != 9 {
					t.Errorf("not in the order of coming: %q", entered)
				}
			})
		})
	}
}

func TestWhoHangsUpLeavesTheQueueAndLosesNoPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1)
		if err := g.enter(t.Context(), minting); err != nil {
			t.Fatal(err)
		}
		ctx, hangUp := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { left <- g.enter(ctx, minting) }()
		synctest.Wait()
		if n := g.queued(minting); n != 1 {
			t.Fatalf("%d wait, want 1", n)
		}
		hangUp()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("left the queue with %v", err)
		}
		if n := g.queued(minting); n != 0 {
			t.Errorf("%d wait after it hung up", n)
		}
		g.leave()
		if err := g.enter(t.Context(), revoking); err != nil { // must not block
			t.Error(err)
		}
	})
}

// TestAPlaceGivenToWhoJustHungUpGoesToTheNext: both happen in one moment.
func TestAPlaceGivenToWhoJustHungUpGoesToTheNext(t *testing.T) {
	t.Parallel()
	for range 200 {
		g := newGate(1)
		if err := g.enter(t.Context(), minting); err != nil {
			t.Fatal(err)
		}
		ctx, hangUp := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if g.enter(ctx, minting) == nil {
				g.leave()
			}
		})
		waiting.Go(hangUp)
		waiting.Go(g.leave)
		waiting.Wait()
		if g.free != 1 {
			t.Fatalf("%d places are free, want 1", g.free)
		}
	}
}
