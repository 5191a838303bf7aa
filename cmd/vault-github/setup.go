package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vault-plugin-secrets-github/internal/jobtoken"
)

const setupLong = `Tune the engine's mount, and write a policy for each kind of person who uses it.

The mount is tuned so that the audit log tells in plaintext who got which token
(never the token, nor an ID token), that jobs can present their ID token with a
read, and that clients hear how long to wait. What is tuned already is kept. The
policies are MOUNT-job (MOUNT-job-ROLE for each of --roles), MOUNT-admin and
MOUNT-auditor; only the first reaches tokens.

Without --apply nothing is changed: the vault commands are printed that make the
difference, as a script for sh. What cannot be told to be safe stands in it as a
comment: to change a policy that is there and says something else (--overwrite),
and to replace a list that could not be read.

The exit status is 1 if a policy is there that says something else.`

const setupExamples = `  vault-github setup
  vault-github setup | sh
  vault-github setup --apply --roles api-read,self
  vault-github setup --format hcl
  vault-github setup --format json --default-lease-ttl 15m --max-lease-ttl 1h`

var setupFormats = []string{"commands", "table", "json", "hcl"}

// setup brings a mount's tuning and the policies for it to what they should be.
type setup struct {
	t *terminal
	c *connection

	roles              []string
	defaultTTL, maxTTL time.Duration
	applies, overwrite bool
	format             formatFlag
	session            *jobtoken.Session
}

func newSetup(t *terminal, c *connection) *cobra.Command {
	s := &setup{t: t, c: c, format: formatFlag{value: "commands", allowed: setupFormats}}
	cmd := &cobra.Command{
		Use:     "setup",
		Short:   "Tune the engine's mount, and write policies for it",
		Long:    setupLong,
		Example: setupExamples,
		Args:    noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.checkFlags(cmd); err != nil {
				return err
			}
			return s.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&s.roles, "roles", nil, "a job's policy for each of these `ROLES`, not one for all roles")
	flags.DurationVar(&s.defaultTTL, "default-lease-ttl", 0, "tune the mount's default lease `TTL`, too, e.g. 15m")
	flags.DurationVar(&s.maxTTL, "max-lease-ttl", 0, "tune the mount's longest lease `TTL`, too, e.g. 1h")
	flags.BoolVar(&s.applies, "apply", false, "do it")
	flags.BoolVar(&s.overwrite, "overwrite", false, "change policies that are there and say something else")
	flags.Var(&s.format, "format", "`FORMAT`: one of "+strings.Join(setupFormats, ", ")+" (table with --apply)")
	return cmd
}

// mountForm matches paths that mean themselves in a policy and in a shell.
var mountForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$`)

func (s *setup) checkFlags(cmd *cobra.Command) error {
	if err := s.c.fromEnvironment(cmd.Flags()); err != nil {
		return err
	}
	s.c.mount = strings.Trim(s.c.mount, "/")
	if !mountForm.MatchString(s.c.mount) {
		return usagef("--mount: %q is not a path that policies can be written for: letters, digits, '_', '-', dots, and slashes between", s.c.mount)
	}
	for _, ttl := range []time.Duration{s.defaultTTL, s.maxTTL} {
		if ttl < 0 || ttl%time.Second != 0 {
			return usagef("%s is no time to live: give whole seconds, as in 15m", ttl)
		}
	}
	if s.applies && !cmd.Flags().Changed("format") {
		s.format.value = "table"
	}
	if cmd.Flags().Changed("roles") && len(s.roles) == 0 {
		return usagef("--roles is empty: name roles, or leave it out for a policy for all")
	}
	return s.checkRoles()
}

func (s *setup) checkRoles() error {
	names := map[string]string{}
	for _, role := range s.roles {
		if err := checkRoleName(role); err != nil {
			return err
		}
		name := strings.ToLower(role)
		if other, taken := names[name]; taken {
			return usagef("the roles %s and %s would have one policy, because Vault writes the names of policies in lower case: name one of them", other, role)
		}
		names[name] = role
	}
	return nil
}

func (s *setup) run(cmd *cobra.Command) error {
	policies := policiesFor(s.c.mount, s.roles)
	if s.format.value == "hcl" && !s.applies {
		return writeHCL(s.t.out, policies)
	}
	err := s.c.withSession(cmd, func(session *jobtoken.Session) error {
		s.session = session
		p, err := s.ask(cmd.Context(), policies)
		if err != nil {
			return err
		}
		return s.finish(cmd.Context(), p)
	})
	if s.session != nil || s.applies || statusOf(err) == statusUsage {
		return err
	}
	return s.show(s.unasked(policies, err))
}

// finish prints the plan, and carries it out if it is to be.
func (s *setup) finish(ctx context.Context, p plan) error {
	if err := p.unknown(); s.applies && err != nil {
		return err
	}
	if err := s.show(p); err != nil {
		return err
	}
	if conflicts := p.conflicts(); len(conflicts) > 0 {
		return &exitError{statusFailed, fmt.Errorf("the policies %s are there and say something else: nothing was written; --overwrite replaces them", strings.Join(conflicts, ", "))}
	}
	if !s.applies {
		return nil
	}
	return s.apply(ctx, p)
}
