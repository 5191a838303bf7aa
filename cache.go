package githubsecrets

import (
	"maps"
	"sync"
)

// cache keeps what was read from storage until it is dropped: on a write, a
// delete, or Vault's invalidation. The zero value is ready.
type cache[T any] struct {
	mu      sync.RWMutex
	entries map[string]*T
	// drops counts calls of drop, so that what was loaded before one is not kept
	// after it.
	drops uint64
}

// get returns the entry, or what load returns; nil, which is not kept, if there
// is none. Locks are not held while loading.
func (c *cache[T]) get(key string, load func() (*T, error)) (*T, error) {
	c.mu.RLock()
	entry, ok := c.entries[key]
	drops := c.drops
	c.mu.RUnlock()
	if ok {
		return entry, nil
	}
	entry, err := load()
	if err != nil || entry == nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drops != drops {
		return entry, nil
	}
	if loadedMeanwhile, ok := c.entries[key]; ok {
		return loadedMeanwhile, nil // all share one: an App's client knows its installations
	}
	if c.entries == nil {
		c.entries = map[string]*T{}
	}
	c.entries[key] = entry
	return entry, nil
}

// drop forgets the entry.
func (c *cache[T]) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, key)
	c.drops++
}

// has reports whether the entry is kept.
func (c *cache[T]) has(key string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, ok := c.entries[key]
	return ok
}

// len is how many entries are kept.
func (c *cache[T]) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.entries)
}

// each calls the function for every entry that is kept.
func (c *cache[T]) each(do func(key string, entry *T)) {
	c.mu.RLock()
	entries := maps.Clone(c.entries)
	c.mu.RUnlock()
	for key, entry := range entries {
		do(key, entry)
	}
}
