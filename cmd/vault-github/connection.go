package main

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/url"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/cliconfig"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vault-plugin-secrets-github/internal/ciidentity"
	"vault-plugin-secrets-github/internal/jobtoken"
)

// connection is how to reach Vault and as whom. Each flag has an environment
// variable, which a flag given on the command line precedes.
type connection struct {
	environment ciidentity.Environment
	flags       *pflag.FlagSet

	mount, authPath, authRole, audience string
	idToken                             ciidentity.Options
	withhold                            bool
	github                              string
}

// variables are the environment variables of the flags.
var variables = map[string]string{
	"mount":         "VAULT_GITHUB_MOUNT",
	"auth-path":     "VAULT_GITHUB_AUTH_PATH",
	"auth-role":     "VAULT_GITHUB_AUTH_ROLE",
	"audience":      "VAULT_GITHUB_AUDIENCE",
	"id-token-file": "VAULT_GITHUB_ID_TOKEN_FILE",
	"id-token-env":  "VAULT_GITHUB_ID_TOKEN_ENV",
	"no-id-token":   "VAULT_GITHUB_NO_ID_TOKEN",
	"github-url":    "VAULT_GITHUB_URL",
	"role":          "VAULT_GITHUB_ROLE",
	"cache":         "VAULT_GITHUB_CACHE",
}

func (c *connection) addFlags(flags *pflag.FlagSet) {
	c.flags = flags
	github := cmp.Or(c.environment("GITHUB_SERVER_URL"), "https://github.com")
	flags.StringVar(&c.mount, "mount", "github", "`PATH` that the engine is mounted at")
	flags.StringVar(&c.authPath, "auth-path", "jwt", "`PATH` below auth/ that the JWT auth method is mounted at")
	flags.StringVar(&c.authRole, "auth-role", "", "JWT `ROLE` to log in as, not the auth method's default_role")
	flags.StringVar(&c.audience, "audience", "vault", "`AUDIENCE` of the ID token, where the CI lets the job choose")
	flags.StringVar(&c.idToken.File, "id-token-file", "", "`FILE` that holds the job's ID token")
	flags.StringVar(&c.idToken.Variable, "id-token-env", "", "environment `VARIABLE` that holds the job's ID token")
	flags.BoolVar(&c.withhold, "no-id-token", false, "do not present the ID token to the engine, only log in with it")
	flags.StringVar(&c.github, "github-url", github, "`URL` of the GitHub that tokens are for")
	for name := range variables {
		if flag := flags.Lookup(name); flag != nil {
			describeVariable(flag)
		}
	}
}

func describeVariable(flag *pflag.Flag) { flag.Usage += " [" + variables[flag.Name] + "]" }

// fromEnvironment gives flags that were not given what their variables say.
func (c *connection) fromEnvironment(flags *pflag.FlagSet) error {
	var refused error
	flags.VisitAll(func(flag *pflag.Flag) {
		value := c.environment(variables[flag.Name])
		if variables[flag.Name] == "" || flag.Changed || value == "" {
			return
		}
		if err := flags.Set(flag.Name, value); err != nil && refused == nil {
			refused = usagef("%s: %q is no value for --%s", variables[flag.Name], value, flag.Name)
		}
		flag.Changed = false
	})
	return refused
}

// config is who asks, once the flags are known.
func (c *connection) config(flags *pflag.FlagSet) (jobtoken.Config, error) {
	if err := c.fromEnvironment(flags); err != nil {
		return jobtoken.Config{}, err
	}
	if err := c.checkFlags(); err != nil {
		return jobtoken.Config{}, err
	}
	client, err := vaultClient()
	if err != nil {
		return jobtoken.Config{}, err
	}
	if client.Token() != "" && c.flags.Changed("auth-role") {
		return jobtoken.Config{}, usagef("VAULT_TOKEN is set, and --auth-role asks for a login: unset one of them")
	}
	config := jobtoken.Config{
		Vault: client, Mount: c.mount, AuthPath: c.authPath, AuthRole: c.authRole, Withhold: c.withhold,
	}
	return config, c.identify(&config)
}

func (c *connection) checkFlags() error {
	switch {
	case c.idToken.File != "" && c.idToken.Variable != "":
		return usagef("--id-token-file and --id-token-env both say where the ID token is: give one")
	case c.mount == "":
		return usagef("--mount is empty: give the path of the engine's mount, or leave it out for github")
	case c.authPath == "":
		return usagef("--auth-path is empty: give the path of the JWT auth mount, or leave it out for jwt")
	case c.audience == "":
		return usagef("--audience is empty: give the audience that Vault's JWT role is bound to")
	}
	return nil
}

// identify finds the job's ID token. Without one, the Vault token does: of the
// environment, or of a person who has logged in with the vault command.
func (c *connection) identify(config *jobtoken.Config) error {
	source, err := ciidentity.Find(c.environment, c.idToken)
	if err == nil {
		config.IDToken = func(ctx context.Context) (string, error) {
			token, err := source.IDToken(ctx, c.audience)
			if err != nil {
				return "", &exitError{statusUnavailable, err}
			}
			return token, nil
		}
		return nil
	}
	if config.Vault.Token() == "" && errors.Is(err, ciidentity.ErrNone) {
		config.Vault.SetToken(personsToken())
	}
	if config.Vault.Token() != "" {
		return nil
	}
	return &exitError{statusUnavailable, err}
}

// vaultClient is Vault's client as Vault's environment variables configure it.
func vaultClient() (*api.Client, error) {
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, usagef("Vault's environment variables: %w", config.Error)
	}
	client, err := api.NewClient(config)
	if err != nil {
		return nil, usagef("Vault's environment variables: %w", err)
	}
	return client, nil
}

// personsToken is what vault login has left, if anything.
func personsToken() string {
	helper, err := cliconfig.DefaultTokenHelper()
	if err != nil {
		return ""
	}
	token, err := helper.Get()
	if err != nil {
		return ""
	}
	return token
}

// githubURL is the GitHub that tokens are for. They are sent there, so it is
// https, but for a server on this machine.
func (c *connection) githubURL() (*url.URL, error) {
	u, err := url.Parse(c.github)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, usagef("--github-url: %q is not the URL of a GitHub, as in https://github.com", c.github)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && (ip == nil || !ip.IsLoopback()) {
		return nil, usagef("--github-url: %s would have tokens sent in the clear; give its https URL", c.github)
	}
	return u, nil
}

// withSession does something with a session, and ends its login after.
func (c *connection) withSession(cmd *cobra.Command, do func(*jobtoken.Session) error) error {
	config, err := c.config(cmd.Flags())
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	session, err := config.Open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(session), session.Close(context.WithoutCancel(ctx)))
}
