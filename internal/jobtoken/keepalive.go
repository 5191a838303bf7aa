package jobtoken

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
)

// hopeless is when what is left of a lease is not worth another request.
const hopeless = 500 * time.Millisecond

// KeepAlive renews the lease and the Vault token that it hangs on, until the
// context ends or both have.
//
// Vault's LifetimeWatcher is not used because it renews at once, and a renewal is
// for the role's TTL: a lease that was asked for to be short would not be.
func (l *Lease) KeepAlive(ctx context.Context) {
	client := l.session.client
	var renewing sync.WaitGroup
	defer renewing.Wait()
	if login := l.session.login; login != nil && login.Auth.Renewable {
		renewing.Go(func() {
			l.renew(ctx, &l.session.ends, func() (*api.Secret, error) {
				return client.Auth().Token().RenewSelfWithContext(ctx, login.Auth.LeaseDuration)
			})
		})
	}
	if l.secret.Renewable {
		l.renew(ctx, &l.ends, func() (*api.Secret, error) {
			return client.Sys().RenewWithContext(ctx, l.secret.LeaseID, l.secret.LeaseDuration)
		})
	}
}

// renew renews one of the two each time that two thirds of what is left have
// passed: so it tries again, and ever sooner, if it fails or if nothing is won.
func (l *Lease) renew(ctx context.Context, ends *time.Time, request func() (*api.Secret, error)) {
	for {
		l.mu.Lock()
		left := time.Until(*ends)
		l.mu.Unlock()
		if left < hopeless {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(left * 2 / 3):
		}
		begun := time.Now()
		renewed, err := request()
		if err != nil || renewed == nil {
			continue
		}
		l.mu.Lock()
		*ends = begun.Add(duration(renewed))
		l.mu.Unlock()
	}
}

func duration(renewed *api.Secret) time.Duration {
	seconds := renewed.LeaseDuration
	if renewed.Auth != nil {
		seconds = renewed.Auth.LeaseDuration
	}
	return time.Duration(seconds) * time.Second
}
