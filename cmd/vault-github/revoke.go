package main

import (
	"github.com/spf13/cobra"

	"vault-plugin-secrets-github/internal/jobtoken"
)

const revokeLong = `Revoke the tokens that the job's credential helper keeps, or the lease with an id.

The kept ones need no permission: each is revoked with the Vault token that was
made for it. A lease by its id needs a Vault policy that allows
sys/leases/revoke/LEASE-ID; for those of one role:

  path "sys/leases/revoke/github/token/ROLE/*" { capabilities = ["update"] }`

const revokeExamples = `  vault-github revoke
  vault-github revoke "$LEASE_ID"`

func newRevoke(t *terminal, c *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "revoke [LEASE-ID]",
		Short:   "Revoke tokens before their time",
		Long:    revokeLong,
		Example: revokeExamples,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && args[0] == "" {
				return usagef("give one lease id, or none for what the credential helper keeps")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.revokeKept(cmd)
			}
			return c.revokeLease(cmd, args[0])
		},
	}
	cmd.Flags().String("cache", "", "`DIRECTORY` that the tokens are kept in")
	describeVariable(cmd.Flags().Lookup("cache"))
	return cmd
}

// revokeKept needs no identity: each Vault token revokes itself.
func (c *connection) revokeKept(cmd *cobra.Command) error {
	if err := c.fromEnvironment(cmd.Flags()); err != nil {
		return err
	}
	files, err := c.openCache(cmd)
	if err != nil {
		return err
	}
	if files == nil {
		return usagef("where are they kept? give --cache, or set %s", variables["cache"])
	}
	client, err := vaultClient()
	if err != nil {
		return err
	}
	all := func(jobtoken.Saved) bool { return true }
	return files.revoke(cmd.Context(), jobtoken.Config{Vault: client, Mount: c.mount}, all)
}

func (c *connection) revokeLease(cmd *cobra.Command, id string) error {
	return c.withSession(cmd, func(s *jobtoken.Session) error { return s.RevokeLease(cmd.Context(), id) })
}
