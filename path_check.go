package githubsecrets

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
	"vault-plugin-secrets-github/internal/policy"
)

const (
	checkHelp = `Say whether a token would be given, and why not. None is made.`

	checkDescription = `
A write answers the decision that token/<role> would make of the same
parameters: each rule with what is wanted and what was seen, the scope, the TTL,
the request that GitHub would get, and whether the App has there what it asks
for. "check" decides for the caller as it is. "check-claims" decides for claims
given as JSON, as an ID token would show them: give its path to administrators
only. Nothing is made at GitHub, and nothing is granted.
`
)

func (b *backend) checkPaths() []*framework.Path {
	forClaims := requestFields()
	delete(forClaims, "id_token")
	maps.Copy(forClaims, map[string]*framework.FieldSchema{
		"claims":         {Type: framework.TypeMap, Description: "Claims to decide for."},
		"subject":        {Type: framework.TypeString, Description: "Alias name to decide for; the claims' user_claim unless given."},
		"entity_name":    {Type: framework.TypeString, Description: "Entity name to decide for, where a condition looks at it."},
		"groups":         {Type: framework.TypeCommaStringSlice, Description: "Groups to decide for, where a condition looks at them."},
		"remote_address": {Type: framework.TypeString, Description: "Address to decide for, where a condition looks at it."},
	})
	forCaller := requestFields()
	for _, fields := range []map[string]*framework.FieldSchema{forCaller, forClaims} {
		fields["details"] = &framework.FieldSchema{Type: framework.TypeBool,
			Description: "Answer the rules as a list of objects, too: for programs, with -format=json."}
	}
	return []*framework.Path{
		b.checkPath("check/(?P<role>[^/]+)$", "check", forCaller, b.checkCaller, "Decide for the caller."),
		b.checkPath("check-claims/(?P<role>[^/]+)$", "check-claims", forClaims, b.checkClaims, "Decide for claims given as JSON."),
	}
}

func (b *backend) checkPath(pattern, suffix string, fields map[string]*framework.FieldSchema, check framework.OperationFunc, summary string) *framework.Path {
	return &framework.Path{
		Pattern:      pattern,
		DisplayAttrs: displayAttrs(suffix),
		Fields:       fields,
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback: check, Summary: summary,
				Responses: responses(http.StatusOK, "The decision.", decisionFields()),
			},
		},
		HelpSynopsis:    checkHelp,
		HelpDescription: strings.TrimSpace(checkDescription),
	}
}

func decisionFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"allowed":        {Type: framework.TypeBool, Required: true, Description: "Whether a token would be given."},
		"reason":         {Type: framework.TypeString, Description: "The first rule that refuses, and what helps."},
		"report":         {Type: framework.TypeString, Required: true, Description: "Each rule in a line, for people."},
		"rules":          {Type: framework.TypeSlice, Description: "Each rule: rule, wanted, seen, pass, remedy. With details=true."},
		"organization":   {Type: framework.TypeString, Description: "Account that the token would be for."},
		"scope":          {Type: framework.TypeString, Description: "Repositories and permissions that would be granted."},
		"ttl":            {Type: framework.TypeDurationSecond, Description: "How long the lease would last."},
		"max_ttl":        {Type: framework.TypeDurationSecond, Description: "How long it could be renewed."},
		"github_request": {Type: framework.TypeString, Description: "The body that GitHub would get, as JSON."},
	}
}

