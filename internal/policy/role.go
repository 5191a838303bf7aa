// Package policy decides whether a caller may have a token, and for what: the
// caller's claims, the role, the request and the mount's limits go in, a grant
// or a refusal comes out. It knows neither Vault nor GitHub's API, and time is
// an argument, so a decision can be repeated and tested.
//
// Whatever cannot be decided is refused: a claim that is missing, a template
// that cannot be filled in, a condition that fails to evaluate.
package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// maxRepositories is the most that GitHub takes in one request.
	maxRepositories = 500
	// maxTokenTTL is how long GitHub lets every installation token live.
	maxTokenTTL = time.Hour
)

// Spec is a role as an administrator wrote it.
type Spec struct {
	// Organization is the account that the App is installed on, InstallationID
	// the same by its number: one of the two is given.
	Organization   string
	InstallationID int64

	// Repositories are names with or without their owner, RepositoryIDs GitHub's
	// ids in digits. They and Organization may hold templates: {{claims.NAME}}.
	Repositories    []string
	RepositoryIDs   []string
	AllRepositories bool
	// Permissions are levels (read, write, admin) by GitHub's names.
	Permissions map[string]string

	// TTL and MaxTTL are 0 where the role names none.
	TTL, MaxTTL time.Duration

	// BoundSubjects are globs, one of which the caller's subject matches.
	BoundSubjects []string
	// BoundClaims are the values that each claim may have; of a claim that is a
	// list, one element must. A name that begins with "/" is a JSON pointer. Types
	// count: true is not "true", and 5 not "5", but 5 is 5.0.
	BoundClaims map[string][]any
	// BoundClaimsType is "string", also if empty, or "glob".
	BoundClaimsType string
	// Condition is a CEL expression; see [Compile] for what it may use.
	Condition string
	// RequireIDToken refuses callers who present no ID token.
	RequireIDToken bool
}

// Role is a checked Spec, ready to decide with. It is safe for concurrent use.
type Role struct {
	spec Spec
	// fixed is the part of the scope that holds no template; the rest is filled
	// in for each caller.
	fixed         scope
	organization  *template
	repositories  []template
	repositoryIDs []template

	claims    []boundClaim
	condition *condition
}

// Compile checks a role and makes it ready to decide with. The spec must not be
// changed afterwards. Errors are sentences that name the field, the value seen
// and what is wanted.
//
// A condition is a CEL expression of type bool over
//
//	claims                   the caller's claims (map)
//	identity.entity_id       of the caller in Vault (string)
//	identity.entity_name     (string)
//	identity.alias_name      the subject (string)
//	identity.groups          names of the entity's groups (list of string)
//	identity.metadata        the entity's metadata (map of string)
//	request.permissions      what the token would be good for (map of string)
//	request.ttl              how long its lease would last (duration)
//	request.repositories     names of the repositories it would be for (list of string)
//	request.repository_ids   their ids (list of int)
//	request.remote_address   where the request came from (string)
//	now                      (timestamp)
//
// with CEL's standard functions and its strings extension. request is what would
// be granted, also where the request leaves it to the role, so that a condition
// cannot be evaded by asking for nothing. Repositories are known by name or by
// id as the role and the request name them; using the list that is not known, or
// either list where the token would be for all repositories, refuses. Names are
// in the role's spelling, or in lower case where the role does not spell them.
// Using a claim that is not known because no ID token was presented refuses, too.
func Compile(spec Spec) (*Role, error) {
	role := &Role{spec: spec}
	for _, compile := range []func() error{
		role.compileAccount, role.compileSelection, role.compileRepositories, role.compileRepositoryIDs,
		role.checkPermissions, role.checkTTL, role.checkSubjects, role.compileClaims, role.compileCondition,
	} {
		if err := compile(); err != nil {
			return nil, err
		}
	}
	return role, nil
}

func (r *Role) compileAccount() error {
	switch {
	case r.spec.Organization == "" && r.spec.InstallationID == 0:
		return errors.New("give organization (a user account's name will do) or installation_id")
	case r.spec.Organization != "" && r.spec.InstallationID != 0:
		return errors.New("give either organization or installation_id, not both")
	case r.spec.InstallationID < 0 || r.spec.InstallationID > maxID:
		return fmt.Errorf("installation_id: %d is not an id: a whole number from 1 to %d", r.spec.InstallationID, int64(maxID))
	case r.spec.Organization == "":
		return nil
	}
	t, err := parseTemplate(r.spec.Organization)
	if err != nil {
		return fmt.Errorf("organization: %w", err)
	}
	if err := checkLogin(t.sample()); err != nil {
		return fmt.Errorf("organization: %w", err)
	}
	if t.literal() {
		r.fixed.organization = t.source
	} else {
		r.organization = &t
	}
	return nil
}

func (r *Role) compileSelection() error {
	r.fixed.all = r.spec.AllRepositories
	named := len(r.spec.Repositories) + len(r.spec.RepositoryIDs)
	switch {
	case named == 0 && !r.fixed.all:
		return errors.New("name repositories or repository_ids, or say repository_selection=all to mean every repository of the installation")
	case named > 0 && r.fixed.all:
		return errors.New("repository_selection=all and repositories or repository_ids exclude each other")
	case named > maxRepositories:
		return fmt.Errorf("%d repositories are too many: GitHub takes %d for one token", named, maxRepositories)
	}
	return nil
}

