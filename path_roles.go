package githubsecrets

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

const (
	roleHelp = `Say which token a job may have: of which App, for which repositories, with which permissions, for how long.`

	roleDescription = `
A role names its repositories and its permissions; what it does not name is not
granted. "All repositories" is said with repository_selection=all, and there is
no word for all permissions. bound_subjects, bound_claims, condition and
require_id_token say which jobs may have its tokens; a role without any of them
trusts Vault's ACL policies alone. Scope fields may hold {{claims.NAME}}, so that
one role serves every repository of a company. A partial write keeps what it does not name, but
for two groups whose fields belong together: a write that names one of
repositories, repository_ids and repository_selection sets all three, and one
that names organization or installation_id sets both.
`
)

func (b *backend) rolePaths() []*framework.Path {
	fields := roleFields()
	fields["name"] = &framework.FieldSchema{
		Type:        framework.TypeString,
		Description: "Name of the role: up to 256 letters, digits, '_', '-' and dots.",
	}
	return []*framework.Path{
		listPath("roles/?$", "roles", b.listRoles),
		{
			Pattern:         "roles/(?P<name>[^/]+)$",
			DisplayAttrs:    displayAttrs("role"),
			Fields:          fields,
			Operations:      handlers{b.writeRole, b.readRole, b.deleteRole}.operations("a role", roleFields()),
			ExistenceCheck:  b.roleExists,
			HelpSynopsis:    roleHelp,
			HelpDescription: strings.TrimSpace(roleDescription),
		},
	}
}

// roleFields are what a write takes and a read answers.
func roleFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"app":                  {Type: framework.TypeString, Default: defaultApp, Description: "Name of the App below config/."},
		"issuer":               {Type: framework.TypeString, Default: defaultIssuer, Description: "Name of the issuer below issuers/, which vouches for the jobs of a role that binds anything."},
		"organization":         {Type: framework.TypeString, Description: "Account that the App is installed on: an organization, or a user. May hold {{claims.NAME}}. Either this or installation_id."},
		"installation_id":      {Type: framework.TypeInt64, Description: "Id of the App's installation, instead of organization."},
		"repositories":         {Type: framework.TypeCommaStringSlice, Description: "Names of the repositories, up to 500 together with repository_ids. OWNER/NAME is taken where OWNER is the organization. May hold {{claims.NAME}}."},
		"repository_ids":       {Type: framework.TypeSlice, Description: "Ids of the repositories. An id never changes hands; a name can. May hold {{claims.NAME}}."},
		"repository_selection": {Type: framework.TypeString, Default: selectedRepositories, AllowedValues: []any{selectedRepositories, allRepositories}, Description: "'selected' for the repositories named, 'all' for every repository of the installation, also those that are added later."},
		"permissions":          {Type: framework.TypeKVPairs, Description: "Permissions by GitHub's names, each with read, write or admin."},
		"bound_subjects":       {Type: framework.TypeCommaStringSlice, Description: "Globs, of which the caller's alias name on the issuer's auth mount matches one. Only '*' is special."},
		"bound_claims":         {Type: framework.TypeMap, Description: "Claims with the value, or the list of values, that each may have: all of the map, any of a list. A name that begins with '/' is a JSON pointer."},
		"bound_claims_type":    {Type: framework.TypeString, Default: "string", AllowedValues: []any{"string", "glob"}, Description: "'string' for equal values, 'glob' for globs."},
		"condition":            {Type: framework.TypeString, Description: "CEL expression over claims, identity, request and now that must be true."},
		"require_id_token":     {Type: framework.TypeBool, Description: "Refuse callers who do not present the job's ID token."},
		"ttl":                  {Type: framework.TypeDurationSecond, Description: "How long a lease lasts unless less is asked for, in whole seconds, at most 1h. 0 is the mount's default."},
		"max_ttl":              {Type: framework.TypeDurationSecond, Description: "How long a lease can be renewed, from issuance, in whole seconds, at most 1h. 0 is 1h."},
		"description":          {Type: framework.TypeString, Description: "What the role is for."},
		"disabled":             {Type: framework.TypeBool, Description: "Refuse every new token and every renewal of this role's."},
	}
}

func (b *backend) roleExists(ctx context.Context, req *logical.Request, d *framework.FieldData) (bool, error) {
	name, err := nameOf("a role", d)
	if err != nil {
		return false, nil // the write itself says what is wrong
	}
	r, err := loadRole(ctx, req.Storage, name)
	return r != nil, err
}

func (b *backend) writeRole(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name, err := nameOf("a role", d)
	if err != nil {
		return nil, err
	}
	r, err := loadRole(ctx, req.Storage, name)
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = &role{Name: name, App: defaultApp, Issuer: defaultIssuer, RepositorySelection: selectedRepositories}
	}
	r.apply(d)
	if err := r.validate(); err != nil {
		return nil, err
	}
	if err := b.checkRole(ctx, req, r); err != nil {
		return nil, err
	}
	if err := store(ctx, req.Storage, roleStorage+name, r); err != nil {
		return nil, err
	}
	b.roles.drop(name)
	resp := &logical.Response{Data: r.read()}
	for _, warning := range r.warnings() {
		resp.AddWarning(warning)
	}
	a, err := loadApp(ctx, req.Storage, r.App)
	if err != nil {
		return nil, err
	}
	if a == nil {
		resp.AddWarning(fmt.Sprintf("the App %q is not configured yet; write it to %s%s", r.App, req.MountPoint, configPath(r.App)))
	}
	return resp, nil
}

