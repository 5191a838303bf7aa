package ledger

import (
	"container/heap"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
)

// token is an account for which more may come.
type token struct {
	*Account
	pending *pending
	end     time.Time // of its lease, if nobody renews or revokes it
	vague   bool      // end is only the latest possible
	closes  time.Time // from when on nothing can come
	hash    string    // by which it is found; "" if none is readable
	place   int       // in the queue
	serial  int       // orders tokens that close at the same time
}

func (t *token) ended() bool { return !t.Ended.IsZero() }

// tokens are the accounts that are not complete.
type tokens struct {
	queue      queue
	added      int
	byHash     map[string]*token
	byRequest  map[string]*token
	byLease    map[string]*token
	byAccessor map[string][]*token
}

func newTokens() *tokens {
	return &tokens{
		byHash: map[string]*token{}, byRequest: map[string]*token{},
		byLease: map[string]*token{}, byAccessor: map[string][]*token{},
	}
}

func (ts *tokens) len() int { return len(ts.queue) }

func (ts *tokens) add(t *token) {
	ts.added++
	t.serial = ts.added
	heap.Push(&ts.queue, t)
	ts.byRequest[t.ID] = t
	if t.Accessor != "" {
		ts.byAccessor[t.Accessor] = append(ts.byAccessor[t.Accessor], t)
	}
	if t.Grant != nil {
		if t.Grant.LeaseID != "" {
			ts.byLease[t.Grant.LeaseID] = t
		}
		ts.index(t)
	}
}

// index makes a token known by its hash, if that is readable.
func (ts *tokens) index(t *token) {
	if t.hash = plainHash(t.Grant.HashedToken); t.hash != "" {
		ts.byHash[t.hash] = t
	}
}

// plainHash is a hashed token as both logs have it; "" if Vault hashed it again.
func plainHash(hash string) string {
	if auditlog.Hashed(hash) {
		return ""
	}
	return strings.TrimRight(hash, "=")
}

func (ts *tokens) oldest() *token {
	if len(ts.queue) == 0 {
		return nil
	}
	return ts.queue[0]
}

// reschedule changes when a token closes.
func (ts *tokens) reschedule(t *token, closes time.Time) {
	t.closes = closes
	heap.Fix(&ts.queue, t.place)
}

func (ts *tokens) remove(t *token) {
	heap.Remove(&ts.queue, t.place)
	forget(ts.byRequest, t.ID, t)
	forget(ts.byHash, t.hash, t)
	if t.Grant != nil {
		forget(ts.byLease, t.Grant.LeaseID, t)
	}
	if t.Accessor == "" {
		return
	}
	rest := slices.DeleteFunc(ts.byAccessor[t.Accessor], func(o *token) bool { return o == t })
	ts.byAccessor[t.Accessor] = rest
	if len(rest) == 0 {
		delete(ts.byAccessor, t.Accessor)
	}
}

// forget removes a token from an index where another has not taken its place.
func forget(index map[string]*token, key string, t *token) {
	if index[key] == t {
		delete(index, key)
	}
}

// below is the tokens that a revocation by prefix ends. As in Vault's
// ExpirationManager.revokePrefixCommon, the prefix is a lease if there is one of
// that id, and else ends at a slash: github/token/api does not end the leases of
// github/token/api-read.
func (ts *tokens) below(prefix string) []*token {
	if t := ts.byLease[prefix]; t != nil {
		return []*token{t}
	}
	if !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	var found []*token
	for _, t := range ts.queue {
		if t.Grant != nil && strings.HasPrefix(t.lease(), prefix) {
			found = append(found, t)
		}
	}
	return found
}

// lease is the token's lease, or the path above it: a wrapped response does not
// show its lease, which is below its request's path all the same.
func (t *token) lease() string {
	if t.Grant.LeaseID != "" {
		return t.Grant.LeaseID
	}
	return t.Mount + "token/" + t.Role + "/"
}

// queue is a heap of tokens, the next to close first.
type queue []*token

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if c := q[i].closes.Compare(q[j].closes); c != 0 {
		return c < 0
	}
	return q[i].serial < q[j].serial
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	t := x.(*token)
	t.place = len(*q)
	*q = append(*q, t)
}

func (q *queue) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return t
}
