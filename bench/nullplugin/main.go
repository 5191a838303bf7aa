// Command nullplugin is a Vault secrets engine that returns a leased secret at
// once and does nothing else: the floor that Vault itself sets. At token/50ms it
// waits that long first, as for a GitHub.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "nullplugin:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	meta := &api.PluginAPIClientMeta{}
	if err := meta.FlagSet().Parse(args); err != nil {
		return fmt.Errorf("read the flags that Vault gives a plugin: %w", err)
	}
	return plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: factory,
		TLSProviderFunc:    api.VaultPluginTLSProvider(meta.GetTLSConfig()),
		Logger:             hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: os.Stderr, JSONFormat: true}),
	})
}

const secretType = "null"

// secret is as long as one of GitHub's tokens.
var secret = "null_" + strings.Repeat("0", 515)

func factory(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
	b := &framework.Backend{
		BackendType: logical.TypeLogical,
		Paths: []*framework.Path{{
			Pattern: "token/(?P<name>[^/]+)$",
			Fields:  map[string]*framework.FieldSchema{"name": {Type: framework.TypeString}},
		}},
		Secrets: []*framework.Secret{{
			Type: secretType,
			Revoke: func(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
				return nil, nil
			},
		}},
	}
	b.Paths[0].Operations = map[logical.Operation]framework.OperationHandler{
		logical.ReadOperation: &framework.PathOperation{
			Callback: func(ctx context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
				if wait, err := time.ParseDuration(d.Get("name").(string)); err == nil {
					select {
					case <-time.After(wait):
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}
				return b.Secret(secretType).Response(map[string]any{"token": secret}, map[string]any{"token": secret}), nil
			},
		},
	}
	return b, b.Setup(ctx, conf)
}
