package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vault-plugin-secrets-github/internal/jobtoken"
)

const tokenLong = `Get a token of a role and print it.

The token stays good when the command has ended: until its lease ends, or the
Vault token of the login, whichever is first (nobody holds that Vault token any
more, so nothing renews either). To have it revoked with the work that needs it,
use exec.

In GitHub Actions the token is masked in the log before it is printed.`

const tokenExamples = `  vault-github token api-read
  vault-github token api-read --repo api --permission contents=read --ttl 5m
  vault-github token api-read --format json
  GITHUB_TOKEN=$(vault-github token api-read) && export GITHUB_TOKEN
  vault-github token api-read --format env >> "$GITHUB_ENV"
  vault-github token api-read --format github-output >> "$GITHUB_OUTPUT"
  (umask 077 && vault-github token api-read --format netrc > "$RUNNER_TEMP/netrc")`

func newToken(t *terminal, c *connection) *cobra.Command {
	var s scope
	format := formatFlag{value: "text", allowed: tokenFormats}
	cmd := &cobra.Command{
		Use:     "token ROLE",
		Short:   "Print a token",
		Long:    tokenLong,
		Example: tokenExamples,
		Args:    oneRole,
		RunE: func(cmd *cobra.Command, args []string) error {
			asked, err := s.request(cmd.Flags())
			if err != nil {
				return err
			}
			config, err := c.config(cmd.Flags())
			if err != nil {
				return err
			}
			host, err := c.githubURL()
			if err != nil {
				return err
			}
			lease, err := config.Mint(cmd.Context(), args[0], asked)
			if err != nil {
				return err
			}
			c.mask(t, lease.Token())
			warnIfCutShort(t, lease)
			return writeToken(t.out, format.value, host.Host, lease)
		},
	}
	s.addFlags(cmd.Flags())
	cmd.Flags().Var(&format, "format", "`FORMAT`: one of "+strings.Join(tokenFormats, ", "))
	return cmd
}

// mask keeps the token out of the log of GitHub Actions. The runner reads its
// commands on standard error, too, and there a $(...) does not swallow them.
func (c *connection) mask(t *terminal, token string) {
	if c.environment("GITHUB_ACTIONS") == "true" {
		fmt.Fprintf(t.err, "::add-mask::%s\n", token)
	}
}

func warnIfCutShort(t *terminal, lease *jobtoken.Lease) {
	if short := lease.CutShort(); short > time.Second {
		fmt.Fprintf(t.err, "vault-github: the token ends %s before its lease would, with the Vault token of the login; raise token_ttl of the JWT role\n", short)
	}
}
