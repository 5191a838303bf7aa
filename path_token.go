package githubsecrets

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/policy"
)

const (
	tokenHelp = `Get an installation token for exactly what the role allows.`

	tokenDescription = `
A read or a write makes a token at GitHub and puts it under a lease. When the
lease ends, by revocation or by its TTL, the token is deleted at GitHub. Every
parameter narrows what the role allows; one that the path does not know is
refused.
`
)

// tokenPrefix begins the path of a role's tokens.
const tokenPrefix = "token/"

func (b *backend) tokenPaths() []*framework.Path {
	mint := func(summary string) framework.OperationHandler {
		return &framework.PathOperation{
			Callback: b.toldIssuance, Summary: summary,
			Responses: responses(http.StatusOK, "The token.", tokenFields()),
			// A standby that began a request would make a second token when
			// Vault sends the request on to the active node.
			ForwardPerformanceStandby:   true,
			ForwardPerformanceSecondary: true,
		}
	}
	return []*framework.Path{{
		Pattern:      tokenPrefix + "(?P<role>[^/]+)$",
		DisplayAttrs: displayAttrs("token"),
		Fields:       requestFields(),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation:   mint("Get a token."),
			logical.UpdateOperation: mint("Get a token."),
		},
		HelpSynopsis:    tokenHelp,
		HelpDescription: strings.TrimSpace(tokenDescription),
	}}
}

// requestFields are what a job may ask for. Each narrows what the role allows.
func requestFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"role": {Type: framework.TypeString, Description: "Name of the role."},
		"repositories": {Type: framework.TypeCommaStringSlice, Query: true,
			Description: "Names of repositories, fewer than the role's."},
		"repository_ids": {Type: framework.TypeCommaIntSlice, Query: true,
			Description: "Ids of repositories, fewer than the role's."},
		"permissions": {Type: framework.TypeKVPairs, Query: true,
			Description: "Permissions, fewer or lower than the role's."},
		"ttl": {Type: framework.TypeDurationSecond, Query: true,
			Description: "How long the lease shall last, in whole seconds; less than the role gives."},
		"id_token": {Type: framework.TypeString, DisplayAttrs: &framework.DisplayAttributes{Sensitive: true},
			Description: "The job's own ID token, which shows its claims. In the body of a write only, or in the header X-CI-Id-Token; a query string stands in the audit log."},
	}
}

// tokenFields are the answer.
func tokenFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"token":                {Type: framework.TypeString, Required: true, Description: "The installation token.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true}},
		"ttl":                  {Type: framework.TypeInt64, Required: true, Description: "How long the lease lasts unless it is renewed, in seconds."},
		"expires_at":           {Type: framework.TypeString, Required: true, Description: "When GitHub ends the token if the lease does not, RFC 3339."},
		"hashed_token":         {Type: framework.TypeString, Required: true, Description: "Base64 of the token's SHA-256, as in GitHub's audit log."},
		"role":                 {Type: framework.TypeString, Required: true, Description: "The role."},
		"app":                  {Type: framework.TypeString, Required: true, Description: "The App's name below config/."},
		"installation_id":      {Type: framework.TypeInt64, Required: true, Description: "The installation that the token acts as."},
		"organization":         {Type: framework.TypeString, Required: true, Description: "Account that the App is installed on."},
		"repository_selection": {Type: framework.TypeString, Required: true, Description: "'selected', or 'all' repositories of the installation."},
		"repositories":         {Type: framework.TypeStringSlice, Description: "Names of the repositories; absent for 'all'."},
		"repository_ids":       {Type: framework.TypeCommaIntSlice, Description: "Ids of the repositories; absent for 'all'."},
		"permissions":          {Type: framework.TypeKVPairs, Required: true, Description: "What GitHub granted."},
		"scope":                {Type: framework.TypeString, Required: true, Description: "Account, repositories and permissions in one line, for audit logs."},
		"subject":              {Type: framework.TypeString, Description: "Name of the caller's entity alias: who Vault's auth method says that the job is."},
		"run_id":               {Type: framework.TypeString, Description: "run_id of the job's ID token, if one was presented."},
		"workflow_ref":         {Type: framework.TypeString, Description: "workflow_ref of the job's ID token, if one was presented."},
		"ref":                  {Type: framework.TypeString, Description: "ref of the job's ID token, if one was presented."},
		"event_name":           {Type: framework.TypeString, Description: "event_name of the job's ID token, if one was presented."},
	}
}

