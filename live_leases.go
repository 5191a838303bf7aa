package githubsecrets

import (
	"sync"
	"time"
)

// liveLeases are the leases that this process has seen begin and not seen end.
// GitHub's hour bounds them: a lease whose end is not seen is taken to have ended
// with its token. The zero value is ready.
type liveLeases struct {
	mu sync.Mutex
	// ends are when GitHub ends the tokens, by their hash.
	ends map[string]time.Time
	// sweepAt is the size at which those that have ended are looked for.
	sweepAt int
}

// leastSweep is the size below which no lease is looked for that has ended.
const leastSweep = 1024

// begin counts a lease; one that is known already, once.
func (l *liveLeases) begin(hashed string, ends, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ends == nil {
		l.ends, l.sweepAt = map[string]time.Time{}, leastSweep
	}
	l.ends[hashed] = ends
	if len(l.ends) >= l.sweepAt {
		l.sweep(now)
		l.sweepAt = max(2*len(l.ends), leastSweep) // so that a sweep is paid for by as many leases
	}
}

// end is the end of a lease, which may be unknown.
func (l *liveLeases) end(hashed string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ends, hashed)
}

// count is how many are live now.
func (l *liveLeases) count(now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	return len(l.ends)
}

// sweep needs l.mu.
func (l *liveLeases) sweep(now time.Time) {
	for hashed, ends := range l.ends {
		if !now.Before(ends) {
			delete(l.ends, hashed)
		}
	}
}
