package githubsecrets

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/idtoken"
)

const (
	issuerStorage = "issuers/"
	// defaultIssuer is the issuer that roles use unless they say otherwise.
	defaultIssuer = "default"
)

// issuer is who may vouch for a job: the auth mount whose alias names are
// trusted, and how the job's own ID token is verified here.
type issuer struct {
	Name string `json:"-"`

	MountAccessor string   `json:"mount_accessor"`
	UserClaim     string   `json:"user_claim"`
	StableClaims  []string `json:"stable_claims,omitempty"`

	Preset           string   `json:"preset,omitempty"`
	BaseURL          string   `json:"base_url,omitempty"`
	OIDCDiscoveryURL string   `json:"oidc_discovery_url,omitempty"`
	JWKSURL          string   `json:"jwks_url,omitempty"`
	PublicKeys       []string `json:"jwt_validation_pubkeys,omitempty"`
	CAPEM            string   `json:"ca_pem,omitempty"`
	BoundIssuer      string   `json:"bound_issuer,omitempty"`
	BoundAudiences   []string `json:"bound_audiences,omitempty"`
	Algorithms       []string `json:"jwt_supported_algs,omitempty"`
	Disabled         bool     `json:"disabled,omitempty"`

	// verifier is nil if the issuer does not verify ID tokens.
	verifier *idtoken.Verifier
}

// validate checks every field and makes the verifier.
func (i *issuer) validate(b *backend) error {
	if i.MountAccessor == "" {
		return badRequestf("mount_accessor is missing: vault auth list shows it (vault read -field=accessor sys/auth/jwt)")
	}
	if !claimPattern.MatchString(i.UserClaim) {
		return badRequestf("user_claim: %s is not the name of a claim; give the user_claim that the roles of the auth mount have", quote(i.UserClaim))
	}
	for _, claim := range i.StableClaims {
		if !claimPattern.MatchString(claim) {
			return badRequestf("stable_claims: %s is not the name of a claim", quote(claim))
		}
	}
	if !i.verifies() {
		i.verifier = nil
		return nil
	}
	verifier, err := idtoken.New(idtoken.Config{
		DiscoveryURL: i.OIDCDiscoveryURL, JWKSURL: i.JWKSURL, PublicKeys: i.PublicKeys, CAPEM: i.CAPEM,
		Issuer: i.BoundIssuer, Audiences: i.BoundAudiences, Algorithms: i.Algorithms, Now: b.now,
	})
	if err != nil {
		return badRequestf("%s", err)
	}
	i.verifier = verifier
	return nil
}

// verifies reports whether ID tokens are verified here.
func (i *issuer) verifies() bool {
	return i.OIDCDiscoveryURL != "" || i.JWKSURL != "" || len(i.PublicKeys) > 0
}

// keysFetched is when the keys of ID tokens were fetched; zero if they were not.
func (i *issuer) keysFetched() time.Time {
	if i.verifier == nil {
		return time.Time{}
	}
	return i.verifier.KeysFetched()
}

// provides reports whether a claim can be had of this issuer at all: from the
// job's ID token, or without one.
func (i *issuer) provides(claim string) bool {
	if i.verifies() || claim == i.UserClaim {
		return true
	}
	for _, stable := range i.StableClaims {
		if claim == stable {
			return true
		}
	}
	return false
}

var claimPattern = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,256}$`)

// standsIn reports whether an alias name, made of a composite subject like
// "repo:acme/api:ref:refs/heads/main", holds the claim with this value. The name
// must hold the claim's own name before the value: a job may call its
// environment "push", and must not pass for a push by it.
//
// Names of environments and workflows may hold colons, which GitHub Enterprise
// Server up to 3.18 does not escape; so nothing that stands behind one is
// believed, and of these themselves only what ends the name.
func standsIn(aliasName, claim, value string) bool {
	name := ":" + aliasName + ":"
	before, after, found := strings.Cut(name, ":"+claim+":"+value+":")
	if value == "" || !found {
		return false
	}
	for _, free := range []string{"environment", "workflow", "job_workflow"} {
		if strings.Contains(before, ":"+free) || strings.HasPrefix(claim, free) && after != "" {
			return false
		}
	}
	return true
}

// loadIssuer reads an issuer from storage; nil if there is none. Its verifier is
// not made.
func loadIssuer(ctx context.Context, storage logical.Storage, name string) (*issuer, error) {
	i := &issuer{Name: name}
	found, err := load(ctx, storage, issuerStorage+name, i)
	if err != nil || !found {
		return nil, err
	}
	return i, nil
}

// usableIssuer returns an issuer that may vouch for a job now.
func (b *backend) usableIssuer(ctx context.Context, req *logical.Request, name string) (*issuer, error) {
	i, err := b.issuers.get(name, func() (*issuer, error) {
		i, err := loadIssuer(ctx, req.Storage, name)
		if err != nil || i == nil {
			return nil, err
		}
		if err := i.validate(b); err != nil {
			return nil, fmt.Errorf("stored issuer %q: %w", name, err)
		}
		return i, nil
	})
	switch {
	case err != nil:
		return nil, err
	case i == nil:
		return nil, badRequestf("the issuer %q is not configured; an administrator writes it to %sissuers/%s", name, req.MountPoint, name)
	case i.Disabled:
		return nil, refusalf("the issuer %q is disabled; an administrator enables it with disabled=false", name)
	}
	return i, nil
}
