// Command vault-plugin-secrets-github serves the GitHub secrets engine to Vault.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/plugin"

	githubsecrets "vault-plugin-secrets-github"
)

// stopGrace is how long a process that was asked to stop takes back tokens:
// go-plugin kills it after two seconds.
const stopGrace = 1500 * time.Millisecond

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "vault-plugin-secrets-github:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "-version" {
		fmt.Println(githubsecrets.Version)
		return nil
	}
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: os.Stderr, JSONFormat: true})

	meta := &api.PluginAPIClientMeta{}
	if err := meta.FlagSet().Parse(args); err != nil {
		return fmt.Errorf("read the flags that Vault gives a plugin: %w", err)
	}
	collectSeldom()
	engines := new(githubsecrets.Engines)
	outliveVault(engines)
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
		defer cancel()
		engines.Stop(ctx)
	}()
	return plugin.ServeMultiplex(&plugin.ServeOpts{
		BackendFactoryFunc: engines.Factory,
		// For Vaults older than 1.12; newer ones use go-plugin's AutoMTLS.
		TLSProviderFunc: api.VaultPluginTLSProvider(meta.GetTLSConfig()),
		Logger:          logger,
	})
}
