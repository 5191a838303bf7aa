package githubsecrets

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
)

// sendTo makes the engine send its events there.
func (e *engine) sendTo(sender logical.EventSender) {
	e.t.Helper()
	logger := hclog.New(&hclog.LoggerOptions{Output: e.log, Level: hclog.Trace})
	if err := e.Setup(e.t.Context(), &logical.BackendConfig{StorageView: e.storage, System: vaultView{e.system, "ent.hsm"}, Logger: logger, EventsSender: sender}); err != nil {
		e.t.Fatal(err)
	}
}

// sent are the types and the metadata of the events that were sent.
func (e *engine) sent(sender *logical.MockEventSender) []map[string]any {
	e.events.close(e.t.Context())
	sender.Lock()
	defer sender.Unlock()
	var all []map[string]any
	for _, sent := range sender.Events {
		metadata := sent.Event.Metadata.AsMap()
		metadata["type"] = string(sent.Type)
		all = append(all, metadata)
	}
	return all
}

func TestEventsTellOfIssuanceRefusalAndRevocation(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	sender := logical.NewMockEventSender()
	e.sendTo(sender)
	e.mustWriteRole("ci", nil)
	secret := e.lease("ci")
	token := e.github.LiveTokens()[0].Value
	e.wantRefusal(logical.ReadOperation, "token/ci", map[string]any{"ttl": "30m"}, 403)
	e.revoke(secret)

	got := e.sent(sender)
	if len(got) != 3 {
		t.Fatalf("%d events: %v", len(got), got)
	}
	if text, _ := got[1]["error"].(string); !strings.Contains(text, "at most 10m") {
		t.Errorf("the refusal says %q", text)
	}
	delete(got[1], "error")
	hashed := githubapp.HashToken(token)
	want := []map[string]any{
		{"type": "github/token-issue", "path": "token/ci", "role": "ci", "app": "default", "request_id": "request-1",
			"scope": "acme: api: contents=read,metadata=read", "hashed_token": hashed},
		{"type": "github/token-refuse", "path": "token/ci", "role": "ci", "app": "default", "request_id": "request-1", "reason": "policy"},
		{"type": "github/token-revoke", "path": "token/ci", "role": "ci", "app": "default", "hashed_token": hashed, "reason": "ok"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func enterpriseVault(context.Context) (*logical.PluginEnvironment, error) {
	return &logical.PluginEnvironment{VaultVersionMetadata: "ent"}, nil
}

func TestAVaultWithoutSubscribersIsSentNothing(t *testing.T) {
	t.Parallel()
	asked := 0
	sender := logical.NewMockEventSender()
	n := &notifier{sender: sender, logger: hclog.NewNullLogger(), edition: func(context.Context) (*logical.PluginEnvironment, error) {
		if asked++; asked == 1 {
			return nil, errors.New("not now")
		}
		return &logical.PluginEnvironment{VaultVersion: "1.21.1"}, nil
	}}
	for range 5 {
		n.notify(issueEvent, "ci")
		n.work.Wait()
	}
	if asked != 2 || len(sender.Events) != 0 {
		t.Errorf("Vault was asked %d times for its edition and sent %d events, want 2 and none", asked, len(sender.Events))
	}
}

func TestAVaultIsAskedForItsEditionOnce(t *testing.T) {
	t.Parallel()
	asked := 0
	sender := logical.NewMockEventSender()
	n := &notifier{sender: sender, logger: hclog.NewNullLogger(), edition: func(ctx context.Context) (*logical.PluginEnvironment, error) {
		asked++
		return enterpriseVault(ctx)
	}}
	for range 3 {
		n.notify(issueEvent, "ci")
		n.work.Wait()
	}
	if asked != 1 || len(sender.Events) != 3 {
		t.Errorf("Vault was asked %d times and sent %d events, want once and 3", asked, len(sender.Events))
	}
}

// brokenSender takes no event; asked counts those that it was given.
type brokenSender struct {
	mu    sync.Mutex
	asked int
	take  func(context.Context) error
}

func (s *brokenSender) SendEvent(ctx context.Context, _ logical.EventType, _ *logical.EventData) error {
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	return s.take(ctx)
}

func TestNoJobWaitsForEvents(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	tests := map[string]struct {
		take  func(context.Context) error
		asked int
	}{
		"without an events system it is asked once": {func(context.Context) error { return framework.ErrNoEvents }, 1},
		"one that fails is asked again":             {func(context.Context) error { return errors.New("no") }, 3},
		"one that hangs is given up on":             {hang, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sender := &brokenSender{take: test.take}
				n := &notifier{sender: sender, edition: enterpriseVault, logger: hclog.NewNullLogger()}
				began := time.Now()
				for range 3 {
					n.notify(issueEvent, "ci")
					synctest.Wait()
				}
				if waited := time.Since(began); waited != 0 {
					t.Errorf("it took %s", waited)
				}
				n.close(t.Context())
				if sender.asked != test.asked {
					t.Errorf("it was asked %d times, want %d", sender.asked, test.asked)
				}
			})
		})
	}
}

func TestEventsThatVaultDoesNotTakeDoNotPileUp(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	release := make(chan struct{})
	sender := &brokenSender{take: func(context.Context) error { <-release; return nil }}
	n := &notifier{sender: sender, edition: enterpriseVault, logger: hclog.New(&hclog.LoggerOptions{Output: log})}
	for range maxPending + 10 {
		n.notify(issueEvent, "ci")
	}
	if len(n.pending) > maxPending || !strings.Contains(log.String(), "one is lost") {
		t.Errorf("%d wait, and the log says %q", len(n.pending), log)
	}
	close(release)
	n.close(t.Context())
	n.notify(issueEvent, "ci")
	if sender.asked > maxPending+1 || len(n.pending) != 0 {
		t.Errorf("%d were sent, %d are left", sender.asked, len(n.pending))
	}
}
