package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
)

const gitCredentialLong = `Be git's credential helper: git calls it with get, store or erase.

It answers for the GitHub of --github-url and no other server. Where git is set to
tell the path (credential.useHttpPath), each token is for the one repository
that git works on; else it is for all that the role gives.

A token is used again while more than a fifth of its lease is left. Below
vault-github exec it is in that program's memory. Else it is in the directory
--cache, in files that only the job's user can read; in GitHub Actions that is
below RUNNER_TEMP, which the runner empties with the job. Without a directory
nothing is kept, and git gets a new token each time. erase, which git calls when
GitHub refuses a token, revokes it.`

const gitCredentialExamples = `  vault-github git-credential install --role api-read --local
  vault-github git-credential uninstall --local`

func newGitCredential(t *terminal, c *connection) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "git-credential get|store|erase",
		Short:   "Be git's credential helper",
		Long:    gitCredentialLong,
		Example: gitCredentialExamples,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("git gives one operation: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if socket := c.environment(socketVariable); socket != "" {
				return forwardToSocket(cmd.Context(), socket, args[0], t.in, t.out)
			}
			store, err := c.cachedTokens(cmd)
			if err != nil {
				return err
			}
			store.mask = func(token string) { c.mask(t, token) }
			server, err := c.githubURL()
			if err != nil {
				return err
			}
			return answerGit(cmd.Context(), server, store, args[0], t.in, t.out)
		},
	}
	flags := cmd.PersistentFlags()
	flags.String("role", "", "`ROLE` whose tokens git gets")
	flags.String("cache", "", "`DIRECTORY` to keep tokens in")
	describeVariable(flags.Lookup("role"))
	describeVariable(flags.Lookup("cache"))
	cmd.AddCommand(newInstall(t, c), newUninstall(t, c))
	return cmd
}

// cachedTokens is the store of a helper that no exec stands behind.
func (c *connection) cachedTokens(cmd *cobra.Command) (*cachedTokens, error) {
	config, err := c.config(cmd.Flags())
	if err != nil {
		return nil, err
	}
	role, err := roleFlag(cmd)
	if err != nil {
		return nil, err
	}
	files, err := c.openCache(cmd)
	if err != nil {
		return nil, err
	}
	return &cachedTokens{config: config, role: role, files: files}, nil
}

// roleFlag is the role of --role, which must be given.
func roleFlag(cmd *cobra.Command) (string, error) {
	role := cmd.Flag("role").Value.String()
	if role == "" {
		return "", usagef("whose tokens? give --role, or set %s", variables["role"])
	}
	return role, checkRoleName(role)
}

// openCache opens the directory that the job's tokens are kept in; nil if there
// is none.
func (c *connection) openCache(cmd *cobra.Command) (*cache, error) {
	dir := cmd.Flag("cache").Value.String()
	if dir == "" && c.environment("RUNNER_TEMP") != "" {
		dir = filepath.Join(c.environment("RUNNER_TEMP"), "vault-github")
	}
	if dir == "" {
		return nil, nil
	}
	files, err := openCache(dir)
	if err != nil {
		return nil, fmt.Errorf("the directory for tokens: %w", err)
	}
	return files, nil
}
