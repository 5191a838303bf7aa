package githubsecrets

// Who is asking. What is defended against here is a confused deputy: Vault keeps
// the claims of a login as metadata of the entity's alias, and every login of
// the same alias overwrites them. Two jobs that share an alias, one on the main
// branch and one on a pull request, are both seen with the claims of whichever
// logged in last. So of what Vault knows only this is trusted: the alias name on
// the issuer's auth mount, and metadata that an administrator declared to be a
// function of it (stable_claims). A claim that varies between the jobs of one
// repository must stand in the alias name itself, or come from the job's own ID
// token, verified here and tied to the caller: its user_claim must be the
// caller's alias name.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/idtoken"
	"vault-plugin-secrets-github/internal/policy"
)

// idTokenHeader carries a job's ID token where the mount's
// passthrough_request_headers names it.
const idTokenHeader = "X-CI-Id-Token"

// caller is the policy's view of who asks, with the claims that are this job's.
func (b *backend) caller(ctx context.Context, req *logical.Request, i *issuer, rawIDToken string) (policy.Caller, error) {
	entity, alias, err := b.aliasOf(req, i)
	if err != nil {
		return policy.Caller{}, err
	}
	caller := policy.Caller{
		Subject: alias.Name, EntityID: entity.ID, EntityName: entity.Name, Metadata: entity.Metadata,
	}
	if req.Connection != nil {
		caller.RemoteAddress = req.Connection.RemoteAddr
	}
	if rawIDToken == "" {
		caller.Claims = stableClaims(i, alias)
		return caller, nil
	}
	caller.Claims, err = verifiedClaims(ctx, i, alias, rawIDToken)
	caller.Verified = true
	return caller, err
}

// displayedSubject names a caller whose identity decides nothing: its alias if
// it has just one, else what Vault displays.
func (b *backend) displayedSubject(req *logical.Request) (string, error) {
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

// groupsOf names the caller's groups, also inherited ones.
func (b *backend) groupsOf(entityID string) ([]string, error) {
	groups, err := b.System().GroupsForEntity(entityID)
	if err != nil {
		return nil, fmt.Errorf("read the caller's groups: %w", err)
	}
	names := make([]string, 0, len(groups))
	for _, g := range groups {
		names = append(names, g.Name)
	}
	return names, nil
}

// aliasOf returns the caller's one alias on the issuer's auth mount.
func (b *backend) aliasOf(req *logical.Request, i *issuer) (*logical.Entity, *logical.Alias, error) {
	if req.EntityID == "" {
		return nil, nil, refusalf("this Vault token has no entity; log in through the auth mount of the issuer %q", i.Name)
	}
	entity, err := b.System().EntityInfo(req.EntityID)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("read the caller's entity: %w", err)
	case entity == nil:
		return nil, nil, refusalf("this Vault token's entity does not exist any more; log in again")
	case entity.Disabled:
		return nil, nil, refusalf("the entity %q is disabled", entity.Name)
	}
	var found []*logical.Alias
	for _, alias := range entity.Aliases {
		if alias.MountAccessor == i.MountAccessor {
			found = append(found, alias)
		}
	}
	switch {
	case len(found) == 0:
		return nil, nil, refusalf("the entity %q has no alias on the auth mount of the issuer %q (accessor %s); log in through that mount", entity.Name, i.Name, i.MountAccessor)
	case len(found) > 1:
		return nil, nil, refusalf("the entity %q has %d aliases on the auth mount of the issuer %q, so it is not known which job asks; an administrator separates them", entity.Name, len(found), i.Name)
	case found[0].Name == "":
		return nil, nil, refusalf("the alias of the entity %q has no name", entity.Name)
	}
	return entity, found[0], nil
}

// stableClaims are the claims that hold for every job of the alias.
func stableClaims(i *issuer, alias *logical.Alias) map[string]any {
	claims := map[string]any{}
	for _, claim := range i.StableClaims {
		value, ok := alias.Metadata[claim]
		if ok && (!idtoken.Varies(claim) || standsIn(alias.Name, claim, value)) {
			claims[claim] = value
		}
	}
	claims[i.UserClaim] = alias.Name
	return claims
}

// verifiedClaims are those of the job's ID token, if it is the caller's.
func verifiedClaims(ctx context.Context, i *issuer, alias *logical.Alias, raw string) (map[string]any, error) {
	if i.verifier == nil {
		return nil, badRequestf("id_token: the issuer %q does not verify ID tokens; leave it out, or let an administrator set oidc_discovery_url", i.Name)
	}
	claims, err := i.verifier.Verify(ctx, raw)
	var invalid *idtoken.InvalidError
	switch {
	case errors.As(err, &invalid):
		return nil, refusalf("id_token: %s", err)
	case err != nil:
		return nil, logical.CodedError(http.StatusBadGateway, fmt.Sprintf("id_token: the issuer %q: %s", i.Name, err))
	}
	if name, _ := claims[i.UserClaim].(string); name != alias.Name {
		return nil, refusalf("id_token: it is not this caller's: its %s is %s, and this Vault token belongs to %s; log in with the same ID token",
			i.UserClaim, quote(fmt.Sprint(claims[i.UserClaim])), quote(alias.Name))
	}
	return claims, nil
}

// presentedIDToken is the ID token of the request, from its body or header.
func presentedIDToken(req *logical.Request, d *framework.FieldData) (string, error) {
	body, _ := d.Get("id_token").(string)
	var header string
	for name, values := range maps.All(req.Headers) {
		if strings.EqualFold(name, idTokenHeader) && len(values) > 0 {
			header = values[0]
		}
	}
	switch {
	case body != "" && header != "" && body != header:
		return "", badRequestf("id_token and the header %s hold different ID tokens; give one", idTokenHeader)
	case body != "":
		return body, nil
	}
	return header, nil
}
