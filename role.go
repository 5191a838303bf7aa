package githubsecrets

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/policy"
)

const (
	roleStorage = "roles/"

	// maxPermissions is well above the number that GitHub documents.
	maxPermissions = 200

	selectedRepositories = "selected"
	allRepositories      = "all"
)

// role says which token of which App may be had, by whom, and for how long. Its
// fields are as the administrator wrote them, so that a read shows no drift;
// what they mean is policy's.
type role struct {
	Name string `json:"-"`

	App    string `json:"app"`
	Issuer string `json:"issuer"`

	Organization        string            `json:"organization,omitempty"`
	InstallationID      int64             `json:"installation_id,omitempty"`
	Repositories        []string          `json:"repositories,omitempty"`
	RepositoryIDs       []string          `json:"repository_ids,omitempty"`
	RepositorySelection string            `json:"repository_selection"`
	Permissions         map[string]string `json:"permissions"`

	BoundSubjects   []string       `json:"bound_subjects,omitempty"`
	BoundClaims     map[string]any `json:"bound_claims,omitempty"`
	BoundClaimsType string         `json:"bound_claims_type,omitempty"`
	Condition       string         `json:"condition,omitempty"`
	RequireIDToken  bool           `json:"require_id_token,omitempty"`

	TTL         time.Duration `json:"ttl,omitempty"`
	MaxTTL      time.Duration `json:"max_ttl,omitempty"`
	Description string        `json:"description,omitempty"`
	Disabled    bool          `json:"disabled,omitempty"`

	// rules is the role, compiled.
	rules *policy.Role
}

// validate checks every field and compiles the rules.
func (r *role) validate() error {
	if err := validateName("an App", r.App); err != nil {
		return err
	}
	if err := validateName("an issuer", r.Issuer); err != nil {
		return err
	}
	if r.RepositorySelection != selectedRepositories && r.RepositorySelection != allRepositories {
		return badRequestf("repository_selection: %s is neither selected nor all", quote(r.RepositorySelection))
	}
	spec, err := r.spec()
	if err != nil {
		return err
	}
	if r.rules, err = policy.Compile(spec); err != nil {
		return badRequestf("%s", err)
	}
	return nil
}

// spec is the role in the form that policy compiles.
func (r *role) spec() (policy.Spec, error) {
	permissions, err := normalPermissions(r.Permissions)
	if err != nil {
		return policy.Spec{}, err
	}
	claims := make(map[string][]any, len(r.BoundClaims))
	for name, value := range r.BoundClaims {
		if list, ok := value.([]any); ok {
			claims[name] = list
		} else {
			claims[name] = []any{value}
		}
	}
	return policy.Spec{
		Organization: r.Organization, InstallationID: r.InstallationID,
		Repositories: r.Repositories, RepositoryIDs: r.RepositoryIDs,
		AllRepositories: r.RepositorySelection == allRepositories,
		Permissions:     permissions,
		TTL:             r.TTL, MaxTTL: r.MaxTTL,
		BoundSubjects: r.BoundSubjects, BoundClaims: claims, BoundClaimsType: r.BoundClaimsType,
		Condition: r.Condition, RequireIDToken: r.RequireIDToken,
	}, nil
}

// normalPermissions puts permissions into GitHub's spelling: workflow files
// write pull-requests.
func normalPermissions(written map[string]string) (map[string]string, error) {
	if len(written) > maxPermissions {
		return nil, badRequestf("permissions: %d are more than GitHub has", len(written))
	}
	normal := make(map[string]string, len(written))
	for name, level := range written {
		name = strings.ReplaceAll(name, "-", "_")
		if _, twice := normal[name]; twice {
			return nil, badRequestf("permissions: %s is named twice", quote(name))
		}
		normal[name] = level
	}
	return normal, nil
}

