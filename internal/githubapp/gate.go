package githubapp

import (
	"container/list"
	"context"
	"sync"
)

// class is a kind of call to GitHub. The classes share the places of a gate
// fairly: a flood of one does not keep the other from its turn.
type class int

const (
	// minting is every call that a new token needs.
	minting class = iota
	// revoking is every call that ends a token.
	revoking

	classes = 2
)

// gate lets a number of calls through at once. Who waits is let through in the
// order of coming within its class, and the classes by turns.
type gate struct {
	mu      sync.Mutex
	free    int
	waiting [classes]list.List // of chan struct{}, closed when it is one's turn
	next    class
}

func newGate(places int) *gate { return &gate{free: places} }

// enter waits for a place until ctx ends. Whoever was let in leaves.
func (g *gate) enter(ctx context.Context, of class) error {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	place := g.waiting[of].PushBack(turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn: // at the same moment: the place goes to the next
		g.release()
	default:
		g.waiting[of].Remove(place)
	}
	return ctx.Err()
}

// leave gives the place to whose turn it is.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.release()
}

// release needs g.mu.
func (g *gate) release() {
	for range classes {
		queue := &g.waiting[g.next]
		g.next = (g.next + 1) % classes
		if first := queue.Front(); first != nil {
			close(queue.Remove(first).(chan struct{}))
			return
		}
	}
	g.free++
}

// queued is how many calls of a class wait.
func (g *gate) queued(of class) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting[of].Len()
}
