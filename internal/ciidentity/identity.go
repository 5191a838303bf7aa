// Package ciidentity finds the CI that a job runs in, and gets the job's OIDC ID
// token from it.
//
// An ID token is as good as the job itself for some minutes, so no error here
// repeats what a CI answered.
package ciidentity

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// DefaultVariable is where a job's ID token is expected in CIs that hand it over
// in a variable of the job's choosing, as GitLab's id_tokens and Jenkins'
// credential bindings do.
const DefaultVariable = "VAULT_ID_TOKEN"

// Environment looks up an environment variable, as os.Getenv does.
type Environment func(name string) string

// Options say where to look instead of finding the CI. At most one is set.
type Options struct {
	File     string // a file that holds the ID token
	Variable string // an environment variable that holds it
}

// Source is where a job's ID token comes from.
type Source struct {
	// Name is the CI's, or says what else it is, for people.
	Name string

	get func(ctx context.Context, audience string) (string, error)
}

// ErrNone means that the environment is of no CI that gives ID tokens.
var ErrNone = errors.New("no ID token to be had here: this is no CI that is known; " +
	"give --id-token-file or --id-token-env, or set VAULT_TOKEN")

// IDToken gets an ID token for an audience. CIs that hand over a token that was
// made beforehand ignore the audience: it was chosen in the job's definition.
func (s *Source) IDToken(ctx context.Context, audience string) (string, error) {
	token, err := s.get(ctx, audience)
	if err != nil {
		return "", fmt.Errorf("get the ID token of %s: %w", s.Name, err)
	}
	token = strings.TrimSpace(token)
	if !compactJWT.MatchString(token) {
		return "", fmt.Errorf("what %s gave is not an ID token: it is not a JWT (three parts with dots between)", s.Name)
	}
	return token, nil
}

// compactJWT is a signed JWT in compact form (RFC 7515, section 7.1).
var compactJWT = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)

// Find tells the CI by its environment. The error is [ErrNone] if there is none,
// and says what is missing if a CI is there that gives this job no ID token.
func Find(env Environment, o Options) (*Source, error) {
	switch {
	case o.File != "":
		return fromFile(o.File), nil
	case o.Variable != "":
		return fromVariable(env, o.Variable, "the environment")
	case env("GITHUB_ACTIONS") == "true":
		return fromActions(env)
	case env("BUILDKITE") == "true":
		return fromBuildkite(), nil
	case env("CIRCLECI") == "true":
		return fromCircleCI(env)
	case env("GITLAB_CI") == "true":
		return fromVariable(env, DefaultVariable, "GitLab CI")
	case env("JENKINS_URL") != "":
		return fromJenkins(env)
	case env(DefaultVariable) != "":
		return fromVariable(env, DefaultVariable, "the environment")
	}
	return nil, ErrNone
}

func fromFile(path string) *Source {
	return &Source{Name: "the file " + path, get: func(context.Context, string) (string, error) {
		content, err := os.ReadFile(path) //#nosec G304 -- the job names its own file
		return string(content), err
	}}
}

func fromVariable(env Environment, variable, ci string) (*Source, error) {
	value := env(variable)
	if value == "" {
		return nil, fmt.Errorf("%s: no ID token in %s; %s", ci, variable, howToDeclare(ci))
	}
	return given(ci+" ("+variable+")", value), nil
}

func howToDeclare(ci string) string {
	if ci == "GitLab CI" {
		return "declare it in the job's id_tokens, or name another variable with --id-token-env"
	}
	return "set it, or name another variable with --id-token-env"
}

func given(name, token string) *Source {
	return &Source{Name: name, get: func(context.Context, string) (string, error) { return token, nil }}
}

// fromBuildkite asks the agent for one.
//
// https://buildkite.com/docs/agent/v3/cli-oidc
func fromBuildkite() *Source {
	return &Source{Name: "Buildkite", get: func(ctx context.Context, audience string) (string, error) {
		out, err := exec.CommandContext(ctx, "buildkite-agent", "oidc", "request-token", "--audience", audience).Output() //#nosec G204 -- no shell
		if err != nil {
			return "", fmt.Errorf("buildkite-agent oidc request-token: %w", err)
		}
		return string(out), nil
	}}
}

// https://circleci.com/docs/openid-connect-tokens/
func fromCircleCI(env Environment) (*Source, error) {
	if token := env("CIRCLE_OIDC_TOKEN_V2"); token != "" {
		return given("CircleCI", token), nil
	}
	return nil, errors.New("CircleCI: no ID token in CIRCLE_OIDC_TOKEN_V2; let the job use at least one context")
}

// fromJenkins takes what the OpenID Connect Provider plugin's credential binding
// left: a variable, or a variable that names a file.
//
// https://plugins.jenkins.io/oidc-provider/
func fromJenkins(env Environment) (*Source, error) {
	if token := env(DefaultVariable); token != "" {
		return given("Jenkins", token), nil
	}
	if file := env(DefaultVariable + "_FILE"); file != "" {
		return fromFile(file), nil
	}
	return nil, errors.New("no ID token from Jenkins: none in " + DefaultVariable + ", and no file of one in " + DefaultVariable + "_FILE; bind the credential of the OpenID Connect Provider plugin to one of them")
}
