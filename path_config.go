package githubsecrets

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
)

const (
	configHelp = `Configure a GitHub App.`

	configDescription = `
"config" is the App called "default"; "config/<app>" is any other. A write asks
GitHub whether the private key belongs to the App (verify=false does not), and a
partial one keeps what it does not name. The private key is never read back:
its fingerprint is, as GitHub shows it on the App's page.
`
)

func (b *backend) configPaths() []*framework.Path {
	named := configFields()
	named["app"] = &framework.FieldSchema{
		Type:        framework.TypeString,
		Description: "Name of the App within this mount: letters, digits, '_', '-', '.'.",
	}
	unnamed := b.configPath("config/?$", "configuration", configFields())
	unnamed.Operations[logical.ListOperation] = listOperation(b.listApps, "Apps")
	return []*framework.Path{unnamed, b.configPath("config/(?P<app>[^/]+)$", "app-configuration", named)}
}

func (b *backend) configPath(pattern, suffix string, fields map[string]*framework.FieldSchema) *framework.Path {
	return &framework.Path{
		Pattern:         pattern,
		DisplayAttrs:    displayAttrs(suffix),
		Fields:          fields,
		Operations:      handlers{b.writeApp, b.readApp, b.deleteApp}.operations("a GitHub App", configReadFields()),
		ExistenceCheck:  b.appExists,
		HelpSynopsis:    configHelp,
		HelpDescription: strings.TrimSpace(configDescription),
	}
}

// configFields are what a write takes. The last five are computed: they are
// taken, so that what was read can be written back, and left aside.
func configFields() map[string]*framework.FieldSchema {
	fields := configReadFields()
	for _, f := range fields {
		f.Required = false
	}
	for _, computed := range []string{"fingerprint", "key_written", "slug", "owner", "permissions"} {
		fields[computed].Description += " Computed; ignored on a write."
	}
	fields["private_key"] = &framework.FieldSchema{
		Type:         framework.TypeString,
		Description:  "RSA private key of the App, PEM, PKCS#1 (as GitHub makes it) or PKCS#8. Never read back.",
		DisplayAttrs: &framework.DisplayAttributes{Sensitive: true},
	}
	fields["verify"] = &framework.FieldSchema{
		Type:        framework.TypeBool,
		Default:     true,
		Description: "Ask GitHub (GET /app) whether the key belongs to the App before it is written.",
	}
	return fields
}

// configReadFields are what a read answers.
func configReadFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"app_id":                  {Type: framework.TypeInt64, Description: "App ID, from the App's page on GitHub. Either this or client_id."},
		"client_id":               {Type: framework.TypeString, Description: "Client ID, from the App's page on GitHub; recommended by GitHub over app_id."},
		"base_url":                {Type: framework.TypeString, Default: githubapp.DefaultBaseURL, Required: true, Description: "REST API of the GitHub: https://api.github.com, https://HOST/api/v3 for GitHub Enterprise Server. https, or http on a loopback address."},
		"ca_pem":                  {Type: framework.TypeString, Description: "PEM certificates to trust for base_url beside the system's."},
		"proxy_url":               {Type: framework.TypeString, Description: "HTTP proxy for base_url, instead of the plugin's environment (HTTPS_PROXY). A read masks its password."},
		"request_timeout":         {Type: framework.TypeDurationSecond, Default: int(defaultRequestTimeout.Seconds()), Required: true, Description: "How long one answer of GitHub's is waited for: 1 s to 60 s."},
		"max_concurrent_requests": {Type: framework.TypeInt64, Default: githubapp.DefaultMaxConcurrent, Required: true, Description: "How many requests of this App may be under way at GitHub at once: 1 to 100, which is GitHub's limit. Those beyond wait for their turn, minting and revoking by turns."},
		"disabled":                {Type: framework.TypeBool, Required: true, Description: "Refuse every new token and every renewal of this App's."},
		"fingerprint":             {Type: framework.TypeString, Required: true, Description: "Fingerprint of the private key as GitHub shows it: base64 of the SHA-256 of the DER public key."},
		"key_written":             {Type: framework.TypeString, Description: "When the private key was first written, RFC 3339; absent if that was before this was kept."},
		"slug":                    {Type: framework.TypeString, Description: "The App's URL name on GitHub."},
		"owner":                   {Type: framework.TypeString, Description: "Account that owns the App."},
		"permissions":             {Type: framework.TypeKVPairs, Description: "The most that the App may ask of an installation."},
	}
}

// appName is the App that the path names.
func appName(d *framework.FieldData) (string, error) {
	name, ok := d.Raw["app"].(string)
	if !ok {
		return defaultApp, nil
	}
	return name, validateName("an App", name)
}

