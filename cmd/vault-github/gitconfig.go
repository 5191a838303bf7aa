package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
)

// helperKey is git's setting for the credential helper of a server.
func helperKey(server *url.URL) string {
	return "credential." + server.Scheme + "://" + server.Host + ".helper"
}

// helperCommand is a call of this program as git's setting wants it: git gives
// what follows a "!" to a shell.
func helperCommand(args ...string) string {
	program, err := os.Executable()
	if err != nil {
		program = "vault-github"
	}
	words := []string{"!" + shellQuote(program)}
	for _, arg := range args {
		words = append(words, shellQuote(arg))
	}
	return strings.Join(words, " ")
}

func shellQuote(word string) string {
	if word != "" && !strings.ContainsFunc(word, needsQuote) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func needsQuote(r rune) bool {
	plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@,", r)
	return !plain
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

// ourHelper matches the helpers that install writes, for git and for Go.
const ourHelper = `^!.*vault-github'? git-credential( |$)`

// uninstall removes our settings. Git's status 5 means that there were none.
func (s gitScope) uninstall(ctx context.Context, server *url.URL) error {
	installed, err := s.installed(ctx, server)
	if err != nil || !installed {
		return err
	}
	return errors.Join( // the empty helper is ours, too
		s.git(ctx, "--unset-all", helperKey(server), "^$|"+ourHelper),
		s.git(ctx, "--unset-all", pathKey(server)),
	)
}

// installed reports whether a helper of ours is set.
func (s gitScope) installed(ctx context.Context, server *url.URL) (bool, error) {
	out, err := gitCommand(ctx, s.file(), "--get-all", helperKey(server))
	if isStatus(err, 1) {
		return false, nil
	}
	return regexp.MustCompile("(?m)" + ourHelper).MatchString(out), err
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
