package githubsecrets

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/idtoken"
)

const (
	issuerHelp = `Say who may vouch for a job: an auth mount, and the CI's OIDC issuer.`

	issuerDescription = `
An issuer names the auth mount whose alias names are trusted (mount_accessor,
user_claim), the claims that are a function of the alias name (stable_claims),
and how a job's own ID token is verified here: oidc_discovery_url, jwks_url or
jwt_validation_pubkeys, with bound_issuer and bound_audiences. preset fills in
what is known of a CI. A claim that varies between jobs of one repository (ref,
event_name, environment …) counts as stable only while its name and value stand
in the alias name; else it needs the job's ID token.
`
)

func (b *backend) issuerPaths() []*framework.Path {
	fields := issuerFields()
	fields["name"] = &framework.FieldSchema{
		Type:        framework.TypeString,
		Description: "Name of the issuer; 'default' is the one that roles use unless they name another.",
	}
	fields["verify"] = &framework.FieldSchema{
		Type:        framework.TypeBool,
		Default:     true,
		Description: "Fetch the issuer's keys before it is written.",
	}
	return []*framework.Path{
		listPath("issuers/?$", "issuers", b.listIssuers),
		{
			Pattern:         "issuers/(?P<name>[^/]+)$",
			DisplayAttrs:    displayAttrs("issuer"),
			Fields:          fields,
			Operations:      handlers{b.writeIssuer, b.readIssuer, b.deleteIssuer}.operations("an issuer", issuerFields()),
			ExistenceCheck:  b.issuerExists,
			HelpSynopsis:    issuerHelp,
			HelpDescription: strings.TrimSpace(issuerDescription),
		},
	}
}

// issuerFields are what a write takes and a read answers.
func issuerFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"mount_accessor":         {Type: framework.TypeString, Description: "Accessor of the auth mount (vault auth list) whose alias names are trusted."},
		"user_claim":             {Type: framework.TypeString, Description: "user_claim of that mount's roles, which must all have the same: the claim that the alias name is."},
		"stable_claims":          {Type: framework.TypeCommaStringSlice, Description: "Alias metadata (claim_mappings of the mount's roles) that is a function of the alias name, on the administrator's word."},
		"preset":                 {Type: framework.TypeString, Description: "CI whose settings fill in what is not given: github-actions, gitlab, buildkite, circleci."},
		"base_url":               {Type: framework.TypeString, Description: "URL of the CI for preset, where it is self-managed."},
		"oidc_discovery_url":     {Type: framework.TypeString, Description: "URL below which /.well-known/openid-configuration names the issuer's keys."},
		"jwks_url":               {Type: framework.TypeString, Description: "URL of the issuer's keys, instead of oidc_discovery_url."},
		"jwt_validation_pubkeys": {Type: framework.TypeCommaStringSlice, Description: "PEM public keys of the issuer, instead of a URL."},
		"ca_pem":                 {Type: framework.TypeString, Description: "PEM certificates to trust for the URL, beside the system's."},
		"bound_issuer":           {Type: framework.TypeString, Description: "The iss that ID tokens must have. Required to verify them."},
		"bound_audiences":        {Type: framework.TypeCommaStringSlice, Description: "Audiences of which an ID token must have one. Required to verify them."},
		"jwt_supported_algs":     {Type: framework.TypeCommaStringSlice, Description: "Signature algorithms to take; RS256 unless set."},
		"disabled":               {Type: framework.TypeBool, Description: "Refuse every role of this issuer, new tokens and renewals."},
	}
}

func (b *backend) issuerExists(ctx context.Context, req *logical.Request, d *framework.FieldData) (bool, error) {
	name, err := nameOf("an issuer", d)
	if err != nil {
		return false, nil // the write itself says what is wrong
	}
	i, err := loadIssuer(ctx, req.Storage, name)
	return i != nil, err
}

func (b *backend) writeIssuer(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name, err := nameOf("an issuer", d)
	if err != nil {
		return nil, err
	}
	i, err := loadIssuer(ctx, req.Storage, name)
	if err != nil {
		return nil, err
	}
	if i == nil {
		i = &issuer{Name: name}
	}
	if err := i.apply(d); err != nil {
		return nil, err
	}
	if err := i.validate(b); err != nil {
		return nil, err
	}
	// A kill switch must work while the issuer does not.
	changed := anyGiven(d, "preset", "base_url", "oidc_discovery_url", "jwks_url", "jwt_validation_pubkeys", "ca_pem", "bound_issuer", "disabled")
	if i.verifier != nil && d.Get("verify").(bool) && changed && !i.Disabled {
		if err := i.verifier.Probe(ctx); err != nil {
			return nil, logical.CodedError(http.StatusBadGateway, fmt.Sprintf("the issuer's keys (verify=false writes it without them): %s", err))
		}
	}
	if err := store(ctx, req.Storage, issuerStorage+name, i); err != nil {
		return nil, err
	}
	b.issuers.drop(name)
	resp := &logical.Response{Data: i.read()}
	i.warnOfUnstableClaims(resp)
	return resp, warnOfLostRoles(ctx, req, i, name, resp)
}

