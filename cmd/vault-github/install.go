package main

import (
	"net/url"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const installLong = `Make this program git's credential helper for the GitHub of --github-url.

It writes git's settings: the helper for the URL, with the flags given here, in
place of every other helper; and with --per-repository credential.useHttpPath,
with which each token is for one repository. To do it twice changes nothing.`

const uninstallLong = `Take back what install wrote, and nothing else.`

func newInstall(t *terminal, c *connection) *cobra.Command {
	var where gitScope
	var perRepository bool
	cmd := &cobra.Command{
		Use:   "install --role ROLE --global|--local",
		Short: "Set git to ask this program",
		Long:  installLong,
		Example: `  vault-github git-credential install --role api-read --local
  vault-github git-credential install --role api-read --per-repository --global`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, err := c.installable(cmd, where)
			if err != nil {
				return err
			}
			helper := helperCommand(append([]string{"git-credential"}, settledFlags(cmd.Flags())...)...)
			return where.install(cmd.Context(), server, helper, perRepository)
		},
	}
	where.addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&perRepository, "per-repository", false, "let git tell the path, so that each token is for one repository")
	return cmd
}

func newUninstall(t *terminal, c *connection) *cobra.Command {
	var where gitScope
	cmd := &cobra.Command{
		Use:     "uninstall --global|--local",
		Short:   "Take back what install wrote",
		Long:    uninstallLong,
		Example: "  vault-github git-credential uninstall --local",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			server, err := c.githubOf(cmd, where)
			if err != nil {
				return err
			}
			return where.uninstall(cmd.Context(), server)
		},
	}
	where.addFlags(cmd.Flags())
	return cmd
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%q is an argument too many: %s", args[0], cmd.UseLine())
	}
	return nil
}

// installable checks what install was told, because git calls the helper later,
// where nobody looks.
func (c *connection) installable(cmd *cobra.Command, where gitScope) (*url.URL, error) {
	server, err := c.githubOf(cmd, where)
	if err != nil {
		return nil, err
	}
	if err := c.checkFlags(); err != nil {
		return nil, err
	}
	_, err = roleFlag(cmd)
	return server, err
}

func (c *connection) githubOf(cmd *cobra.Command, where gitScope) (*url.URL, error) {
	if where.global == where.local {
		return nil, usagef("where? give --global or --local")
	}
	if err := c.fromEnvironment(cmd.Flags()); err != nil {
		return nil, err
	}
	return c.githubURL()
}

// settledFlags are what the helper is to be called with, so that it does not
// depend on the environment that git is called in: what is not the default, be
// it from a flag or a variable, and the server.
func settledFlags(flags *pflag.FlagSet) []string {
	var settled []string
	flags.VisitAll(func(flag *pflag.Flag) {
		_, ours := variables[flag.Name]
		if ours && (flag.Value.String() != flag.DefValue || flag.Name == "github-url") {
			settled = append(settled, "--"+flag.Name+"="+flag.Value.String())
		}
	})
	return settled
}
