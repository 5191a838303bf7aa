package githubapp

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Custodian revokes the tokens that GitHub made and nobody received: the client
// hung up, GitHub answered too late, the answer was refused. It outlives the
// Clients that hand it tokens, so that a new key drops none of them.
type Custodian struct {
	logger hclog.Logger
	// work counts mints and revocations under way.
	work   sync.WaitGroup
	closed context.Context
	stop   context.CancelFunc
	// firstPause is the wait after the first failure; it doubles.
	firstPause time.Duration
}

// NewCustodian returns a Custodian; Close it.
func NewCustodian(logger hclog.Logger) *Custodian {
	closed, stop := context.WithCancel(context.Background())
	return &Custodian{logger: logger, closed: closed, stop: stop, firstPause: time.Second}
}

// Close lets every token in custody have one more try, and waits for them and
// for mints under way until ctx ends.
func (k *Custodian) Close(ctx context.Context) {
	k.stop()
	idle := make(chan struct{})
	go func() {
		k.work.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
		k.logger.Warn("stopped while tokens that nobody received were not yet revoked: they end with GitHub's hour")
	}
}

// revoke tries in the background until the token is dead or has expired, or the
// Custodian is closed.
func (k *Custodian) revoke(at *Revoker, token string, expires time.Time) {
	k.work.Go(func() {
		hashed := HashToken(token)
		for pause := k.firstPause; ; pause = min(2*pause, time.Minute) {
			last := k.closed.Err() != nil
			// Its own context: Close must not cut off the last try.
			err := at.Revoke(context.Background(), token, 0)
			if err == nil {
				k.logger.Info("revoked a token that nobody received", "hashed_token", hashed)
				return
			}
			k.logger.Warn("could not revoke a token that nobody received", "hashed_token", hashed, "error", err)
			if last || time.Now().After(expires) {
				return
			}
			select {
			case <-k.closed.Done():
			case <-time.After(pause):
			}
		}
	})
}
