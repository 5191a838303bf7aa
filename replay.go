package githubsecrets

import (
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/vault/sdk/framework"

	"vault-plugin-secrets-github/internal/policy"
)

// Proposal is a role that is not written yet, or limits, to try on past requests.
type Proposal struct {
	role   *role
	limits *limits
}

// NewProposal checks a role's fields, and those of the mount's limits, as their
// writes do: as vault read -format=json shows them. No limits are nil. Whether
// the App and the issuer exist is not looked at.
func NewProposal(name string, roleData, limitsData map[string]any) (*Proposal, error) {
	if err := validateName("a role", name); err != nil {
		return nil, err
	}
	p := &Proposal{
		role:   &role{Name: name, App: defaultApp, Issuer: defaultIssuer, RepositorySelection: selectedRepositories},
		limits: &limits{},
	}
	written, err := parseFields(roleData, roleFields())
	if err != nil {
		return nil, err
	}
	p.role.apply(written)
	if err := p.role.validate(); err != nil {
		return nil, err
	}
	if written, err = parseFields(limitsData, limitsFields()); err != nil {
		return nil, err
	}
	p.limits.apply(written)
	return p, p.limits.validate()
}

// parseFields is a write's data, outside of a request.
func parseFields(data map[string]any, schema map[string]*framework.FieldSchema) (*framework.FieldData, error) {
	parsed := make(map[string]any, len(data))
	for _, name := range slices.Sorted(maps.Keys(data)) {
		field := schema[name]
		if field == nil {
			return nil, unknownParameter(name, &framework.Path{Fields: schema}, true)
		}
		value, err := parseParameter(field.Type, data[name])
		if err != nil {
			return nil, badRequestf("parameter %q: %s", name, err)
		}
		parsed[name] = value
	}
	return &framework.FieldData{Raw: parsed, Schema: schema}, nil
}

// Claims are those that the role's rules and templates need; "*" if a condition
// computes their names.
func (p *Proposal) Claims() []string { return p.role.rules.Claims() }

// Disabled reports whether the role refuses everyone.
func (p *Proposal) Disabled() bool { return p.role.Disabled }

// Decide is what the engine would decide. Where the role leaves the TTL to the
// mount it is taken to be GitHub's hour.
func (p *Proposal) Decide(caller policy.Caller, request policy.Request, at time.Time) policy.Decision {
	ttl := p.role.leaseTTL(func() time.Duration { return maxTokenTTL })
	return policy.Decide(p.role.rules, p.limits.compiled, caller, request, ttl, at)
}