// checkRole holds a role to its issuer and to the mount's limits.
func (b *backend) checkRole(ctx context.Context, req *logical.Request, r *role) error {
	i, err := loadIssuer(ctx, req.Storage, r.Issuer)
	if err != nil {
		return err
	}
	if err := r.checkIssuer(i, req.MountPoint); err != nil {
		return err
	}
	l, err := loadLimits(ctx, req.Storage)
	if err != nil {
		return err
	}
	return l.checkRole(r)
}

// apply takes the fields that were given.
func (r *role) apply(d *framework.FieldData) {
	r.applyAccount(d)
	r.applyRepositories(d)
	for field, to := range map[string]*string{
		"app": &r.App, "issuer": &r.Issuer, "bound_claims_type": &r.BoundClaimsType,
		"condition": &r.Condition, "description": &r.Description,
	} {
		if v, ok := d.GetOk(field); ok {
			*to = v.(string)
		}
	}
	for field, to := range map[string]*time.Duration{"ttl": &r.TTL, "max_ttl": &r.MaxTTL} {
		if v, ok := d.GetOk(field); ok {
			*to = time.Duration(v.(int)) * time.Second
		}
	}
	for field, to := range map[string]*bool{"require_id_token": &r.RequireIDToken, "disabled": &r.Disabled} {
		if v, ok := d.GetOk(field); ok {
			*to = v.(bool)
		}
	}
	if v, ok := d.GetOk("permissions"); ok {
		r.Permissions = v.(map[string]string)
	}
	if v, ok := d.GetOk("bound_subjects"); ok {
		r.BoundSubjects = v.([]string)
	}
	if v, ok := d.GetOk("bound_claims"); ok {
		r.BoundClaims = v.(map[string]any)
	}
}

// applyAccount sets the one field that was given, so that a role can be moved
// from an organization to an installation with a single word.
func (r *role) applyAccount(d *framework.FieldData) {
	organization, named := d.GetOk("organization")
	id, numbered := d.GetOk("installation_id")
	if !named && !numbered {
		return
	}
	r.Organization, r.InstallationID = "", 0
	if named {
		r.Organization = organization.(string)
	}
	if numbered {
		r.InstallationID = id.(int64)
	}
}

// applyRepositories sets all three fields if one was given: what is written is
// all that is granted.
func (r *role) applyRepositories(d *framework.FieldData) {
	names, named := d.GetOk("repositories")
	list, numbered := d.GetOk("repository_ids")
	selection, selected := d.GetOk("repository_selection")
	if !named && !numbered && !selected {
		return
	}
	if selected && !named && !numbered && selection.(string) == r.RepositorySelection {
		return // said what is so
	}
	r.Repositories, r.RepositoryIDs, r.RepositorySelection = nil, nil, selectedRepositories
	if named {
		r.Repositories = names.([]string)
	}
	if numbered {
		r.RepositoryIDs = texts(list.([]any))
	}
	if selected {
		r.RepositorySelection = selection.(string)
	}
}

// texts are the items of repository_ids, which parameters.go has made texts.
func texts(list []any) []string {
	out := make([]string, len(list))
	for i, item := range list {
		out[i] = item.(string)
	}
	return out
}

func (b *backend) readRole(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name, err := nameOf("a role", d)
	if err != nil {
		return nil, err
	}
	r, err := loadRole(ctx, req.Storage, name)
	if err != nil || r == nil {
		return nil, err
	}
	return &logical.Response{Data: r.read()}, nil
}

// read is the role in the form that a write takes. Fields that cannot be
// written empty are left out where they are.
func (r *role) read() map[string]any {
	data := map[string]any{
		"app":                  r.App,
		"issuer":               r.Issuer,
		"repository_selection": r.RepositorySelection,
		"permissions":          r.Permissions,
		"condition":            r.Condition,
		"require_id_token":     r.RequireIDToken,
		"ttl":                  int(r.TTL.Seconds()),
		"max_ttl":              int(r.MaxTTL.Seconds()),
		"description":          r.Description,
		"disabled":             r.Disabled,
	}
	if r.Organization != "" {
		data["organization"] = r.Organization
	}
	if r.InstallationID != 0 {
		data["installation_id"] = r.InstallationID
	}
	if len(r.Repositories) > 0 {
		data["repositories"] = r.Repositories
	}
	if len(r.RepositoryIDs) > 0 {
		items := make([]any, len(r.RepositoryIDs))
		for i, item := range r.RepositoryIDs {
			items[i] = idOrTemplate(item)
		}
		data["repository_ids"] = items
	}
	if len(r.BoundSubjects) > 0 {
		data["bound_subjects"] = r.BoundSubjects
	}
	if len(r.BoundClaims) > 0 {
		data["bound_claims"] = r.BoundClaims
	}
	if r.BoundClaimsType != "" {
		data["bound_claims_type"] = r.BoundClaimsType
	}
	return data
}

func (b *backend) deleteRole(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name, err := nameOf("a role", d)
	if err != nil {
		return nil, err
	}
	if err := remove(ctx, req.Storage, roleStorage+name); err != nil {
		return nil, err
	}
	b.roles.drop(name)
	b.metrics.forget("role", name)
	return nil, nil
}

func (b *backend) listRoles(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	return listNames(ctx, req.Storage, roleStorage)
}
