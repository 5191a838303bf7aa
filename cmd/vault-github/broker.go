package main

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/singleflight"

	"vault-plugin-secrets-github/internal/gitcredential"
	"vault-plugin-secrets-github/internal/jobtoken"
)

// broker holds the tokens of one exec, in memory alone, and keeps them alive. It
// is safe for concurrent use.
type broker struct {
	config jobtoken.Config
	role   string
	asked  jobtoken.Request

	// mask keeps a token out of the job's log.
	mask func(token string)

	minting singleflight.Group

	mu      sync.Mutex
	current map[string]*jobtoken.Lease // by repository; "" is all that was asked for
	held    []*jobtoken.Lease          // every lease that has not been revoked
}

// lease returns a token for a repository, or for all that was asked for. One
// that is about to end is replaced; it stays good for who has it.
func (b *broker) lease(ctx context.Context, repository string) (*jobtoken.Lease, error) {
	b.mu.Lock()
	found := b.current[repository]
	b.mu.Unlock()
	if found != nil && found.Fresh() {
		return found, nil
	}
	lease, err, _ := b.minting.Do(repository, func() (any, error) {
		lease, err := b.config.Mint(ctx, b.role, narrowed(b.asked, repository))
		if err != nil {
			return nil, err
		}
		b.hold(ctx, repository, lease)
		return lease, nil
	})
	if err != nil {
		return nil, err
	}
	return lease.(*jobtoken.Lease), nil
}

// narrowed is a request for one repository of those asked for.
func narrowed(asked jobtoken.Request, repository string) jobtoken.Request {
	if repository != "" {
		asked.Repositories, asked.RepositoryIDs = []string{repository}, nil
	}
	return asked
}

// hold keeps a lease alive until the context ends.
func (b *broker) hold(ctx context.Context, repository string, lease *jobtoken.Lease) {
	b.mask(lease.Token())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = append(b.held, lease)
	if b.current == nil {
		b.current = map[string]*jobtoken.Lease{}
	}
	b.current[repository] = lease
	go lease.KeepAlive(ctx)
}

// credential implements credentialStore.
func (b *broker) credential(ctx context.Context, repository string) (gitcredential.Credential, error) {
	lease, err := b.lease(ctx, repository)
	if err != nil {
		return gitcredential.Credential{}, err
	}
	return gitcredential.Credential{Username: gitUser, Password: lease.Token(), Expires: lease.Ends()}, nil
}

// erase implements credentialStore: GitHub does not take the token any more.
func (b *broker) erase(ctx context.Context, token string) error {
	b.mu.Lock()
	var gone *jobtoken.Lease
	for repository, lease := range b.current {
		if lease.Token() == token {
			gone = lease
			delete(b.current, repository)
		}
	}
	b.mu.Unlock()
	if gone == nil {
		return nil
	}
	if err := gone.Revoke(ctx); err != nil {
		return err // it is tried again at the end
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = slices.DeleteFunc(b.held, func(l *jobtoken.Lease) bool { return l == gone })
	return nil
}

// revokeAll ends every token that was given out. Nobody may ask for one at the
// same time, or after.
func (b *broker) revokeAll(ctx context.Context) error {
	errs := make([]error, len(b.held))
	var revoking sync.WaitGroup
	for i, lease := range b.held {
		revoking.Go(func() { errs[i] = lease.Revoke(ctx) })
	}
	revoking.Wait()
	return errors.Join(errs...)
}
