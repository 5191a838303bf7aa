package githubsecrets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-uuid"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
)

// A plugin that is asked to stop leaves the tokens that it watches (see
// githubapp's Custodian) to its successor: the process after a reload, or the
// node that takes over. Among them are those whose answer was lost, which no
// lease will ever end.
//
// Vault may end the process when it cleans up one of its mounts, and tells the
// others nothing. So each of them leaves a copy then, which goes again if the
// process lives on.

const (
	// watchedStorage holds the tokens while nobody watches them; it is
	// seal-wrapped.
	watchedStorage = "watched/"
	copyPrefix     = "copy-"
	// watchedChunk keeps an entry well below raft's megabyte.
	watchedChunk = 500
	// copyLife is longer than a process that is being ended has left.
	copyLife = 5 * time.Second
)

// watchedCopy is whether a copy of what is watched is in storage.
type watchedCopy struct {
	mu   sync.Mutex
	left bool
}

// leaveWatched stores what this process watches. It must not fail the stop: a
// node that has lost its leadership cannot write any more.
func (b *backend) leaveWatched(ctx context.Context) {
	b.dropCopy(ctx)
	b.storeWatched(ctx, "", b.custodian.HandOver())
}

// leaveCopy stores what this process watches and goes on with it.
func (b *backend) leaveCopy(ctx context.Context) {
	b.copy.mu.Lock()
	defer b.copy.mu.Unlock()
	tokens := b.custodian.Watched()
	if len(tokens) == 0 {
		return
	}
	b.storeWatched(ctx, copyPrefix, tokens)
	b.copy.left = true
	time.AfterFunc(copyLife, func() { b.dropCopy(context.Background()) })
}

// refreshCopy takes out of the copy, if there is one, what turned out to have a
// lease: the successor would end it early.
func (b *backend) refreshCopy(ctx context.Context) {
	b.copy.mu.Lock()
	left := b.copy.left
	b.copy.mu.Unlock()
	if left {
		b.dropCopy(ctx)
		b.leaveCopy(ctx)
	}
}

// dropCopy takes the copy back. While that fails it is tried again: what is in it
// becomes untrue with every renewal.
func (b *backend) dropCopy(ctx context.Context) {
	b.copy.mu.Lock()
	defer b.copy.mu.Unlock()
	if !b.copy.left {
		return
	}
	if _, err := removeWatched(ctx, b.storage, copyPrefix); err != nil {
		b.Logger().Warn("cannot remove the copy of the watched tokens; it is tried again", "error", err)
		time.AfterFunc(copyLife, func() { b.dropCopy(context.Background()) })
		return
	}
	b.copy.left = false
}

func (b *backend) storeWatched(ctx context.Context, prefix string, all []githubapp.Watched) {
	for tokens := range slices.Chunk(all, watchedChunk) {
		name, err := uuid.GenerateUUID()
		if err == nil {
			err = store(ctx, b.storage, watchedStorage+prefix+name, tokens)
		}
		if err == nil {
			continue
		}
		for _, token := range tokens {
			b.Logger().Warn("a successor will not watch this token: if its answer was lost it ends with GitHub's hour",
				"hashed_token", githubapp.HashToken(token.Token), "error", err)
		}
	}
}

// takeWatched goes on with what a predecessor has left. On a node that may not
// write it stays for the one that may; no error keeps the mount from serving.
func (b *backend) takeWatched(ctx context.Context, req *logical.InitializationRequest) error {
	tokens, err := removeWatched(ctx, req.Storage, "")
	if err != nil && !errors.Is(err, logical.ErrReadOnly) {
		b.Logger().Error("cannot take over the watch of tokens", "error", err)
	}
	b.custodian.TakeOver(tokens, b.revokerAt)
	return nil
}

// removeWatched takes the tokens of the entries with a prefix out of storage, as
// far as it gets.
func removeWatched(ctx context.Context, storage logical.Storage, prefix string) (all []githubapp.Watched, err error) {
	chunks, err := storage.List(ctx, watchedStorage)
	if err != nil {
		return nil, fmt.Errorf("list the watched tokens: %w", err)
	}
	for _, chunk := range chunks {
		if !strings.HasPrefix(chunk, prefix) {
			continue
		}
		var tokens []githubapp.Watched
		if _, err := load(ctx, storage, watchedStorage+chunk, &tokens); err != nil {
			return all, err
		}
		if err := remove(ctx, storage, watchedStorage+chunk); err != nil {
			return all, err
		}
		all = append(all, tokens...)
	}
	return all, nil
}
