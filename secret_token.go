package githubsecrets

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
)

// tokenSecretType names the lease's kind in Vault's storage; it must not change.
const tokenSecretType = "github_token"

// tokenSecret is the lease of a token.
func (b *backend) tokenSecret() *framework.Secret {
	return &framework.Secret{
		Type:   tokenSecretType,
		Fields: tokenFields(),
		Renew:  b.toldRenewal,
		Revoke: b.revokeToken,
	}
}

// leaseRecord is what a lease needs to end its token, whatever becomes of the
// role and the App: Vault keeps it, encrypted, with the lease.
type leaseRecord struct {
	Token    string             `json:"token"`
	Role     string             `json:"role"`
	App      string             `json:"app"`
	EndsAt   time.Time          `json:"expires_at"` // by this machine's clock
	Endpoint githubapp.Endpoint `json:"endpoint"`
}

// leased puts the token under a lease that ends before GitHub ends the token, and
// under watch, should the lease never come to be.
func (b *backend) leased(i *issuance) *logical.Response {
	life := i.token.EndsAt.Sub(b.now()).Truncate(time.Second)
	// Vault would cut the lease to the mount's limit, and the answer would not say so.
	ttl := max(min(i.grant.TTL, life, b.mountMax.get(b.now(), b.System().MaxLeaseTTL)), time.Second)
	resp := b.Secret(tokenSecretType).Response(i.data(ttl), leaseRecord{
		Token: i.token.Value, Role: i.role.Name, App: i.app.Name,
		EndsAt: i.token.EndsAt, Endpoint: i.app.endpoint(),
	}.internal())
	resp.Secret.TTL = ttl
	resp.Secret.MaxTTL = max(min(i.grant.MaxTTL, life), time.Second)
	i.app.client.Watch(i.token, ttl)
	return resp
}

// internal is the record as Vault stores it. The framework adds to the map, so
// the record is one entry of it.
func (l leaseRecord) internal() map[string]any {
	encoded, err := json.Marshal(l)
	if err != nil {
		panic(err) // texts, a time and a number
	}
	return map[string]any{"lease": string(encoded)}
}

func recordOf(req *logical.Request) (leaseRecord, error) {
	var l leaseRecord
	if req.Secret == nil {
		return l, fmt.Errorf("the request names no lease")
	}
	encoded, _ := req.Secret.InternalData["lease"].(string)
	if err := json.Unmarshal([]byte(encoded), &l); err != nil || l.Token == "" {
		return l, fmt.Errorf("the lease does not hold a token of this engine")
	}
	return l, nil
}

func (b *backend) toldRenewal(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	l, err := recordOf(req)
	if err != nil {
		return nil, err
	}
	resp, err := b.renewToken(ctx, req, l)
	b.tellRenewed(l, resp, err)
	return resp, err
}

// renewToken lets a lease last longer: as long as the role and the App may be
// used, by the increment asked for, at most the role's ttl, from now, up to its
// max_ttl from issuance, and never past GitHub's end of the token.
func (b *backend) renewToken(ctx context.Context, req *logical.Request, l leaseRecord) (*logical.Response, error) {
	r, err := b.usableRole(ctx, req, l.Role)
	if err != nil {
		return nil, fmt.Errorf("the lease cannot be renewed: %w", err)
	}
	if err := b.stillUsable(ctx, req, r, l.App); err != nil {
		return nil, fmt.Errorf("the lease cannot be renewed: %w", err)
	}
	maxTTL, err := b.limitedMaxTTL(ctx, req, r)
	if err != nil {
		return nil, err
	}
	now := b.now()
	end := req.Secret.IssueTime.Add(maxTTL)
	if l.EndsAt.Before(end) {
		end = l.EndsAt
	}
	if !end.After(now.Add(time.Second)) {
		return nil, badRequestf("the lease cannot be renewed: it is at its end; read a new token")
	}
	ttl := r.leaseTTL(b.System().DefaultLeaseTTL)
	if asked := req.Secret.Increment; asked > 0 {
		ttl = min(ttl, asked)
	}
	resp := &logical.Response{Secret: req.Secret}
	resp.Secret.TTL = min(ttl, end.Sub(now)).Truncate(time.Second)
	// Vault grants the increment that the client asks for up to MaxTTL from
	// issuance; so MaxTTL ends where this renewal may.
	resp.Secret.MaxTTL = now.Add(resp.Secret.TTL).Sub(req.Secret.IssueTime).Truncate(time.Second)
	b.custodian.Release(githubapp.HashToken(l.Token))
	b.refreshCopy(ctx)
	return resp, nil
}

// stillUsable is the kill switches: a disabled or deleted App or issuer ends
// renewals as a disabled role does.
func (b *backend) stillUsable(ctx context.Context, req *logical.Request, r *role, app string) error {
	if _, err := b.usableApp(ctx, req, app); err != nil {
		return err
	}
	if !r.rules.Binds() {
		return nil
	}
	_, err := b.usableIssuer(ctx, req, r.Issuer)
	return err
}

// limitedMaxTTL is the role's max_ttl, at most the mount's.
func (b *backend) limitedMaxTTL(ctx context.Context, req *logical.Request, r *role) (time.Duration, error) {
	l, err := b.mountLimits(ctx, req.Storage)
	if err != nil {
		return 0, err
	}
	if l.MaxTTL != 0 {
		return min(l.MaxTTL, r.leaseMaxTTL()), nil
	}
	return r.leaseMaxTTL(), nil
}

// revokeToken deletes the token at GitHub. Vault calls it again after an error,
// so a token that is dead already, or must be by now, is done.
func (b *backend) revokeToken(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	l, err := recordOf(req)
	if err != nil {
		return nil, err
	}
	result := revokedResult
	if b.now().After(l.EndsAt.Add(clockLeeway)) {
		result = expiredResult
	} else if err := b.deleteToken(ctx, req, l); err != nil {
		b.tellNotRevoked(l, err)
		return nil, fmt.Errorf("role %q, App %q: %w", l.Role, l.App, err)
	}
	b.custodian.Release(githubapp.HashToken(l.Token))
	b.tellRevoked(l, result)
	return nil, nil
}

// clockLeeway is how far this machine's clock and GitHub's may be apart.
const clockLeeway = 5 * time.Minute

// deleteToken asks the GitHub that made the token. The App's connection is used
// while it leads there, so that a new proxy or CA takes effect; else the one
// that the lease remembers.
func (b *backend) deleteToken(ctx context.Context, req *logical.Request, l leaseRecord) error {
	age := b.now().Sub(req.Secret.IssueTime)
	a, err := b.configuredApp(ctx, req.Storage, l.App)
	if err != nil {
		b.Logger().Warn("revoking without the App's configuration", "app", l.App, "error", err)
	} else if a != nil && a.BaseURL == l.Endpoint.BaseURL {
		return a.client.Revoke(ctx, l.Token, age)
	}
	revoker, err := b.revokerAt(l.Endpoint)
	if err != nil {
		return err
	}
	return revoker.Revoke(ctx, l.Token, age)
}

// revokerAt is the Revoker for a GitHub that no App leads to any more. All leases
// of it share one: they may end by the thousand.
func (b *backend) revokerAt(endpoint githubapp.Endpoint) (*githubapp.Revoker, error) {
	return b.revokers.get(fmt.Sprint(endpoint), func() (*githubapp.Revoker, error) {
		return githubapp.NewRevoker(endpoint, userAgent(), b.metrics.observerOf(""))
	})
}