// checkIssuer refuses a role whose rules nobody can ever meet, because its
// issuer provides none of the claims that they need.
func (r *role) checkIssuer(i *issuer, mount string) error {
	switch {
	case !r.rules.Binds():
		return nil
	case i == nil:
		return badRequestf("issuer: the role binds who may have its tokens, and the issuer %q that is to vouch for them is not configured; write it to %sissuers/%s first", r.Issuer, mount, r.Issuer)
	case r.RequireIDToken && !i.verifies():
		return badRequestf("require_id_token: the issuer %q does not verify ID tokens; give it oidc_discovery_url, bound_issuer and bound_audiences", r.Issuer)
	}
	for _, claim := range r.rules.Claims() {
		if claim != anyClaim && !i.provides(claim) {
			return badRequestf("the claim %q, which a rule or template of the role needs, can never be had: it is neither the user_claim nor among the stable_claims of the issuer %q, and that does not verify ID tokens", claim, r.Issuer)
		}
	}
	return nil
}

// anyClaim is policy's word for a condition that looks claims up by names that
// it computes.
const anyClaim = "*"

// leaseMaxTTL is how long a lease can be kept alive.
func (r *role) leaseMaxTTL() time.Duration {
	if r.MaxTTL != 0 {
		return r.MaxTTL
	}
	return maxTokenTTL
}

// leaseTTL is how long a lease lasts unless less is asked for.
func (r *role) leaseTTL(mountDefault func() time.Duration) time.Duration {
	if r.TTL != 0 {
		return r.TTL
	}
	return min(mountDefault(), r.leaseMaxTTL())
}

// maxTokenTTL is how long GitHub lets every installation token live.
const maxTokenTTL = time.Hour

var namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,256}$`)

// validateName checks the name of a thing in this mount. Vault's storage takes
// no key with "..".
func validateName(what, name string) error {
	if !namePattern.MatchString(name) || strings.Contains(name, "..") || name == "." {
		return badRequestf("%s is not the name of %s: up to 256 letters, digits, '_', '-' and single dots", quote(name), what)
	}
	return nil
}

// loadRole reads a role from storage; nil if there is none. Its rules are not
// compiled.
func loadRole(ctx context.Context, storage logical.Storage, name string) (*role, error) {
	r := &role{Name: name}
	found, err := load(ctx, storage, roleStorage+name, r)
	if err != nil || !found {
		return nil, err
	}
	return r, nil
}

// eachRole visits every role, by name.
func eachRole(ctx context.Context, storage logical.Storage, visit func(*role)) error {
	names, err := storage.List(ctx, roleStorage)
	if err != nil {
		return fmt.Errorf("list roles: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		r, err := loadRole(ctx, storage, name)
		if err != nil {
			return err
		}
		if r != nil {
			visit(r)
		}
	}
	return nil
}

// usableRole returns a role that may be used for a token now.
func (b *backend) usableRole(ctx context.Context, req *logical.Request, name string) (*role, error) {
	if err := validateName("a role", name); err != nil {
		return nil, err
	}
	r, err := b.roles.get(name, func() (*role, error) {
		r, err := loadRole(ctx, req.Storage, name)
		if err != nil || r == nil {
			return nil, err
		}
		if err := r.validate(); err != nil {
			return nil, fmt.Errorf("stored role %q: %w", name, err)
		}
		return r, nil
	})
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		return nil, unknownRole(name, req)
	case r.Disabled:
		return nil, refusalf("the role %q is disabled; an administrator enables it with disabled=false", name)
	}
	return r, nil
}

func unknownRole(name string, req *logical.Request) error {
	return badRequestf("unknown role %q; vault list %sroles shows those that exist", name, req.MountPoint)
}

// idText keeps an id's digits where JSON would make it a float.
func idText(id int64) string { return strconv.FormatInt(id, 10) }

// idOrTemplate is a repository_ids item as a read shows it: a number, unless it
// is a template.
func idOrTemplate(item string) any {
	if id, err := strconv.ParseInt(item, 10, 64); err == nil {
		return json.Number(idText(id))
	}
	return item
}
