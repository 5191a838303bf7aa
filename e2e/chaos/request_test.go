package chaos

import (
	"context"
	"errors"

	"github.com/hashicorp/vault/api"
)

// request is one of Vault's Go client, with that client's retries.
type request struct {
	path string
	// fields are written; nil is a read.
	fields map[string]any
	// noContent: success is an answer without content.
	noContent bool
	// ctx, if not nil, may end the request early.
	ctx context.Context
	// mayFail, if not nil, tells errors that are no wonder.
	mayFail func(error) bool
}

// tokenRequest asks for a token.
var tokenRequest = request{path: mount + "/token/" + role}

// errNoContent is what the Go client makes of a redirect that leads to another:
// a success without content.
var errNoContent = errors.New("an answer without content")

// within is the request, given up when ctx ends.
func (r request) within(ctx context.Context) request {
	r.ctx = ctx
	return r
}

func (r request) send(vault *api.Client) (secret *api.Secret, err error) {
	ctx := r.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	if r.fields == nil {
		secret, err = vault.Logical().ReadWithContext(ctx, r.path)
	} else {
		secret, err = vault.Logical().WriteWithContext(ctx, r.path, r.fields)
	}
	if err == nil && secret == nil && !r.noContent {
		return nil, errNoContent
	}
	return secret, err
}
