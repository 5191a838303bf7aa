// Command fake-oidc is a CI's OpenID Connect issuer, for demos and end-to-end
// tests: it signs whatever claims it is asked to. See internal/oidctest.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"vault-plugin-secrets-github/internal/oidctest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "fake-oidc:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	listen := flag.String("listen", "127.0.0.1:0", "`address` to listen on; port 0 takes a free one")
	info := flag.String("info", "", "`file` to write once the issuer listens: JSON with issuer, token_url, actions_token_url and pid")
	flag.Parse()

	issuer, err := oidctest.Start(*listen)
	if err != nil {
		return err
	}
	defer issuer.Close()
	fmt.Fprintln(os.Stderr, "fake-oidc: the issuer is", issuer.URL)
	if *info != "" {
		if err := writeInfo(*info, issuer); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// writeInfo writes the file at once, so that whoever waits for it never reads
// half of it.
func writeInfo(file string, issuer *oidctest.Issuer) error {
	content, err := json.MarshalIndent(map[string]any{
		"issuer":            issuer.URL,
		"token_url":         issuer.TokenURL(),
		"actions_token_url": issuer.ActionsTokenURL(),
		"pid":               os.Getpid(),
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the issuer's addresses: %w", err)
	}
	part := file + ".part"
	if err := os.WriteFile(part, append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the issuer's addresses: %w", err)
	}
	return os.Rename(part, file)
}