// warnOfUnstableClaims names the stable_claims that the preset's CI is not known
// to keep the same for all jobs of one alias: what Vault remembers of such a
// claim is that of the job which logged in last.
func (i *issuer) warnOfUnstableClaims(resp *logical.Response) {
	preset, err := idtoken.PresetFor(i.Preset, i.BaseURL)
	if err != nil || i.UserClaim != preset.UserClaim {
		return
	}
	for _, claim := range i.StableClaims {
		if claim != preset.UserClaim && !slices.Contains(preset.StableClaims, claim) {
			resp.AddWarning(fmt.Sprintf("stable_claims: %s is not known to be the same for all jobs with one %s, so it may be another job's; known are %s",
				quote(claim), preset.UserClaim, strings.Join(preset.StableClaims, ", ")))
		}
	}
}

// warnOfLostRoles names the roles whose rules nobody can meet any more: the
// issuer, nil if it was deleted, does not provide what they need.
func warnOfLostRoles(ctx context.Context, req *logical.Request, i *issuer, name string, resp *logical.Response) error {
	var lost []string
	err := eachRole(ctx, req.Storage, func(r *role) {
		if r.Issuer == name && r.validate() == nil && r.checkIssuer(i, req.MountPoint) != nil {
			lost = append(lost, r.Name)
		}
	})
	if err == nil && len(lost) > 0 {
		resp.AddWarning(fmt.Sprintf("these roles need what the issuer %q does not provide now, and refuse: %s", name, strings.Join(lost, ", ")))
	}
	return err
}

// apply takes the fields that were given, then those of the preset that are
// still missing.
func (i *issuer) apply(d *framework.FieldData) error {
	for field, to := range map[string]*string{
		"mount_accessor": &i.MountAccessor, "user_claim": &i.UserClaim, "preset": &i.Preset, "base_url": &i.BaseURL,
		"oidc_discovery_url": &i.OIDCDiscoveryURL, "jwks_url": &i.JWKSURL, "ca_pem": &i.CAPEM, "bound_issuer": &i.BoundIssuer,
	} {
		if v, ok := d.GetOk(field); ok {
			*to = v.(string)
		}
	}
	for field, to := range map[string]*[]string{
		"stable_claims": &i.StableClaims, "jwt_validation_pubkeys": &i.PublicKeys,
		"bound_audiences": &i.BoundAudiences, "jwt_supported_algs": &i.Algorithms,
	} {
		if v, ok := d.GetOk(field); ok {
			*to = v.([]string)
		}
	}
	if v, ok := d.GetOk("disabled"); ok {
		i.Disabled = v.(bool)
	}
	return i.applyPreset()
}

func (i *issuer) applyPreset() error {
	if i.Preset == "" {
		if i.BaseURL != "" {
			return badRequestf("base_url is the preset's; name the preset, or give oidc_discovery_url")
		}
		return nil
	}
	preset, err := idtoken.PresetFor(i.Preset, i.BaseURL)
	if err != nil {
		return badRequestf("%s", err)
	}
	if !i.verifies() {
		i.OIDCDiscoveryURL = preset.DiscoveryURL
	}
	if i.BoundIssuer == "" {
		i.BoundIssuer = preset.Issuer
	}
	if len(i.Algorithms) == 0 {
		i.Algorithms = preset.Algorithms
	}
	if i.UserClaim == "" {
		i.UserClaim = preset.UserClaim
	}
	return nil
}

func (b *backend) readIssuer(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name, err := nameOf("an issuer", d)
	if err != nil {
		return nil, err
	}
	i, err := loadIssuer(ctx, req.Storage, name)
	if err != nil || i == nil {
		return nil, err
	}
	return &logical.Response{Data: i.read()}, nil
}

// read is the issuer in the form that a write takes.
func (i *issuer) read() map[string]any {
	data := map[string]any{"mount_accessor": i.MountAccessor, "user_claim": i.UserClaim, "disabled": i.Disabled}
	for field, value := range map[string]string{
		"preset": i.Preset, "base_url": i.BaseURL, "oidc_discovery_url": i.OIDCDiscoveryURL,
		"jwks_url": i.JWKSURL, "ca_pem": i.CAPEM, "bound_issuer": i.BoundIssuer,
	} {
		if value != "" {
			data[field] = value
		}
	}
	for field, list := range map[string][]string{
		"stable_claims": i.StableClaims, "jwt_validation_pubkeys": i.PublicKeys,
		"bound_audiences": i.BoundAudiences, "jwt_supported_algs": i.Algorithms,
	} {
		if len(list) > 0 {
			data[field] = list
		}
	}
	return data
}

func (b *backend) deleteIssuer(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	name, err := nameOf("an issuer", d)
	if err != nil {
		return nil, err
	}
	if err := remove(ctx, req.Storage, issuerStorage+name); err != nil {
		return nil, err
	}
	b.issuers.drop(name)
	resp := &logical.Response{}
	if err := warnOfLostRoles(ctx, req, nil, name, resp); err != nil || len(resp.Warnings) == 0 {
		return nil, err
	}
	return resp, nil
}

func (b *backend) listIssuers(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	return listNames(ctx, req.Storage, issuerStorage)
}