func (r *Role) compileRepositories() error {
	for _, written := range r.spec.Repositories {
		if err := r.compileRepository(written); err != nil {
			return fmt.Errorf("repositories: %w", err)
		}
	}
	return nil
}

func (r *Role) compileRepository(written string) error {
	t, err := parseTemplate(written)
	if err != nil {
		return err
	}
	// Whose repository it is may be open as well.
	if owned := strings.Contains(written, "/"); !t.literal() || owned && r.organization != nil {
		r.repositories = append(r.repositories, t)
		return r.checkRepositoryTemplate(t)
	}
	name, err := bareName(written, r.fixed.organization)
	if err != nil {
		return err
	}
	if containsName(r.fixed.names, name) {
		return fmt.Errorf("%s is named twice", quote(written))
	}
	r.fixed.names = append(r.fixed.names, name)
	return nil
}

// checkRepositoryTemplate refuses what no claim could make a repository's name.
func (r *Role) checkRepositoryTemplate(t template) error {
	name := t.sample()
	if _, bare, owned := strings.Cut(name, "/"); owned {
		if r.spec.Organization == "" {
			return fmt.Errorf("give %s without its owner, or name the organization of the role", quote(t.source))
		}
		name = bare
	}
	return checkRepository(name)
}

func (r *Role) compileRepositoryIDs() error {
	for _, written := range r.spec.RepositoryIDs {
		t, err := parseTemplate(written)
		if err != nil {
			return fmt.Errorf("repository_ids: %w", err)
		}
		id, err := parseID(t.sample())
		switch {
		case err != nil:
			return fmt.Errorf("repository_ids: %w", err)
		case !t.literal():
			r.repositoryIDs = append(r.repositoryIDs, t)
		case slices.Contains(r.fixed.ids, id):
			return fmt.Errorf("repository_ids: %d is named twice", id)
		default:
			r.fixed.ids = append(r.fixed.ids, id)
		}
	}
	return nil
}

func (r *Role) checkPermissions() error {
	if len(r.spec.Permissions) == 0 {
		return errors.New("permissions are missing: name each, as in permissions=contents=read; there is no word for all")
	}
	return checkPermissions(r.spec.Permissions)
}

func (r *Role) checkTTL() error {
	switch {
	case r.spec.TTL < 0 || r.spec.TTL > maxTokenTTL:
		return fmt.Errorf("ttl: %s is not between 0 and 1h, the life of every installation token", r.spec.TTL)
	case r.spec.MaxTTL < 0 || r.spec.MaxTTL > maxTokenTTL:
		return fmt.Errorf("max_ttl: %s is not between 0 and 1h, the life of every installation token", r.spec.MaxTTL)
	case r.spec.MaxTTL != 0 && r.spec.TTL > r.spec.MaxTTL:
		return fmt.Errorf("ttl: %s is more than max_ttl, %s", r.spec.TTL, r.spec.MaxTTL)
	}
	return nil
}

func (r *Role) checkSubjects() error {
	if slices.Contains(r.spec.BoundSubjects, "") {
		return errors.New(`bound_subjects: "" matches nobody; name a subject, or a glob such as "repo:acme/*"`)
	}
	return nil
}

func (r *Role) compileClaims() (err error) {
	r.claims, err = compileBoundClaims(r.spec.BoundClaims, r.spec.BoundClaimsType)
	return err
}

func (r *Role) compileCondition() (err error) {
	if r.spec.Condition != "" {
		r.condition, err = compileCondition(r.spec.Condition)
	}
	return err
}

// Claims names every top-level claim that a rule or a template of the role
// uses, sorted. "*" among them says that the condition may use any: it looks one
// up by a name that is not written in it, or uses the claims as a whole.
func (r *Role) Claims() []string {
	var names []string
	for _, t := range r.templates() {
		names = append(names, t.claims()...)
	}
	for _, claim := range r.claims {
		names = append(names, claim.topLevel())
	}
	if r.condition != nil {
		names = append(names, r.condition.claims...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Binds reports whether the role looks at who the caller is. One that does not
// trusts Vault's ACL policies alone.
func (r *Role) Binds() bool {
	return len(r.spec.BoundSubjects) > 0 || len(r.claims) > 0 || r.condition != nil ||
		r.spec.RequireIDToken || len(r.templates()) > 0
}

// TellsJobsApart reports whether some job would be refused for who it is. A role
// whose only rule is a condition on the request or the time binds, and does not.
func (r *Role) TellsJobsApart() bool {
	if r.condition != nil && !r.condition.caller {
		without := *r
		without.condition = nil
		return without.Binds()
	}
	return r.Binds()
}

// templates are those that claims are filled in to.
func (r *Role) templates() []template {
	templates := slices.Concat(r.repositories, r.repositoryIDs)
	if r.organization != nil {
		templates = append(templates, *r.organization)
	}
	return templates
}
