package githubsecrets

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// Types of Vault's event notifications that the engine sends, named as those of
// Vault's own engines ("database/creds-create").
const (
	issueEvent  = "github/token-issue"
	refuseEvent = "github/token-refuse"
	revokeEvent = "github/token-revoke"
)

const (
	// maxPending bounds what waits while Vault does not take events.
	maxPending = 1024
	// sendTimeout is how long Vault may take for one.
	sendTimeout = 5 * time.Second
)

// event is an event that is to be sent.
type event struct {
	kind     string
	metadata []string // names and values by turns
}

// notifier sends events to Vault in the background and in their order: no job
// waits for them. Those that Vault does not take are lost.
//
// Each costs a call back to Vault, a sixth of all that a token costs this process.
// A Vault whose edition has no subscribers is asked for its edition once, and sent
// none.
type notifier struct {
	sender  logical.EventSender
	edition func(context.Context) (*logical.PluginEnvironment, error)
	logger  hclog.Logger

	work    sync.WaitGroup
	mu      sync.Mutex
	pending []event
	sending bool
	// known is that there may be subscribers; drain alone uses it.
	known bool
	// off is that no more are taken: there are no subscribers, or the end has come.
	off bool
}

// notify sends an event about a token of a role. Its metadata's path is the one
// that subscribers need the subscribe capability on.
func (n *notifier) notify(kind, role string, metadata ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.off:
		return
	case len(n.pending) == maxPending:
		n.logger.Warn("Vault does not take events fast enough; one is lost", "type", kind)
		return
	}
	n.pending = append(n.pending, event{kind, append([]string{
		logical.EventMetadataPath, tokenPrefix + role, "role", role,
	}, metadata...)})
	if !n.sending {
		n.sending = true
		n.work.Go(n.drain)
	}
}

// drain sends what is pending until nothing is.
func (n *notifier) drain() {
	for {
		next, ok := n.take()
		if !ok {
			return
		}
		switch err := n.send(next); {
		case errors.Is(err, framework.ErrNoEvents):
			n.turnOff()
		case err != nil:
			n.logger.Debug("could not send an event", "type", next.kind, "error", err)
		}
	}
}

// send returns framework.ErrNoEvents if none is ever to be sent.
func (n *notifier) send(e event) error {
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	if !n.known {
		vault, err := n.edition(ctx)
		if err != nil {
			return err
		}
		if vault == nil || !strings.HasPrefix(vault.VaultVersionMetadata, enterprise) {
			return framework.ErrNoEvents
		}
		n.known = true
	}
	return logical.SendEvent(ctx, n.sender, e.kind, e.metadata...)
}

// enterprise begins the version metadata of the Vaults that have subscribers:
// "ent", "ent.hsm".
// https://developer.hashicorp.com/vault/docs/concepts/events
const enterprise = "ent"

// take is the oldest that is pending; false, and the end of sending, if none is.
func (n *notifier) take() (event, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.pending) == 0 {
		n.pending, n.sending = nil, false
		return event{}, false
	}
	next := n.pending[0]
	n.pending = n.pending[1:]
	return next, true
}

func (n *notifier) turnOff() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.off, n.pending = true, nil
}

// close waits until what is pending is sent, or ctx ends, and takes no more.
func (n *notifier) close(ctx context.Context) {
	n.mu.Lock()
	n.off = true
	n.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		n.work.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
