// Package permissionset turns the permission sets of the existing Vault plugin
// for GitHub (github.com/martinbaillie/vault-plugin-secrets-github) into roles
// of this engine.
//
// What such a set leaves out GitHub grants as a whole: every repository of the
// installation, every permission of the App. A role cannot be silent on either,
// so a set that is must be given a meaning.
package permissionset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Set is a permission set as the existing plugin reads it out.
type Set struct {
	Organization   string            `json:"org_name"`
	InstallationID int64             `json:"installation_id"`
	Repositories   []string          `json:"repositories"`
	RepositoryIDs  []int64           `json:"repository_ids"`
	Permissions    map[string]string `json:"permissions"`
}

// Parse reads the answer to a read of permissionset/NAME.
func Parse(data map[string]any) (Set, error) {
	var s Set
	if err := decode(data, &s); err != nil {
		return s, fmt.Errorf("not a permission set: %w", err)
	}
	return s, nil
}

// decode reads an answer of Vault's. Ids keep their digits.
func decode(data map[string]any, into any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// Meaning is what sets mean by what they leave out. What is not set here is
// refused.
type Meaning struct {
	// AllRepositories: no repositories are every repository, now and later.
	AllRepositories bool
	// Permissions: no permissions are these.
	Permissions map[string]string
	// Organization: no installation is the one on this account.
	Organization string
}

// Role is the part of a role that a set decides.
type Role struct {
	Organization   string            `json:"organization"`
	InstallationID int64             `json:"installation_id"`
	Repositories   []string          `json:"repositories"`
	RepositoryIDs  []any             `json:"repository_ids"` // numbers, or templates
	Selection      string            `json:"repository_selection"`
	Permissions    map[string]string `json:"permissions"`
}

// ParseRole reads the answer to a read of roles/NAME.
func ParseRole(data map[string]any) (Role, error) {
	var r Role
	if err := decode(data, &r); err != nil {
		return r, fmt.Errorf("not a role: %w", err)
	}
	return r, nil
}

// Convert returns the role of a set, or what must be said first, one sentence
// for each thing that the set leaves out.
func (m Meaning) Convert(s Set) (Role, []string) {
	r := Role{
		Organization: s.Organization, InstallationID: s.InstallationID,
		Repositories: s.Repositories, Selection: "selected", Permissions: s.Permissions,
	}
	for _, id := range s.RepositoryIDs {
		r.RepositoryIDs = append(r.RepositoryIDs, id)
	}
	var unsaid []string
	switch {
	case s.InstallationID != 0:
		r.Organization = "" // the existing plugin does not look at it then, either
	case s.Organization == "" && m.Organization == "":
		unsaid = append(unsaid, "no installation: --organization says on which account the App is installed")
	case s.Organization == "":
		r.Organization = m.Organization
	}
	if len(s.Repositories)+len(s.RepositoryIDs) == 0 {
		r.Selection = "all"
		if !m.AllRepositories {
			unsaid = append(unsaid, "no repositories, so every one of the installation, also later ones: --all-repositories if that is meant")
		}
	}
	if len(s.Permissions) == 0 {
		r.Permissions = m.Permissions
		if len(m.Permissions) == 0 {
			unsaid = append(unsaid, "no permissions, so all that the App has: --permission NAME=LEVEL, or --app-permissions for those that it has now")
		}
	}
	return r, unsaid
}

// Fields is the role as a write takes it.
func (r Role) Fields() map[string]any {
	fields := map[string]any{"permissions": r.Permissions}
	if r.InstallationID != 0 {
		fields["installation_id"] = r.InstallationID
	} else {
		fields["organization"] = r.Organization
	}
	if r.Selection == "all" {
		fields["repository_selection"] = r.Selection
		return fields
	}
	if len(r.Repositories) > 0 {
		fields["repositories"] = r.Repositories
	}
	if len(r.RepositoryIDs) > 0 {
		fields["repository_ids"] = r.RepositoryIDs
	}
	return fields
}

// Describe is the role for people, a line for each thing that it says.
func (r Role) Describe() []string {
	var lines []string
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, name+"="+value)
		}
	}
	add("organization", r.Organization)
	if r.InstallationID != 0 {
		add("installation_id", fmt.Sprint(r.InstallationID))
	}
	if r.Selection == "all" {
		add("repository_selection", r.Selection)
	}
	add("repositories", strings.Join(slices.Sorted(slices.Values(r.Repositories)), ","))
	add("repository_ids", ids(r.RepositoryIDs))
	add("permissions", pairs(r.Permissions))
	return lines
}

// Diff is what becomes of a role: lines of the old one that go, then lines of
// the new one that come. It is empty if they say the same.
func Diff(old, new Role) (gone, come []string) {
	before, after := old.Describe(), new.Describe()
	return without(before, after), without(after, before)
}

func without(lines, others []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(others, line) })
}

func ids(ids []any) string {
	var texts []string
	for _, id := range ids {
		texts = append(texts, fmt.Sprint(id))
	}
	slices.Sort(texts)
	return strings.Join(texts, ",")
}

func pairs(permissions map[string]string) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(permissions)) {
		texts = append(texts, name+"="+permissions[name])
	}
	return strings.Join(texts, ",")
}
