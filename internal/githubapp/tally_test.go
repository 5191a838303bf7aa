package githubapp

import (
	"sync"
	"testing"
)

func TestATallyIsIdleWhenNothingIsUnderWay(t *testing.T) {
	t.Parallel()
	var work tally
	isIdle := func(idle <-chan struct{}) bool {
		select {
		case <-idle:
			return true
		default:
			return false
		}
	}
	if !isIdle(work.Idle()) {
		t.Error("nothing was begun, and it is not idle")
	}
	first, second := make(chan struct{}), make(chan struct{})
	work.Go(func() { <-first })
	waits := work.Idle()
	work.Go(func() { <-second }) // begins while somebody waits
	close(first)
	if isIdle(waits) {
		t.Error("it is idle while something is under way")
	}
	close(second)
	<-waits
}

// TestWorkMayBeginJustAsAWaitEnds would panic with a sync.WaitGroup, now and then.
func TestWorkMayBeginJustAsAWaitEnds(t *testing.T) {
	t.Parallel()
	var work tally
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 2000 {
				work.Go(func() {})
				<-work.Idle()
			}
		})
	}
	all.Wait()
}