func (b *backend) appExists(ctx context.Context, req *logical.Request, d *framework.FieldData) (bool, error) {
	name, err := appName(d)
	if err != nil {
		return false, nil // the write itself says what is wrong
	}
	a, err := loadApp(ctx, req.Storage, name)
	return a != nil, err
}

func (b *backend) writeApp(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name, err := appName(d)
	if err != nil {
		return nil, err
	}
	a, err := loadApp(ctx, req.Storage, name)
	if err != nil {
		return nil, err
	}
	if a == nil {
		a = &app{Name: name, BaseURL: githubapp.DefaultBaseURL, RequestTimeout: defaultRequestTimeout, MaxConcurrent: githubapp.DefaultMaxConcurrent}
	}
	before := a.Fingerprint
	a.apply(d)
	if err := a.validate(b); err != nil {
		return nil, err
	}
	if a.Fingerprint != before {
		a.KeyWritten = b.now()
	}
	// A kill switch must work while GitHub does not.
	changed := anyGiven(d, "app_id", "client_id", "private_key", "base_url", "ca_pem", "proxy_url", "disabled")
	if d.Get("verify").(bool) && changed && !a.Disabled {
		if err := a.verify(ctx); err != nil {
			return nil, err
		}
	}
	if err := store(ctx, req.Storage, appStorage+name, a); err != nil {
		return nil, err
	}
	b.apps.drop(name)
	return &logical.Response{Data: a.read()}, nil
}

// apply takes the fields that were given. A new identity makes what GitHub said
// of the old one void.
func (a *app) apply(d *framework.FieldData) {
	for field, to := range map[string]*string{
		"client_id": &a.ClientID, "private_key": &a.PrivateKey, "base_url": &a.BaseURL, "ca_pem": &a.CAPEM,
	} {
		if v, ok := d.GetOk(field); ok {
			*to = v.(string)
			a.Slug, a.Owner, a.Permissions = "", "", nil
		}
	}
	if v, ok := d.GetOk("app_id"); ok {
		a.AppID = v.(int64)
		a.Slug, a.Owner, a.Permissions = "", "", nil
	}
	// What a read shows of the proxy, written back, must not overwrite its password.
	if v, ok := d.GetOk("proxy_url"); ok && v.(string) != a.redactedProxyURL() {
		a.ProxyURL = v.(string)
	}
	if v, ok := d.GetOk("request_timeout"); ok {
		a.RequestTimeout = time.Duration(v.(int)) * time.Second
	}
	if v, ok := d.GetOk("max_concurrent_requests"); ok {
		a.MaxConcurrent = v.(int64)
	}
	if v, ok := d.GetOk("disabled"); ok {
		a.Disabled = v.(bool)
	}
}

func (b *backend) readApp(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name, err := appName(d)
	if err != nil {
		return nil, err
	}
	a, err := loadApp(ctx, req.Storage, name)
	if err != nil || a == nil {
		return nil, err
	}
	return &logical.Response{Data: a.read()}, nil
}

// read is the App as a read answers it: never its key.
func (a *app) read() map[string]any {
	data := map[string]any{
		"base_url":                a.BaseURL,
		"ca_pem":                  a.CAPEM,
		"proxy_url":               a.redactedProxyURL(),
		"request_timeout":         int(a.RequestTimeout.Seconds()),
		"max_concurrent_requests": a.MaxConcurrent,
		"disabled":                a.Disabled,
		"client_id":               a.ClientID,
		"fingerprint":             a.Fingerprint,
		"slug":                    a.Slug,
		"owner":                   a.Owner,
	}
	if a.AppID != 0 {
		data["app_id"] = a.AppID
	}
	if !a.KeyWritten.IsZero() {
		data["key_written"] = a.KeyWritten.UTC().Format(time.RFC3339)
	}
	if len(a.Permissions) > 0 {
		data["permissions"] = a.Permissions
	}
	return data
}

func (b *backend) deleteApp(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name, err := appName(d)
	if err != nil {
		return nil, err
	}
	if err := remove(ctx, req.Storage, appStorage+name); err != nil {
		return nil, err
	}
	b.apps.drop(name)
	b.metrics.forget("app", name)
	var users []string
	err = eachRole(ctx, req.Storage, func(r *role) {
		if r.App == name {
			users = append(users, r.Name)
		}
	})
	if err != nil || len(users) == 0 {
		return nil, err
	}
	resp := &logical.Response{}
	resp.AddWarning(fmt.Sprintf("these roles use the App %q and refuse until it is written again: %s", name, strings.Join(users, ", ")))
	return resp, nil
}

func (b *backend) listApps(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	return listNames(ctx, req.Storage, appStorage)
}
