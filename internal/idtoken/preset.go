package idtoken

import (
	"errors"
	"fmt"
	"strings"
)

// Preset is what is known of a CI.
type Preset struct {
	DiscoveryURL string
	Issuer       string
	Algorithms   []string
	// UserClaim is the claim that Vault's JWT roles for this CI usually have as
	// their user_claim.
	UserClaim string
}

// PresetFor returns the settings of a CI. baseURL is that of a self-managed one,
// or empty; CircleCI needs the one of the organization.
func PresetFor(name, baseURL string) (Preset, error) {
	baseURL = strings.TrimRight(baseURL, "/")
	issuer, userClaim := "", ""
	switch name {
	case "github-actions":
		issuer, userClaim = "https://token.actions.githubusercontent.com", "repository"
		if baseURL != "" {
			issuer = baseURL + "/_services/token"
		}
	case "gitlab":
		issuer, userClaim = "https://gitlab.com", "project_path"
		if baseURL != "" {
			issuer = baseURL
		}
	case "buildkite":
		issuer, userClaim = "https://agent.buildkite.com", "pipeline_id"
		if baseURL != "" {
			issuer = baseURL
		}
	case "circleci":
		if baseURL == "" {
			return Preset{}, errors.New("preset circleci needs base_url: https://oidc.circleci.com/org/ORGANIZATION-ID")
		}
		issuer, userClaim = baseURL, "oidc.circleci.com/project-id"
	default:
		return Preset{}, fmt.Errorf("preset: %.100q is not one of github-actions, gitlab, buildkite, circleci", name)
	}
	return Preset{DiscoveryURL: issuer, Issuer: issuer, Algorithms: []string{"RS256"}, UserClaim: userClaim}, nil
}
