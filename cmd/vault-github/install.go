package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"strings"

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

// gitScope is which of git's configuration files is written.
type gitScope struct{ global, local bool }

func (s *gitScope) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&s.global, "global", false, "for every repository of this user")
	flags.BoolVar(&s.local, "local", false, "for the repository that this is called in")
}

// install sets the helpers of the server to an empty one, which makes git forget
// those of other files, and ours.
func (s gitScope) install(ctx context.Context, server *url.URL, helper string, perRepository bool) error {
	if err := s.uninstall(ctx, server); err != nil {
		return err
	}
	key := helperKey(server)
	settings := [][]string{{"--add", key, ""}, {"--add", key, helper}}
	if perRepository {
		settings = append(settings, []string{pathKey(server), "true"})
	}
	for _, setting := range settings {
		if err := s.git(ctx, setting...); err != nil {
			return err
		}
	}
	return nil
}

func pathKey(server *url.URL) string {
	return strings.TrimSuffix(helperKey(server), "helper") + "useHttpPath"
}

// ourHelper matches the helpers that install writes, and the empty one before.
const ourHelper = `^$|^!.*vault-github'? git-credential( |$)`

// uninstall removes our settings. Git's status 5 means that there were none.
func (s gitScope) uninstall(ctx context.Context, server *url.URL) error {
	installed, err := s.installed(ctx, server)
	if err != nil || !installed {
		return err
	}
	return errors.Join(
		s.git(ctx, "--unset-all", helperKey(server), ourHelper),
		s.git(ctx, "--unset-all", pathKey(server)),
	)
}

// installed reports whether a helper of ours is set.
func (s gitScope) installed(ctx context.Context, server *url.URL) (bool, error) {
	out, err := gitCommand(ctx, s.file(), "--get-all", helperKey(server))
	if isStatus(err, 1) {
		return false, nil
	}
	return regexp.MustCompile(`(?m)^!.*vault-github'? git-credential( |$)`).MatchString(out), err
}

func (s gitScope) file() string {
	if s.global {
		return "--global"
	}
	return "--local"
}

func (s gitScope) git(ctx context.Context, args ...string) error {
	_, err := gitCommand(ctx, append([]string{s.file()}, args...)...)
	if isStatus(err, 5) {
		return nil
	}
	return err
}

func gitCommand(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "git", append([]string{"config"}, args...)...) //#nosec G204 -- no shell
	var problem strings.Builder
	command.Stderr = &problem
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git config: %w %s", err, strings.TrimSpace(problem.String()))
	}
	return string(out), nil
}

func isStatus(err error, status int) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == status
}
