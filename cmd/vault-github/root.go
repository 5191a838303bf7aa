package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"
)

// terminal is what a command reads and writes. What is meant for programs goes
// to out; what is meant for people, and every failure, to err.
type terminal struct{ in, out, err *os.File }

const longHelp = `Get short-lived GitHub tokens from Vault's github secrets engine.

It finds the CI that it runs in, gets the job's ID token from it, and logs in to
Vault with it, unless VAULT_TOKEN is set. Vault's own environment variables
(VAULT_ADDR, VAULT_NAMESPACE, VAULT_CACERT, ...) say where Vault is.`

// run is the command line; it returns the exit status.
func run(ctx context.Context, t *terminal, args []string) int {
	if len(args) == 1 && args[0] == "-version" { // as Vault's plugins and Go's tools have it
		args = []string{"--version"}
	}
	root := newRoot(t)
	root.SetArgs(args)
	return report(t, root.ExecuteContext(ctx))
}

func newRoot(t *terminal) *cobra.Command {
	root := &cobra.Command{
		Use:           "vault-github",
		Short:         "GitHub tokens from Vault, for CI jobs",
		Long:          longHelp,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetIn(t.in)
	root.SetOut(t.out)
	root.SetErr(t.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%s; %s --help shows what there is", err, cmd.CommandPath())
	})
	c := &connection{environment: os.Getenv}
	c.addFlags(root.PersistentFlags())
	root.AddGroup(&cobra.Group{ID: "job", Title: "For the job:"}, &cobra.Group{ID: "admin", Title: "To see why not, and to set up:"},
		&cobra.Group{ID: "audit", Title: "For the auditor:"})
	addTo(root, "job", newToken(t, c), newExec(t, c), newGitCredential(t, c), newRevoke(t, c))
	addTo(root, "audit", newAudit(t, c))
	addTo(root, "admin", newCheck(t, c), newDoctor(t, c), newSetup(t, c), newImport(t, c))
	return root
}

func addTo(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, command := range commands {
		command.GroupID = group
		root.AddCommand(command)
	}
}

// noCommand refuses what is no command.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%q is no command of %s; --help shows those there are", args[0], cmd.CommandPath())
	}
	return nil
}

// oneRole wants the name of a role as the only argument.
func oneRole(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 || args[0] == "":
		return usagef("which role? %s", cmd.UseLine())
	case len(args) > 1:
		return usagef("%q is one argument too many: give one role; flags begin with --", args[1])
	}
	return checkRoleName(args[0])
}
