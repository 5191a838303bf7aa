package githubsecrets

import (
	"math"
	"sync"
	"time"
)

// mountLimit is the mount's max_lease_ttl. To ask Vault for it before each token
// would be a call back more; Vault does not tell of a change, so it is asked again
// after a while. The zero value is ready.
type mountLimit struct {
	mu    sync.Mutex
	limit time.Duration
	until time.Time
}

// limitLife is how long a limit is believed.
const limitLife = 5 * time.Second

// get asks if what is known is too old.
func (m *mountLimit) get(now time.Time, ask func() time.Duration) time.Duration {
	m.mu.Lock()
	known, fresh := m.limit, now.Before(m.until)
	m.mu.Unlock()
	if fresh {
		return known
	}
	limit := ask()
	if limit <= 0 {
		return math.MaxInt64 // Vault did not say; it enforces it all the same
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limit, m.until = limit, now.Add(limitLife)
	return limit
}
