package githubsecrets

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
	"vault-plugin-secrets-github/internal/policy"
)

// drift is something that stands between a role and its tokens at GitHub: the
// role and the installation have grown apart.
type drift struct {
	role         string
	organization string // as the role names it
	problem      problem
	// permission is what is missing at the holder, an account or the App itself;
	// wanted and has are its levels.
	permission, holder, wanted, has string
}

// problem is the kind of a drift.
type problem string

const (
	notInstalled      problem = "not_installed"
	suspended         problem = "suspended"
	missingPermission problem = "missing_permission"
	// unresolved is a role whose organization is a template: it is known for each
	// job only.
	unresolved problem = "unresolved"
)

// String is a sentence for a person.
func (d drift) String() string {
	switch d.problem {
	case notInstalled:
		return fmt.Sprintf("role %q: the App is not installed on %s", d.role, d.organization)
	case suspended:
		return fmt.Sprintf("role %q: the installation on %s is suspended", d.role, d.organization)
	case missingPermission:
		return fmt.Sprintf("role %q: it asks for %s=%s, and %s has %s", d.role, d.permission, d.wanted, d.holder, orNone(d.has))
	default:
		return fmt.Sprintf("role %q: its organization %s depends on the job", d.role, d.organization)
	}
}

func orNone(level string) string {
	if level == "" {
		return "none"
	}
	return level
}

// data is the drift for a program.
func (d drift) data() map[string]any {
	data := map[string]any{"role": d.role, "organization": d.organization, "problem": string(d.problem)}
	if d.problem == missingPermission {
		data["permission"], data["wanted"], data["has"] = d.permission, d.wanted, orNone(d.has)
	}
	return data
}

// driftOf compares the enabled roles of an App with where it is installed.
func driftOf(ctx context.Context, storage logical.Storage, app string, info githubapp.AppInfo, installed []githubapp.Installation) (all []drift, err error) {
	err = eachRole(ctx, storage, func(r *role) {
		if r.App == app && !r.Disabled {
			all = append(all, r.drift(info, installed)...)
		}
	})
	return all, err
}

// drift compares the role with where its App is installed. Of a template only
// this is certain: what the App itself does not ask for, no installation has.
func (r *role) drift(info githubapp.AppInfo, installed []githubapp.Installation) []drift {
	at := drift{role: r.Name, organization: r.Organization}
	if r.Organization == "" {
		at.organization = "installation " + idText(r.InstallationID)
	}
	if strings.Contains(r.Organization, "{{") {
		at.problem = unresolved
		return append([]drift{at}, r.missing(at, "the App", info.Permissions)...)
	}
	found := slices.IndexFunc(installed, func(i githubapp.Installation) bool {
		if r.InstallationID != 0 {
			return i.ID == r.InstallationID
		}
		return strings.EqualFold(i.Account, r.Organization)
	})
	if found < 0 {
		at.problem = notInstalled
		return []drift{at}
	}
	var all []drift
	if installed[found].Suspended {
		at.problem = suspended
		all = append(all, at)
	}
	return append(all, r.missing(at, at.organization, installed[found].Permissions)...)
}

// missing are the permissions that the role asks for beyond those that are there.
func (r *role) missing(at drift, holder string, granted map[string]string) (all []drift) {
	wanted, err := normalPermissions(r.Permissions)
	if err != nil {
		return nil // it was checked when the role was written
	}
	at.problem, at.holder = missingPermission, holder
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if !policy.LevelCovers(granted[name], wanted[name]) {
			at.permission, at.wanted, at.has = name, wanted[name], granted[name]
			all = append(all, at)
		}
	}
	return all
}
