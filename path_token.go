package githubsecrets

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
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

func (b *backend) tokenPaths() []*framework.Path {
	mint := func(summary string) framework.OperationHandler {
		return &framework.PathOperation{
			Callback: b.issueToken, Summary: summary,
			Responses: responses(http.StatusOK, "The token.", tokenFields()),
			// A standby that began a request would make a second token when
			// Vault sends the request on to the active node.
			ForwardPerformanceStandby:   true,
			ForwardPerformanceSecondary: true,
		}
	}
	return []*framework.Path{{
		Pattern:      "token/(?P<role>[^/]+)$",
		DisplayAttrs: displayAttrs("token"),
		Fields: map[string]*framework.FieldSchema{
			"role": {Type: framework.TypeString, Description: "Name of the role."},
			"ttl": {Type: framework.TypeDurationSecond, Query: true,
				Description: "How long the lease shall last, in whole seconds; less than the role gives."},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation:   mint("Get a token."),
			logical.UpdateOperation: mint("Get a token."),
		},
		HelpSynopsis:    tokenHelp,
		HelpDescription: strings.TrimSpace(tokenDescription),
	}}
}

// tokenFields are the answer.
func tokenFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"token":                {Type: framework.TypeString, Required: true, Description: "The installation token.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true}},
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
	}
}

// issuance is one token on its way to one caller.
type issuance struct {
	role         *role
	app          *app
	installation githubapp.Installation
	token        *githubapp.Token
	ttl          time.Duration
	subject      string
}

func (b *backend) issueToken(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	i, err := b.decide(ctx, req, d)
	if err != nil {
		return nil, err
	}
	want, err := i.role.scope()
	if err != nil {
		return nil, err
	}
	if err := i.mint(ctx, want); err != nil {
		return nil, err
	}
	if err := i.check(want); err != nil {
		i.app.client.Discard(i.token.Value, i.token.ExpiresAt)
		return nil, err
	}
	if ctx.Err() != nil {
		i.app.client.Discard(i.token.Value, i.token.ExpiresAt)
		return nil, fmt.Errorf("the client hung up, the token is being revoked: %w", ctx.Err())
	}
	b.Logger().Info("issued a token", "request_id", req.ID, "role", i.role.Name, "app", i.app.Name,
		"subject", i.subject, "scope", i.scope(), "hashed_token", githubapp.HashToken(i.token.Value),
		"ttl", i.ttl.String(), "expires_at", i.token.ExpiresAt.Format(time.RFC3339))
	return b.leased(i), nil
}

