package idtoken

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Preset is what is known of a CI.
type Preset struct {
	DiscoveryURL string
	Issuer       string
	Algorithms   []string
	// UserClaim is the claim that Vault's JWT roles for this CI usually have as
	// their user_claim.
	UserClaim string
	// StableClaims are the same for all jobs with the same UserClaim, so that an
	// administrator can declare them as stable_claims.
	StableClaims []string
}

// PresetFor returns the settings of a CI. baseURL is that of a self-managed one,
// or empty; CircleCI needs the one of the organization.
func PresetFor(name, baseURL string) (Preset, error) {
	if baseURL != "" {
		if err := checkURL(baseURL); err != nil {
			return Preset{}, fmt.Errorf("base_url: %w", err)
		}
	}
	baseURL = strings.TrimRight(baseURL, "/")
	switch name {
	case "github-actions":
		issuer, err := actionsIssuer(baseURL)
		return preset(issuer, "repository", "repository_id", "repository_owner", "repository_owner_id", "repository_visibility"), err
	case "gitlab":
		issuer := cmp.Or(baseURL, "https://gitlab.com")
		return preset(issuer, "project_path", "project_id", "namespace_path", "namespace_id"), nil
	case "buildkite":
		// Slugs are not unique: every organization has this issuer. A job asks for
		// the ID with --claim pipeline_id.
		issuer := cmp.Or(baseURL, "https://agent.buildkite.com")
		return preset(issuer, "pipeline_id", "pipeline_slug", "organization_slug", "organization_id"), nil
	case "circleci":
		if baseURL == "" {
			return Preset{}, errors.New("preset circleci needs base_url: https://oidc.circleci.com/org/ORGANIZATION-ID")
		}
		return preset(baseURL, "oidc.circleci.com/project-id", "oidc.circleci.com/org-id"), nil
	}
	return Preset{}, fmt.Errorf("preset: %.100q is not one of github-actions, gitlab, buildkite, circleci", name)
}

func preset(issuer, userClaim string, stableClaims ...string) Preset {
	return Preset{
		DiscoveryURL: issuer, Issuer: issuer, Algorithms: []string{string(jose.RS256)},
		UserClaim: userClaim, StableClaims: stableClaims,
	}
}

// actionsIssuer is the issuer of GitHub Actions: github.com's, or that of GitHub
// Enterprise at a URL.
//
// https://docs.github.com/en/enterprise-cloud@latest/actions/reference/security/oidc
func actionsIssuer(baseURL string) (string, error) {
	const host = "token.actions."
	u, err := url.Parse(baseURL)
	switch {
	case err != nil:
		return "", errors.New("base_url: it is not a URL")
	case baseURL == "":
		return "https://" + host + "githubusercontent.com", nil
	case strings.HasPrefix(u.Host, host): // it is the issuer, with an enterprise's slug
		return baseURL, nil
	case u.Path != "" || u.RawQuery != "":
		return "", fmt.Errorf("base_url: give the host alone: %s://%s", u.Scheme, u.Host)
	case strings.HasSuffix(u.Host, ".ghe.com"): // GitHub Enterprise Cloud with data residency
		return "https://" + host + u.Host, nil
	}
	return baseURL + "/_services/token", nil // GitHub Enterprise Server
}
