package githubapp

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Custodian revokes the tokens that GitHub made and nobody received: the client
// hung up, GitHub answered too late, the answer was refused. It also watches
// those that were handed over: an answer can be lost on its way to Vault, when
// the client hangs up in that moment, and then no lease ends the token. It
// outlives the Clients that hand it tokens, so that a new key drops none of them.
type Custodian struct {
	logger hclog.Logger
	// work counts mints and revocations under way, held those revocations.
	work   tally
	held   atomic.Int64
	closed context.Context
	stop   context.CancelFunc
	// firstPause is the wait after the first failure; it doubles.
	firstPause time.Duration

	mu sync.Mutex
	// watched are the tokens that a lease shall end, by their hash.
	watched map[string]*watch
	// heard are tokens that turned out to have a lease before TakeOver told of
	// them; nil after it.
	heard map[string]bool
}

// watch is a token that is overdue when its timer fires.
type watch struct {
	Watched
	timer *time.Timer
	at    *Revoker
}

// Watched is a token that was handed over, and of which nothing has been heard.
type Watched struct {
	Token    string    `json:"token"`
	Endpoint Endpoint  `json:"endpoint"`
	Expires  time.Time `json:"expires"`
	// Overdue is when it is to be revoked unless something is heard of it.
	Overdue time.Time `json:"overdue"`
}

// maxRevokePause is the longest wait between two tries to revoke: once GitHub is
// back the token shall be dead within seconds.
const maxRevokePause = 15 * time.Second

// overdueAfter is how long after the end of its lease a token is revoked here,
// if nothing was heard of it: Vault's own revocation goes first.
const overdueAfter = 15 * time.Second

// NewCustodian returns a Custodian; Close it.
func NewCustodian(logger hclog.Logger) *Custodian {
	closed, stop := context.WithCancel(context.Background())
	return &Custodian{
		logger: logger, closed: closed, stop: stop, firstPause: time.Second,
		watched: map[string]*watch{}, heard: map[string]bool{},
	}
}

// Release ends the watch over a token that is dead, or under a lease for sure:
// Vault has renewed or revoked it.
func (k *Custodian) Release(hashed string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w := k.watched[hashed]; w != nil {
		w.timer.Stop()
		delete(k.watched, hashed)
	} else if k.heard != nil {
		k.heard[hashed] = true
	}
}

// Holds is how many tokens are watched, and how many that nobody received are
// being revoked.
func (k *Custodian) Holds() (watched, custody int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.watched), int(k.held.Load())
}

// watch revokes the token if it is not released by the end of its lease: Vault has
// no lease for it then.
func (k *Custodian) watch(at *Revoker, token string, expires time.Time, lease time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed.Err() == nil {
		k.begin(at, Watched{Token: token, Endpoint: at.endpoint, Expires: expires, Overdue: time.Now().Add(lease + overdueAfter)})
	}
}

// begin needs k.mu.
func (k *Custodian) begin(at *Revoker, token Watched) {
	hashed := HashToken(token.Token)
	k.watched[hashed] = &watch{
		Watched: token, at: at,
		timer: time.AfterFunc(time.Until(token.Overdue), func() { k.overdue(hashed) }),
	}
}

func (k *Custodian) overdue(hashed string) {
	if w := k.take(hashed); w != nil && k.closed.Err() == nil {
		k.logger.Warn("no lease has ended this token in time: Vault may never have received it", "hashed_token", hashed)
		k.revoke(w.at, w.Token, w.Expires)
	}
}

// Watched returns the tokens that are watched.
func (k *Custodian) Watched() []Watched {
	k.mu.Lock()
	defer k.mu.Unlock()
	tokens := make([]Watched, 0, len(k.watched))
	for _, w := range k.watched {
		tokens = append(tokens, w.Watched)
	}
	return tokens
}

// HandOver ends the watch over all tokens, also over those handed over from now
// on, and returns them for whoever goes on with it: another process or node.
func (k *Custodian) HandOver() []Watched {
	k.stop()
	tokens := k.Watched()
	k.mu.Lock()
	defer k.mu.Unlock()
	for hashed, w := range k.watched {
		w.timer.Stop()
		delete(k.watched, hashed)
	}
	return tokens
}

// TakeOver goes on with the watch that another process or node ended, but for
// tokens that have been heard of since. It is called once, and at gives the
// Revoker of an endpoint.
func (k *Custodian) TakeOver(tokens []Watched, at func(Endpoint) (*Revoker, error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	heard := k.heard
	k.heard = nil
	for _, token := range tokens {
		revoker, err := at(token.Endpoint)
		switch {
		case err != nil:
			k.logger.Error("cannot watch a token", "hashed_token", HashToken(token.Token), "error", err)
		case !heard[HashToken(token.Token)] && k.closed.Err() == nil:
			k.begin(revoker, token)
		}
	}
}

// take removes a token from those watched; nil if it is not among them.
func (k *Custodian) take(hashed string) *watch {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.watched[hashed]
	delete(k.watched, hashed)
	return w
}

// Close tries every token in custody at once, and waits for them and for mints
// under way until ctx ends. Tokens that were handed over are watched no
// more: another node may have their leases from now on; see HandOver.
func (k *Custodian) Close(ctx context.Context) {
	k.HandOver()
	select {
	case <-k.work.Idle():
	case <-ctx.Done():
		k.logger.Warn("stopped while tokens that nobody received were not yet revoked: they end with GitHub's hour")
	}
}

// revoke tries in the background until the token is dead or has expired. The end
// of the Custodian brings the next try forward.
func (k *Custodian) revoke(at *Revoker, token string, expires time.Time) {
	k.held.Add(1)
	k.work.Go(func() {
		defer k.held.Add(-1)
		hashed := HashToken(token)
		closed := k.closed.Done()
		for pause := k.firstPause; ; pause = min(2*pause, maxRevokePause) {
			// Its own context: Close must not cut off a try.
			err := at.Revoke(context.Background(), token, 0)
			if err == nil {
				k.logger.Info("revoked a token that nobody received", "hashed_token", hashed)
				return
			}
			k.logger.Warn("could not revoke a token that nobody received", "hashed_token", hashed, "error", err)
			if time.Now().After(expires) {
				return
			}
			select {
			case <-closed:
				closed, pause = nil, k.firstPause
			case <-time.After(pause):
			}
		}
	})
}
