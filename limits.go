package githubsecrets

import (
	"context"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/policy"
)

// limitsStorage is the one entry of the mount's limits.
const limitsStorage = "limits"

// limits are what no role of the mount may exceed. They hold when a role is
// written and again when a token is issued. The zero value limits nothing.
type limits struct {
	Permissions        map[string]string `json:"permissions,omitempty"`
	Organizations      []string          `json:"organizations,omitempty"`
	DeniedRepositories []string          `json:"denied_repositories,omitempty"`
	MaxTTL             time.Duration     `json:"max_ttl,omitempty"`
	RequireIDToken     bool              `json:"require_id_token,omitempty"`

	// compiled is the limits, checked.
	compiled policy.Limits
}

// validate checks every field.
func (l *limits) validate() error {
	permissions, err := normalPermissions(l.Permissions)
	if err != nil {
		return err
	}
	if len(permissions) == 0 {
		permissions = nil // no limit
	}
	l.compiled = policy.Limits{
		Permissions: permissions, Organizations: l.Organizations,
		DeniedRepositories: l.DeniedRepositories, MaxTTL: l.MaxTTL, RequireIDToken: l.RequireIDToken,
	}
	if err := l.compiled.Validate(); err != nil {
		return badRequestf("%s", err)
	}
	return nil
}

// checkRole refuses a role that could never stay within the limits.
func (l *limits) checkRole(r *role) error {
	if problems := l.compiled.CheckRole(r.rules); len(problems) > 0 {
		return badRequestf("the mount's limits refuse the role: %s", problems[0])
	}
	return nil
}

// loadLimits reads the limits from storage; those that limit nothing if there
// are none.
func loadLimits(ctx context.Context, storage logical.Storage) (*limits, error) {
	l := &limits{}
	if _, err := load(ctx, storage, limitsStorage, l); err != nil {
		return nil, err
	}
	return l, l.validate()
}

// mountLimits are the limits in force.
func (b *backend) mountLimits(ctx context.Context, storage logical.Storage) (*limits, error) {
	return b.limits.get(limitsStorage, func() (*limits, error) { return loadLimits(ctx, storage) })
}
