package githubsecrets

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
)

// succeed is the process after this one, on the same storage. It serves requests
// before Vault initializes it.
func (e *engine) succeed() *engine {
	e.t.Helper()
	next := *e
	next.backend = newBackend(e.clock.Now)
	logger := hclog.New(&hclog.LoggerOptions{Output: e.log, Level: hclog.Trace})
	if err := next.Setup(e.t.Context(), &logical.BackendConfig{StorageView: e.storage, System: vaultView{StaticSystemView: e.system}, Logger: logger}); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { next.Cleanup(context.Background()) })
	return &next
}

func (e *engine) initialize() {
	e.t.Helper()
	if err := e.Initialize(e.t.Context(), &logical.InitializationRequest{Storage: e.storage}); err != nil {
		e.t.Fatal(err)
	}
}

func (e *engine) wantWatched(want int) {
	e.t.Helper()
	if watched, _ := e.custodian.Holds(); watched != want {
		e.t.Errorf("%d tokens are watched, want %d", watched, want)
	}
}

func (e *engine) wantStored(want int) {
	e.t.Helper()
	stored, err := e.storage.List(e.t.Context(), watchedStorage)
	if err != nil || len(stored) != want {
		e.t.Errorf("%d entries of watched tokens are stored (%v), want %d", len(stored), err, want)
	}
}

// TestASuccessorGoesOnWithTheWatch: the answer of one of these tokens may have been
// lost; a lease that was renewed or revoked meanwhile is known to be there.
func TestASuccessorGoesOnWithTheWatch(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	e.lease("ci") // lost
	renewed, revoked := e.lease("ci"), e.lease("ci")
	e.wantWatched(3)
	e.Cleanup(t.Context())
	e.wantStored(1)
	if n := len(e.github.LiveTokens()); n != 3 {
		t.Fatalf("%d tokens are live after the stop, want 3: they may have leases", n)
	}

	next := e.succeed()
	next.renew(renewed)
	next.revoke(revoked)
	next.initialize()
	next.wantWatched(1)
	next.wantStored(0)
	next.Cleanup(t.Context())
	e.wantStored(1)
}

// TestTheOtherMountsOfTheProcessLeaveACopy: Vault ends the process, or it does not.
func TestTheOtherMountsOfTheProcessLeaveACopy(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	e.lease("ci") // lost
	renewed := e.lease("ci")
	neighbour := newEngine(t)
	neighbour.others = func() []*backend { return []*backend{e.backend} }
	neighbour.Cleanup(t.Context())
	e.wantStored(1)
	e.wantWatched(2)
	e.renew(renewed)

	next := e.succeed()
	next.initialize()
	next.wantWatched(1)

	e.leaveCopy(t.Context())
	e.dropCopy(t.Context()) // the process lives on
	e.wantStored(0)
	e.wantWatched(1)
}

func TestAStopThatCannotWriteSaysWhichTokensNobodyWatches(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	secret := e.lease("ci")
	e.backend.storage = &brokenStorage{}
	e.Cleanup(t.Context())
	record, err := recordOf(&logical.Request{Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	if log := e.log.String(); !strings.Contains(log, githubapp.HashToken(record.Token)) || strings.Contains(log, record.Token) {
		t.Errorf("the log does not name the token, by its hash:\n%s", log)
	}
}

func TestANodeThatMayNotWriteLeavesTheWatchToAnother(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	e.lease("ci")
	e.Cleanup(t.Context())
	standby := e.succeed()
	standby.storage = &readOnlyStorage{Storage: e.storage}
	standby.initialize()
	standby.wantWatched(0)
	e.wantStored(1)
}

func TestAnUnreadableWatchKeepsNobodyFromServing(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	if err := e.storage.Put(t.Context(), &logical.StorageEntry{Key: watchedStorage + "x", Value: []byte("{")}); err != nil {
		t.Fatal(err)
	}
	e.initialize()
	if !strings.Contains(e.log.String(), "cannot take over the watch") {
		t.Error("the log does not tell")
	}
	e.must(logical.ReadOperation, "token/ci", nil)
	if err := e.Initialize(t.Context(), &logical.InitializationRequest{Storage: &brokenStorage{}}); errors.Is(err, errStorage) {
		t.Error(err)
	}
}