func (b *backend) toldIssuance(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	i := &issuance{}
	resp, err := b.issueToken(ctx, req, d, i)
	if err != nil {
		b.tellRefused(req, d.Get("role").(string), i, err)
		return resp, err
	}
	b.tellIssued(req, i, resp)
	return resp, nil
}

// issueToken fills in the issuance as far as it gets.
func (b *backend) issueToken(ctx context.Context, req *logical.Request, d *framework.FieldData, i *issuance) (*logical.Response, error) {
	if err := b.decide(ctx, req, d, i); err != nil {
		return nil, err
	}
	if err := i.mint(ctx); err != nil {
		return nil, err
	}
	if err := i.check(); err != nil {
		i.app.client.Discard(i.token.Value, i.token.EndsAt)
		return nil, err
	}
	if ctx.Err() != nil {
		i.app.client.Discard(i.token.Value, i.token.EndsAt)
		return nil, fmt.Errorf("the client hung up, the token is being revoked: %w", ctx.Err())
	}
	return b.leased(i), nil
}

// decide finds out what may be issued, without asking GitHub.
func (b *backend) decide(ctx context.Context, req *logical.Request, d *framework.FieldData, i *issuance) (err error) {
	if i.role, err = b.usableRole(ctx, req, d.Get("role").(string)); err != nil {
		return err
	}
	if i.app, err = b.usableApp(ctx, req, i.role.App); err != nil {
		return err
	}
	l, err := b.mountLimits(ctx, req.Storage)
	if err != nil {
		return err
	}
	asked, err := askedFor(d)
	if err != nil {
		return err
	}
	if i.caller, err = b.whoAsks(ctx, req, d, i.role, l); err != nil {
		return err
	}
	decision := policy.Decide(i.role.rules, l.compiled, i.caller, asked, i.role.leaseTTL(b.System().DefaultLeaseTTL), b.now())
	if err := decision.Refusal(); err != nil {
		return fmt.Errorf("role %q: %w", i.role.Name, asRefusal(err))
	}
	i.grant = decision.Grant
	return nil
}

// whoAsks is the caller as far as the decision needs to know it.
func (b *backend) whoAsks(ctx context.Context, req *logical.Request, d *framework.FieldData, r *role, l *limits) (policy.Caller, error) {
	idToken, err := presentedIDToken(req, d)
	if err != nil {
		return policy.Caller{}, err
	}
	if !r.rules.Binds() && !l.RequireIDToken && idToken == "" {
		subject, err := b.displayedSubject(req)
		return policy.Caller{Subject: subject}, err
	}
	issuer, err := b.usableIssuer(ctx, req, r.Issuer)
	if err != nil {
		return policy.Caller{}, err
	}
	who, err := b.caller(ctx, req, issuer, idToken)
	if err != nil || r.Condition == "" {
		return who, err
	}
	who.Groups, err = b.groupsOf(who.EntityID)
	return who, err
}

// askedFor is the scope that the request names; what it leaves out is the
// role's.
func askedFor(d *framework.FieldData) (policy.Request, error) {
	var asked policy.Request
	if v, ok := d.GetOk("repositories"); ok {
		asked.Repositories = v.([]string)
	}
	if v, ok := d.GetOk("repository_ids"); ok {
		for _, id := range v.([]int) {
			asked.RepositoryIDs = append(asked.RepositoryIDs, int64(id))
		}
	}
	if v, ok := d.GetOk("permissions"); ok {
		permissions, err := normalPermissions(v.(map[string]string))
		if err != nil {
			return asked, err
		}
		asked.Permissions = permissions
	}
	var err error
	asked.TTL, err = askedTTL(d)
	return asked, err
}

// askedTTL is the ttl of the request, 0 if it names none.
func askedTTL(d *framework.FieldData) (time.Duration, error) {
	v, ok := d.GetOk("ttl")
	if !ok {
		return 0, nil
	}
	ttl := time.Duration(v.(int)) * time.Second
	switch {
	case ttl == 0:
		return 0, badRequestf("ttl: a lease of 0 seconds is none; ask for at least 1s, or leave ttl out")
	case ttl > maxTokenTTL:
		return 0, badRequestf("ttl: %s is more than 1h, the life of every installation token", ttl)
	}
	return ttl, nil
}