// checkCaller is the decision for the caller as it is.
func (b *backend) checkCaller(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	r, err := b.storedRole(ctx, req, d.Get("role").(string))
	if err != nil {
		return nil, err
	}
	l, err := b.mountLimits(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	who, err := b.whoAsks(ctx, req, d, r, l)
	if isRefused(err) {
		return b.decisionResponse(ctx, req, d, r, policy.Decision{Checks: []policy.Check{
			{Rule: "identity", Wanted: fmt.Sprintf("a caller for whom the issuer %q vouches", r.Issuer), Seen: err.Error(), Remedy: "log in as it says"},
		}})
	}
	if err != nil {
		return nil, err
	}
	return b.check(ctx, req, d, r, l, who)
}

// checkClaims is the decision for a job that an administrator describes.
func (b *backend) checkClaims(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	r, err := b.storedRole(ctx, req, d.Get("role").(string))
	if err != nil {
		return nil, err
	}
	l, err := b.mountLimits(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	claims, _ := d.Get("claims").(map[string]any)
	who := policy.Caller{
		Subject: d.Get("subject").(string), Claims: claims, Verified: true,
		EntityName: d.Get("entity_name").(string), Groups: d.Get("groups").([]string),
		RemoteAddress: d.Get("remote_address").(string),
	}
	if i, err := loadIssuer(ctx, req.Storage, r.Issuer); err != nil {
		return nil, err
	} else if i != nil && who.Subject == "" {
		who.Subject, _ = claims[i.UserClaim].(string)
	}
	return b.check(ctx, req, d, r, l, who)
}

func (b *backend) check(ctx context.Context, req *logical.Request, d *framework.FieldData, r *role, l *limits, who policy.Caller) (*logical.Response, error) {
	asked, err := askedFor(d)
	if err != nil {
		return nil, err
	}
	decision := policy.Decide(r.rules, l.compiled, who, asked, r.leaseTTL(b.System().DefaultLeaseTTL), b.now())
	return b.decisionResponse(ctx, req, d, r, decision)
}

// decisionResponse adds to a decision what lies outside of policy: the role's
// and the App's switches, and GitHub.
func (b *backend) decisionResponse(ctx context.Context, req *logical.Request, d *framework.FieldData, r *role, decision policy.Decision) (*logical.Response, error) {
	before := []policy.Check{switchCheck("role "+r.Name, r.Disabled)}
	a, err := b.usableApp(ctx, req, r.App)
	switch {
	case isRefused(err):
		before = append(before, policy.Check{
			Rule: "app " + r.App, Wanted: "configured and enabled", Seen: err.Error(), Remedy: "an administrator does as it says",
		})
	case err != nil:
		return nil, err
	default:
		before = append(before, switchCheck("app "+r.App, false))
	}
	decided := decision.Allowed()
	checks := append(before, decision.Checks...)
	if decided && a != nil {
		i := &issuance{role: r, app: a, grant: decision.Grant}
		checks = append(checks, i.checkGitHub(ctx)...)
	}
	whole := policy.Decision{Checks: checks}
	data := map[string]any{"allowed": whole.Allowed(), "report": report(checks)}
	if err := whole.Refusal(); err != nil {
		data["reason"] = err.Error()
	}
	if decided {
		maps.Copy(data, grantData(decision.Grant))
	}
	if d.Get("details").(bool) {
		data["rules"] = ruleList(checks)
	}
	return &logical.Response{Data: data}, nil
}

// checkGitHub asks GitHub whether the App is installed where the grant says, and
// has the permissions there.
func (i *issuance) checkGitHub(ctx context.Context) []policy.Check {
	if err := i.locate(ctx); err != nil {
		return []policy.Check{{Rule: "github installation", Wanted: "the App on " + i.account(), Seen: err.Error(), Remedy: "see the error"}}
	}
	installed, err := i.app.client.Inspect(ctx, i.installation.ID)
	if err != nil {
		return []policy.Check{{Rule: "github installation", Wanted: "the App on " + i.account(), Seen: err.Error(), Remedy: "see the error"}}
	}
	checks := []policy.Check{{
		Rule: "github installation", Wanted: "the App on " + i.account(), Seen: "installation " + idText(i.installation.ID),
		Pass: !installed.Suspended, Remedy: "an owner of the account unsuspends the installation",
	}}
	var missing []string
	has := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(i.grant.Permissions)) {
		level := i.grant.Permissions[name]
		if given, ok := installed.Permissions[name]; ok {
			has[name] = given
		}
		if !policy.LevelCovers(installed.Permissions[name], level) {
			missing = append(missing, name+"="+level)
		}
	}
	permissions := policy.Check{
		Rule: "github permissions", Wanted: permissionLine(i.grant.Permissions), Seen: permissionLine(has),
		Pass: len(missing) == 0, Remedy: "give the App " + strings.Join(missing, ", ") + " and let an owner of the account accept it",
	}
	return append(checks, permissions)
}

// storedRole is a role also if it is disabled.
func (b *backend) storedRole(ctx context.Context, req *logical.Request, name string) (*role, error) {
	if err := validateName("a role", name); err != nil {
		return nil, err
	}
	r, err := loadRole(ctx, req.Storage, name)
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		return nil, unknownRole(name, req)
	}
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("stored role %q: %w", name, err)
	}
	return r, nil
}

func switchCheck(what string, disabled bool) policy.Check {
	if disabled {
		return policy.Check{Rule: what, Wanted: "enabled", Seen: "disabled", Remedy: "an administrator sets disabled=false"}
	}
	return policy.Check{Rule: what, Wanted: "enabled", Seen: "enabled", Pass: true}
}

// report is the checks for a person: one in a line, those that fail marked. The
// vault command trims the first line, which is a summary therefore.
func report(checks []policy.Check) string {
	refusing := 0
	for _, c := range checks {
		if !c.Pass {
			refusing++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d rules refuse", refusing, len(checks))
	for _, c := range checks {
		if c.Pass {
			fmt.Fprintf(&b, "\n  pass  %s: wanted %s, seen %s", c.Rule, c.Wanted, c.Seen)
		} else {
			fmt.Fprintf(&b, "\n  FAIL  %s: wanted %s, seen %s\n        -> %s", c.Rule, c.Wanted, c.Seen, c.Remedy)
		}
	}
	return b.String()
}

func ruleList(checks []policy.Check) []any {
	list := make([]any, len(checks))
	for i, c := range checks {
		rule := map[string]any{"rule": c.Rule, "wanted": c.Wanted, "seen": c.Seen, "pass": c.Pass}
		if !c.Pass {
			rule["remedy"] = c.Remedy
		}
		list[i] = rule
	}
	return list
}

// grantData is what would be granted.
func grantData(g policy.Grant) map[string]any {
	repositories := "*"
	if !g.AllRepositories {
		names := slices.Clone(g.Repositories)
		for _, id := range g.RepositoryIDs {
			names = append(names, "#"+idText(id))
		}
		repositories = strings.Join(names, ",")
	}
	body, err := json.Marshal(githubapp.MintBody{
		Repositories: g.Repositories, RepositoryIDs: g.RepositoryIDs, Permissions: g.Permissions,
	})
	if err != nil {
		panic(err) // texts and numbers
	}
	account := g.Organization
	if account == "" {
		account = "installation " + idText(g.InstallationID)
	}
	permissions := maps.Clone(g.Permissions)
	if permissions["metadata"] == "" {
		permissions["metadata"] = "read" // which GitHub adds to every token
	}
	data := map[string]any{
		"scope":          account + ": " + repositories + ": " + permissionLine(permissions),
		"ttl":            int(g.TTL.Seconds()),
		"max_ttl":        int(g.MaxTTL.Seconds()),
		"github_request": string(body),
	}
	if g.Organization != "" {
		data["organization"] = g.Organization
	}
	return data
}
