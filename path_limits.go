package githubsecrets

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

const (
	limitsHelp = `Set what no role of this mount may exceed.`

	limitsDescription = `
Limits hold for every role, when it is written and again when a token is issued:
the most that permissions may be, the organizations, repositories that no token
is ever good for, the longest TTL, and whether every job must present its ID
token. A delete removes them all.
`
)

func (b *backend) limitsPaths() []*framework.Path {
	return []*framework.Path{{
		Pattern:         "limits$",
		DisplayAttrs:    displayAttrs("limits"),
		Fields:          limitsFields(),
		Operations:      handlers{b.writeLimits, b.readLimits, b.deleteLimits}.operations("the mount's limits", limitsFields()),
		ExistenceCheck:  b.limitsExist,
		HelpSynopsis:    limitsHelp,
		HelpDescription: strings.TrimSpace(limitsDescription),
	}}
}

// limitsFields are what a write takes and a read answers.
func limitsFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"permissions":         {Type: framework.TypeKVPairs, Description: "The highest level of each permission that a role may grant; one that is not named may not be granted. Unset: no limit."},
		"organizations":       {Type: framework.TypeCommaStringSlice, Description: "Accounts that roles may be for. Unset: no limit."},
		"denied_repositories": {Type: framework.TypeCommaStringSlice, Description: "Repositories that no token is ever good for, as OWNER/NAME or by id."},
		"max_ttl":             {Type: framework.TypeDurationSecond, Description: "Longest ttl and max_ttl, in whole seconds. 0: no limit but GitHub's hour."},
		"require_id_token":    {Type: framework.TypeBool, Description: "Refuse every caller who does not present the job's ID token."},
	}
}

func (b *backend) limitsExist(ctx context.Context, req *logical.Request, _ *framework.FieldData) (bool, error) {
	return load(ctx, req.Storage, limitsStorage, &limits{})
}

func (b *backend) writeLimits(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	l, err := loadLimits(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	l.apply(d)
	if err := l.validate(); err != nil {
		return nil, err
	}
	if err := store(ctx, req.Storage, limitsStorage, l); err != nil {
		return nil, err
	}
	b.limits.drop(limitsStorage)
	resp := &logical.Response{Data: l.read()}
	return resp, b.warnOfRoles(ctx, req.Storage, l, resp)
}

// warnOfRoles names the roles that exceed new limits: from now on they refuse
// what is beyond.
func (b *backend) warnOfRoles(ctx context.Context, storage logical.Storage, l *limits, resp *logical.Response) error {
	var beyond []string
	err := eachRole(ctx, storage, func(r *role) {
		if r.validate() == nil && l.checkRole(r) != nil {
			beyond = append(beyond, r.Name)
		}
	})
	if err == nil && len(beyond) > 0 {
		resp.AddWarning("these roles exceed the limits and refuse what is beyond: " + strings.Join(beyond, ", "))
	}
	return err
}

// apply takes the fields that were given.
func (l *limits) apply(d *framework.FieldData) {
	if v, ok := d.GetOk("permissions"); ok {
		l.Permissions = v.(map[string]string)
	}
	if v, ok := d.GetOk("organizations"); ok {
		l.Organizations = v.([]string)
	}
	if v, ok := d.GetOk("denied_repositories"); ok {
		l.DeniedRepositories = v.([]string)
	}
	if v, ok := d.GetOk("max_ttl"); ok {
		l.MaxTTL = time.Duration(v.(int)) * time.Second
	}
	if v, ok := d.GetOk("require_id_token"); ok {
		l.RequireIDToken = v.(bool)
	}
}

func (b *backend) readLimits(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	l := &limits{}
	found, err := load(ctx, req.Storage, limitsStorage, l)
	if err != nil || !found {
		return nil, err
	}
	return &logical.Response{Data: l.read()}, nil
}

// read is the limits in the form that a write takes.
func (l *limits) read() map[string]any {
	data := map[string]any{"max_ttl": int(l.MaxTTL.Seconds()), "require_id_token": l.RequireIDToken}
	if len(l.Permissions) > 0 {
		data["permissions"] = l.Permissions
	}
	if len(l.Organizations) > 0 {
		data["organizations"] = l.Organizations
	}
	if len(l.DeniedRepositories) > 0 {
		data["denied_repositories"] = l.DeniedRepositories
	}
	return data
}

func (b *backend) deleteLimits(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	if err := remove(ctx, req.Storage, limitsStorage); err != nil {
		return nil, err
	}
	b.limits.drop(limitsStorage)
	return nil, nil
}
