// Package githubsecrets is a Vault secrets engine that gives CI jobs short-lived,
// finely scoped installation tokens of GitHub Apps.
//
// One file per resource: path_X.go is the HTTP surface of X, X.go is X itself,
// secret_token.go is the lease. What does not need Vault is below internal/.
package githubsecrets

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
)

const backendHelp = `
The GitHub secrets engine gives CI jobs short-lived, finely scoped installation
tokens of a GitHub App, each under a Vault lease.

Write the App to "config", a role to "roles/<name>", and read "token/<name>".
`

// backend is the engine: one for each mount.
type backend struct {
	*framework.Backend

	apps      cache[app]
	issuers   cache[issuer]
	roles     cache[role]
	limits    cache[limits]
	revokers  cache[githubapp.Revoker]
	storage   logical.Storage // for when no request brings it
	custodian *githubapp.Custodian
	copy      watchedCopy
	metrics   *metrics
	live      liveLeases
	events    *notifier
	mountMax  mountLimit
	// others are the mounts that share this process.
	others func() []*backend
	now    func() time.Time
}

// Engines are the engines of one plugin process: one for each mount. The zero
// value is ready.
type Engines struct {
	mu  sync.Mutex
	all []*backend
}

// Factory makes the engine for one mount. Vault calls it with an empty
// configuration when a plugin is registered, so it touches no storage.
func (e *Engines) Factory(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
	b := newBackend(time.Now)
	if err := b.Setup(ctx, conf); err != nil {
		return nil, fmt.Errorf("set up the GitHub secrets engine: %w", err)
	}
	b.others = func() []*backend { return e.but(b) }
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, b)
	return b, nil
}

// but returns the engines without one of them.
func (e *Engines) but(one *backend) []*backend {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.all), func(b *backend) bool { return b == one })
}

// Stop revokes the tokens that nobody received, of every mount, until ctx ends.
// Vault ends a process when it reloads one of its mounts, and cleans up only
// that one.
func (e *Engines) Stop(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var stopping sync.WaitGroup
	for _, b := range e.all {
		stopping.Go(func() { b.custodian.Close(ctx) })
	}
	stopping.Wait()
}

func newBackend(now func() time.Time) *backend {
	b := &backend{now: now, others: func() []*backend { return nil }}
	b.metrics = newMetrics(b)
	b.Backend = &framework.Backend{
		BackendType:    logical.TypeLogical,
		Help:           strings.TrimSpace(backendHelp),
		RunningVersion: Version,
		PathsSpecial: &logical.Paths{
			SealWrapStorage: []string{appStorage, watchedStorage},
		},
		Paths: framework.PathAppend(
			b.configPaths(),
			b.issuerPaths(),
			b.limitsPaths(),
			b.rolePaths(),
			b.tokenPaths(),
			b.checkPaths(),
			b.installationsPaths(),
			b.statusPaths(),
			b.metricsPaths(),
			b.infoPaths(),
		),
		Secrets:        []*framework.Secret{b.tokenSecret()},
		Invalidate:     b.invalidate,
		InitializeFunc: b.takeWatched,
		Clean:          b.clean,
	}
	return b
}

// Setup is called once, before any request.
func (b *backend) Setup(ctx context.Context, conf *logical.BackendConfig) error {
	mounted := *conf
	if conf.System != nil {
		mounted.System = rememberLocal(conf.System)
	}
	if err := b.Backend.Setup(ctx, &mounted); err != nil {
		return err
	}
	b.storage = conf.StorageView
	b.events = &notifier{sender: b.Backend, edition: b.vault, logger: b.Logger().Named("events")}
	b.custodian = githubapp.NewCustodian(b.Logger().Named("custodian"))
	return nil
}

// vault is the Vault that runs the plugin.
func (b *backend) vault(ctx context.Context) (*logical.PluginEnvironment, error) {
	return b.System().PluginEnv(ctx)
}

// localView remembers whether the mount is local, which never changes: the
// framework asks Vault before each token.
type localView struct {
	logical.SystemView
	local func() bool
}

func rememberLocal(view logical.SystemView) localView {
	return localView{view, sync.OnceValue(view.LocalMount)}
}

// LocalMount implements logical.SystemView.
func (v localView) LocalMount() bool { return v.local() }

// stopGrace is how long a stopping plugin waits for the tokens that nobody
// received; Vault gives it little more.
const stopGrace = 5 * time.Second

func (b *backend) clean(ctx context.Context) {
	if b.custodian == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	for _, other := range b.others() {
		other.leaveCopy(ctx)
	}
	b.leaveWatched(ctx)
	b.custodian.Close(ctx)
	b.events.close(ctx)
}

// invalidate drops what this node keeps of an entry that another node wrote.
func (b *backend) invalidate(_ context.Context, key string) {
	switch {
	case strings.HasPrefix(key, appStorage):
		b.apps.drop(strings.TrimPrefix(key, appStorage))
	case strings.HasPrefix(key, issuerStorage):
		b.issuers.drop(strings.TrimPrefix(key, issuerStorage))
	case key == limitsStorage:
		b.limits.drop(limitsStorage)
	case strings.HasPrefix(key, roleStorage):
		b.roles.drop(strings.TrimPrefix(key, roleStorage))
	}
}

// HandleRequest is the edge: it refuses parameters that the path does not know,
// turns errors into Vault's answers, and keeps a panic from killing the other
// mounts that share this process.
func (b *backend) HandleRequest(ctx context.Context, req *logical.Request) (resp *logical.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			b.Logger().Error("panic", "request_id", req.ID, "path", req.Path, "panic", p, "stack", string(debug.Stack()))
			resp, err = nil, logical.CodedError(http.StatusInternalServerError, "internal error; Vault's log has the details")
		}
	}()
	if err := b.checkParameters(req); err != nil {
		if role, ok := strings.CutPrefix(req.Path, tokenPrefix); ok {
			b.tellRefused(req, role, &issuance{}, err)
		}
		return toVault(err)
	}
	resp, err = b.Backend.HandleRequest(ctx, req)
	if err == nil {
		return resp, nil
	}
	resp, err = toVault(err)
	if req.Operation != logical.RenewOperation && req.Operation != logical.RevokeOperation {
		return resp, err
	}
	// Vault would show the caller of a lease's end the response's Go syntax.
	if resp.IsError() {
		err = logical.CodedError(http.StatusBadRequest, resp.Error().Error())
	}
	return nil, err
}

// HandleExistenceCheck looks at the path alone: the parameters are checked, and
// refused with a sentence, by HandleRequest.
func (b *backend) HandleExistenceCheck(ctx context.Context, req *logical.Request) (bool, bool, error) {
	bare := *req
	bare.Data = nil
	return b.Backend.HandleExistenceCheck(ctx, &bare)
}

// userAgent names this engine in GitHub's audit log.
func userAgent() string { return "vault-plugin-secrets-github/" + Version }
