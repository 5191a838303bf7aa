package jobtoken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/vault/api"
)

// Request is the scope that a job asks for. What it leaves out is what the role
// gives.
type Request struct {
	Repositories  []string
	RepositoryIDs []int64
	Permissions   map[string]string
	TTL           time.Duration
}

// Fields are the parameters of the engine's paths token and check.
func (r Request) Fields() map[string]any {
	fields := map[string]any{}
	if len(r.Repositories) > 0 {
		fields["repositories"] = r.Repositories
	}
	if len(r.RepositoryIDs) > 0 {
		fields["repository_ids"] = r.RepositoryIDs
	}
	if len(r.Permissions) > 0 {
		fields["permissions"] = r.Permissions
	}
	if r.TTL > 0 {
		fields["ttl"] = int64(r.TTL.Seconds())
	}
	return fields
}

// Lease is a GitHub token under a lease of Vault's. It is safe for concurrent
// use.
type Lease struct {
	session *Session
	secret  *api.Secret
	token   string
	expires time.Time // GitHub's end of the token

	mu   sync.Mutex
	ends time.Time
}

// Mint gets a token of a role, in a session of its own. If it fails nothing is
// left at Vault or GitHub.
func (c Config) Mint(ctx context.Context, role string, asked Request) (*Lease, error) {
	session, err := c.Open(ctx)
	if err != nil {
		return nil, err
	}
	lease, err := session.mint(ctx, role, asked)
	if err != nil {
		return nil, errors.Join(err, session.abandon(ctx))
	}
	return lease, nil
}

// abandonTimeout is how long a revocation may take that nobody waits for.
const abandonTimeout = 10 * time.Second

// abandon is Close, also when the caller has given up.
func (s *Session) abandon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	return s.Close(ctx)
}

func (s *Session) mint(ctx context.Context, role string, asked Request) (*Lease, error) {
	client, err := clone(s.client)
	if err != nil {
		return nil, err
	}
	client.SetCheckRetry(retryMint)
	path := s.Path("token/" + role)
	begun := time.Now()
	secret, err := client.Logical().WriteWithContext(ctx, path, s.Present(asked.Fields()))
	if err != nil {
		return nil, mintError(err, path)
	}
	return s.lease(secret, begun)
}

// retryMint is Vault's own policy for retries but for what may have made a
// token: no second one is asked for when the first may be on its way. After an
// answer of Vault's with a status that it retries no token is left. A proxy may
// answer with the same status after Vault has acted, and a connection may break
// after it; of these only one that was never made is tried again.
func retryMint(ctx context.Context, resp *http.Response, err error) (bool, error) {
	fromVault := resp != nil && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json")
	if fromVault || errors.Is(err, syscall.ECONNREFUSED) {
		return api.DefaultRetryPolicy(ctx, resp, err)
	}
	return false, ctx.Err()
}

func mintError(err error, path string) error {
	var answered *api.ResponseError
	lost := !errors.As(err, &answered) || answered.RawError && answered.StatusCode >= 500
	err = asError(err, path)
	var failed *Error
	if lost && errors.As(err, &failed) {
		failed.Message += "; if a token was made it ends with its lease, and nobody has it"
	}
	return err
}

// tokenForm is what tokens are made of. Anything else could end a line of the
// files and protocols that they are written to.
var tokenForm = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func (s *Session) lease(secret *api.Secret, begun time.Time) (*Lease, error) {
	if secret == nil {
		return nil, errors.New("Vault answered without a token; is the engine mounted at " + s.config.Mount + "?")
	}
	token, _ := secret.Data["token"].(string)
	expires, _ := secret.Data["expires_at"].(string)
	at, err := time.Parse(time.RFC3339, expires)
	if !tokenForm.MatchString(token) || err != nil || secret.LeaseID == "" {
		return nil, errors.New("what Vault answered is no GitHub token under a lease; is the engine mounted at " + s.config.Mount + "?")
	}
	l := &Lease{session: s, secret: secret, token: token, expires: at}
	l.ends = begun.Add(time.Duration(secret.LeaseDuration) * time.Second)
	return l, nil
}

// Token is the GitHub token.
func (l *Lease) Token() string { return l.token }

// Scope is what the token is good for, in one line.
func (l *Lease) Scope() string {
	scope, _ := l.secret.Data["scope"].(string)
	return strings.Join(strings.Fields(scope), " ")
}

// Answer is everything that the engine said, and how long the lease lasts in
// seconds.
func (l *Lease) Answer() map[string]any {
	answer := map[string]any{
		"lease_id": l.secret.LeaseID, "lease_duration": json.Number(fmt.Sprint(l.secret.LeaseDuration)), "renewable": l.secret.Renewable,
	}
	for name, value := range l.secret.Data {
		answer[name] = value
	}
	return answer
}

// Ends is when the token ends unless the lease is renewed: with the lease, with
// the Vault token of the login, or with GitHub's hour, whichever is first.
func (l *Lease) Ends() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends := l.ends
	for _, other := range []time.Time{l.expires, l.session.ends} {
		if !other.IsZero() && other.Before(ends) {
			ends = other
		}
	}
	return ends
}

// CutShort is how much earlier the lease ends because of its Vault token; 0 if
// it does not.
func (l *Lease) CutShort() time.Duration {
	if l.session.ends.IsZero() {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, l.ends.Sub(l.session.ends).Truncate(time.Second))
}

// Save is what another process of the job needs to use the token, and to revoke
// it.
func (l *Lease) Save() Saved {
	saved := Saved{Token: l.token, Ends: l.Ends(), Lasts: time.Duration(l.secret.LeaseDuration) * time.Second, LeaseID: l.secret.LeaseID}
	if l.session.login != nil {
		saved.VaultToken = l.session.client.Token()
	}
	return saved
}

// Fresh is that of [Saved].
func (l *Lease) Fresh() bool { return l.Save().Fresh() }

// Revoke ends the lease, and the login that was made for it.
func (l *Lease) Revoke(ctx context.Context) error { return l.session.config.Revoke(ctx, l.Save()) }

// RevokeLease ends a lease, and returns once its token is dead. The lease's id
// is part of the path, so that a policy can allow those of one role.
func (s *Session) RevokeLease(ctx context.Context, id string) error {
	_, err := s.Write(ctx, "sys/leases/revoke/"+id, map[string]any{"sync": true})
	if err != nil {
		return fmt.Errorf("revoke the lease: %w", err)
	}
	return nil
}