// decide finds out what may be issued, without asking GitHub.
func (b *backend) decide(ctx context.Context, req *logical.Request, d *framework.FieldData) (*issuance, error) {
	r, err := b.usableRole(ctx, req, d.Get("role").(string))
	if err != nil {
		return nil, err
	}
	a, err := b.usableApp(ctx, req, r.App)
	if err != nil {
		return nil, err
	}
	asked, err := askedTTL(d)
	if err != nil {
		return nil, err
	}
	ttl, err := r.leaseTTL(asked, b.System().DefaultLeaseTTL)
	if err != nil {
		return nil, err
	}
	subject, err := b.subject(req)
	if err != nil {
		return nil, err
	}
	return &issuance{role: r, app: a, ttl: ttl, subject: subject}, nil
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

// subject names the caller: its alias if it has just one, else what Vault
// displays.
func (b *backend) subject(req *logical.Request) (string, error) {
	if req.EntityID == "" {
		return req.DisplayName, nil
	}
	entity, err := b.System().EntityInfo(req.EntityID)
	if err != nil {
		return "", fmt.Errorf("read the caller's entity: %w", err)
	}
	if entity == nil || len(entity.Aliases) != 1 {
		return req.DisplayName, nil
	}
	return entity.Aliases[0].Name, nil
}

// mint finds the installation and makes the token. GitHub's 404 for an
// installation that was looked up earlier may mean that the App was removed and
// installed anew, so it is looked up once more.
func (i *issuance) mint(ctx context.Context, want githubapp.TokenRequest) error {
	if err := i.locate(ctx); err != nil {
		return err
	}
	stale := i.installation
	var err error
	i.token, err = i.app.client.Mint(ctx, stale.ID, want)
	if !githubapp.IsKind(err, githubapp.NotFound) {
		return i.explain(err)
	}
	i.app.client.Forget(stale)
	if err := i.locate(ctx); err != nil {
		return err
	}
	if i.installation.ID != stale.ID {
		i.token, err = i.app.client.Mint(ctx, i.installation.ID, want)
	}
	return i.explain(err)
}

func (i *issuance) locate(ctx context.Context) (err error) {
	if i.role.InstallationID != 0 {
		i.installation, err = i.app.client.InstallationByID(ctx, i.role.InstallationID)
	} else {
		i.installation, err = i.app.client.Installation(ctx, i.role.Organization)
	}
	return i.explain(err)
}

// explain adds to GitHub's error which App and account it is about, and what
// helps.
func (i *issuance) explain(err error) error {
	var github *githubapp.Error
	if !errors.As(err, &github) {
		return err
	}
	remedy := ""
	switch github.Kind {
	case githubapp.NotFound:
		remedy = "the App is not installed there, or its installation was removed; install it, or correct the role"
	case githubapp.Suspended:
		remedy = "an owner of the account unsuspends the installation"
	case githubapp.Unprocessable:
		remedy = "the role asks for repositories or permissions that the installation does not have"
	case githubapp.KeyRefused:
		remedy = "was it deleted on the App's page? Write a new one to the App's configuration"
	default:
		return fmt.Errorf("role %q, App %q on %s: %w", i.role.Name, i.app.Name, i.account(), err)
	}
	return fmt.Errorf("role %q, App %q on %s: %w; %s", i.role.Name, i.app.Name, i.account(), err, remedy)
}

// account names where the role's App is installed.
func (i *issuance) account() string {
	if i.role.Organization != "" {
		return i.role.Organization
	}
	return "installation " + idText(i.role.InstallationID)
}

// check refuses a token that is good for more than was asked.
func (i *issuance) check(want githubapp.TokenRequest) error {
	if excess := excess(want, i.token); excess != "" {
		return i.explain(&githubapp.Error{
			Kind: githubapp.Undelivered, Op: "check the token",
			Message: "GitHub granted more than was asked: " + excess + "; the token is being revoked",
		})
	}
	return nil
}

// excess names the first thing that a token is good for and that was not asked.
func excess(want githubapp.TokenRequest, got *githubapp.Token) string {
	for _, name := range slices.Sorted(maps.Keys(got.Permissions)) {
		asked, level := want.Permissions[name], got.Permissions[name]
		// GitHub adds metadata=read to every token.
		if implied := name == "metadata" && level == "read"; !implied && !levelCovers(asked, level) {
			return fmt.Sprintf("permission %s=%s", name, level)
		}
	}
	if want.AllRepositories {
		return ""
	}
	if got.AllRepositories {
		return "all repositories"
	}
	names := make(map[string]bool, len(want.Repositories))
	for _, name := range want.Repositories {
		names[strings.ToLower(name)] = true
	}
	for _, r := range got.Repositories {
		if !names[strings.ToLower(r.Name)] && !slices.Contains(want.RepositoryIDs, r.ID) {
			return fmt.Sprintf("repository %s (id %d)", quote(r.Name), r.ID)
		}
	}
	return ""
}

// levelCovers reports whether a permission asked for includes the level given:
// read < write < admin. A level that is not known is included in none.
func levelCovers(asked, level string) bool {
	given := slices.Index(permissionLevels, level)
	return given >= 0 && given <= slices.Index(permissionLevels, asked)
}

// granted is the token's permissions as GitHub's answer says, or as they were
// asked where it says nothing.
func (i *issuance) granted() map[string]string {
	if len(i.token.Permissions) > 0 {
		return i.token.Permissions
	}
	want, _ := i.role.scope() // checked when it was asked for
	return want.Permissions
}

// scope is the token's scope in one line: "acme: api,web: contents=write".
func (i *issuance) scope() string {
	repositories := "*"
	if names, _ := i.repositories(); names != nil {
		repositories = strings.Join(names, ",")
	}
	permissions := i.granted()
	pairs := make([]string, 0, len(permissions))
	for _, name := range slices.Sorted(maps.Keys(permissions)) {
		pairs = append(pairs, name+"="+permissions[name])
	}
	return i.installation.Account + ": " + repositories + ": " + strings.Join(pairs, ",")
}

// repositories are the names and ids that the token is good for; nil for all.
func (i *issuance) repositories() ([]string, []int64) {
	if i.role.RepositorySelection == allRepositories {
		return nil, nil
	}
	names, ids := []string{}, []int64{}
	for _, r := range i.token.Repositories {
		names, ids = append(names, r.Name), append(ids, r.ID)
	}
	return names, ids
}

// data is the answer that the caller gets.
func (i *issuance) data() map[string]any {
	data := map[string]any{
		"token":                i.token.Value,
		"expires_at":           i.token.ExpiresAt.UTC().Format(time.RFC3339),
		"hashed_token":         githubapp.HashToken(i.token.Value),
		"role":                 i.role.Name,
		"app":                  i.app.Name,
		"installation_id":      i.installation.ID,
		"organization":         i.installation.Account,
		"repository_selection": i.role.RepositorySelection,
		"permissions":          i.granted(),
		"scope":                i.scope(),
	}
	if names, ids := i.repositories(); names != nil {
		data["repositories"], data["repository_ids"] = names, ids
	}
	if i.subject != "" {
		data["subject"] = i.subject
	}
	return data
}
