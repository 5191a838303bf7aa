package githubapp

import "sync"

// tally counts what is under way. A sync.WaitGroup panics where something begins
// just as a wait ends, and a request may come at any time. The zero value is
// ready.
type tally struct {
	mu      sync.Mutex
	count   int
	waiting []chan struct{}
}

// Go does something in the background.
func (t *tally) Go(do func()) {
	t.add(1)
	go func() {
		defer t.add(-1)
		do()
	}()
}

func (t *tally) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count += n
	if t.count > 0 {
		return
	}
	for _, idle := range t.waiting {
		close(idle)
	}
	t.waiting = nil
}

// Idle is closed as soon as nothing is under way; what begins later does not
// open it again.
func (t *tally) Idle() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	idle := make(chan struct{})
	if t.count == 0 {
		close(idle)
	} else {
		t.waiting = append(t.waiting, idle)
	}
	return idle
}
