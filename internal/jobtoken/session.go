package jobtoken

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// Config says how a job speaks to the engine.
type Config struct {
	// Vault is the client, with a Vault token or without one. With one it is
	// used as it is, and never revoked: it is somebody else's.
	Vault *api.Client
	// Mount is where the engine is mounted.
	Mount string
	// AuthPath and AuthRole are the JWT auth mount and the role to log in with;
	// an empty role is the mount's default_role.
	AuthPath, AuthRole string
	// IDToken gets the job's ID token; nil if there is none. It is asked for
	// each session anew, because ID tokens live for minutes.
	IDToken func(context.Context) (string, error)
	// Withhold logs in with the ID token, but does not present it to the engine.
	Withhold bool
}

// Session is a Vault token, and the job's ID token with which it was got.
type Session struct {
	config  Config
	client  *api.Client
	idToken string
	// login is the answer of the login; nil if the Vault token was there before.
	login *api.Secret
	// ends is when the Vault token of the login expires.
	ends time.Time
}

// Open begins a session: it logs in unless the client has a Vault token.
func (c Config) Open(ctx context.Context) (*Session, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	s := &Session{config: c, client: client}
	if needed := client.Token() == "" || !c.Withhold; needed && c.IDToken != nil {
		if s.idToken, err = c.IDToken(ctx); err != nil {
			return nil, err
		}
	}
	if client.Token() != "" {
		return s, nil
	}
	return s, s.logIn(ctx)
}

// client is a copy of Vault's client, for a session to have its own token.
func (c Config) client() (*api.Client, error) { return clone(c.Vault) }

func clone(client *api.Client) (*api.Client, error) {
	copied, err := client.Clone()
	if err != nil {
		return nil, fmt.Errorf("copy Vault's client: %w", err)
	}
	copied.SetToken(client.Token())
	copied.SetNamespace(client.Namespace())
	return copied, nil
}

func (s *Session) logIn(ctx context.Context) error {
	path := "auth/" + s.config.AuthPath + "/login"
	begun := time.Now()
	secret, err := s.Write(ctx, path, map[string]any{"role": s.config.AuthRole, "jwt": s.idToken})
	if err != nil {
		return fmt.Errorf("log in at %s%s: %w", path, asRole(s.config.AuthRole), err)
	}
	if secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "" {
		return fmt.Errorf("log in at %s: Vault gave no token", path)
	}
	s.login = secret
	s.client.SetToken(secret.Auth.ClientToken)
	s.ends = begun.Add(time.Duration(secret.Auth.LeaseDuration) * time.Second)
	return nil
}

func asRole(role string) string {
	if role == "" {
		return " as its default role"
	}
	return " as " + role
}

// IDToken is the job's ID token; empty if there is none.
func (s *Session) IDToken() string { return s.idToken }

// LoggedIn reports whether the Vault token is of this session's own login.
func (s *Session) LoggedIn() bool { return s.login != nil }

// Path is a path below the engine's mount.
func (s *Session) Path(below string) string { return strings.Trim(s.config.Mount, "/") + "/" + below }

// Write writes to a path of Vault's. It is tried again as Vault's client does,
// so it is not for minting.
func (s *Session) Write(ctx context.Context, path string, fields map[string]any) (*api.Secret, error) {
	secret, err := s.client.Logical().WriteWithContext(ctx, path, fields)
	return secret, asError(err, path)
}

// Read reads a path of Vault's; the secret is nil if there is nothing.
func (s *Session) Read(ctx context.Context, path string) (*api.Secret, error) {
	secret, err := s.client.Logical().ReadWithContext(ctx, path)
	return secret, asError(err, path)
}

// List lists the names below a path of Vault's.
func (s *Session) List(ctx context.Context, path string) ([]string, error) {
	secret, err := s.client.Logical().ListWithContext(ctx, path)
	if err != nil || secret == nil {
		return nil, asError(err, path)
	}
	keys, _ := secret.Data["keys"].([]any)
	names := make([]string, 0, len(keys))
	for _, key := range keys {
		name, ok := key.(string)
		if !ok {
			return nil, errors.New("the list of " + path + " holds what is no name")
		}
		names = append(names, name)
	}
	return names, nil
}

// Present adds the ID token to the fields of a request to the engine, if there
// is one to show.
func (s *Session) Present(fields map[string]any) map[string]any {
	if s.idToken != "" && !s.config.Withhold {
		fields["id_token"] = s.idToken
	}
	return fields
}

// Close revokes the Vault token of the login, and with it every lease that it
// made. A Vault token that was there before stays, and a batch token, which
// nobody can revoke, ends by its TTL.
func (s *Session) Close(ctx context.Context) error {
	if s.login == nil || isBatch(s.client.Token()) {
		return nil
	}
	return s.revokeSelf(ctx)
}

func (s *Session) revokeSelf(ctx context.Context) error {
	if err := s.client.Auth().Token().RevokeSelfWithContext(ctx, ""); err != nil {
		return fmt.Errorf("revoke the job's Vault token: %w", asError(err, "auth/token/revoke-self"))
	}
	return nil
}

// isBatch tells a batch token by its prefix, which Vault changed in 1.10.
//
// https://developer.hashicorp.com/vault/docs/concepts/tokens#token-prefixes
func isBatch(vaultToken string) bool {
	return strings.HasPrefix(vaultToken, "hvb.") || strings.HasPrefix(vaultToken, "b.")
}
