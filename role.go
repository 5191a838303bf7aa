package githubsecrets

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
)

const (
	roleStorage = "roles/"

	// maxRepositories is the most that GitHub takes in one request.
	maxRepositories = 500
	// maxPermissions is well above the number that GitHub documents.
	maxPermissions = 200
	// maxTokenTTL is how long GitHub lets every installation token live.
	maxTokenTTL = time.Hour

	selectedRepositories = "selected"
	allRepositories      = "all"
)

// role says which token of which App may be had, and for how long. Its fields
// are as the administrator wrote them, so that a read shows no drift; scope
// puts them into GitHub's form.
type role struct {
	Name string `json:"-"`

	App                 string            `json:"app"`
	Organization        string            `json:"organization,omitempty"`
	InstallationID      int64             `json:"installation_id,omitempty"`
	Repositories        []string          `json:"repositories,omitempty"`
	RepositoryIDs       []int64           `json:"repository_ids,omitempty"`
	RepositorySelection string            `json:"repository_selection"`
	Permissions         map[string]string `json:"permissions"`
	TTL                 time.Duration     `json:"ttl,omitempty"`
	MaxTTL              time.Duration     `json:"max_ttl,omitempty"`
	Description         string            `json:"description,omitempty"`
	Disabled            bool              `json:"disabled,omitempty"`
}

// validate checks every field. It is the one place that says what a role may be.
func (r *role) validate() error {
	for _, check := range []func() error{
		r.validateApp, r.validateAccount, r.validateRepositories, r.validatePermissions, r.validateTTL,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (r *role) validateApp() error {
	return validateName("App", r.App)
}

func (r *role) validateAccount() error {
	switch {
	case r.Organization == "" && r.InstallationID == 0:
		return badRequestf("give organization (a user account's name will do) or installation_id")
	case r.Organization != "" && r.InstallationID != 0:
		return badRequestf("give either organization or installation_id, not both")
	case r.Organization != "" && !loginPattern.MatchString(r.Organization):
		return badRequestf("organization: %s is not the name of a GitHub account: letters, digits and '-'", quote(r.Organization))
	}
	return nil
}

func (r *role) validateRepositories() error {
	named := len(r.Repositories) + len(r.RepositoryIDs)
	switch r.RepositorySelection {
	case selectedRepositories:
		if named == 0 {
			return badRequestf("name repositories or repository_ids, or say repository_selection=all to mean every repository of the installation")
		}
	case allRepositories:
		if named > 0 {
			return badRequestf("repository_selection=all and repositories or repository_ids exclude each other")
		}
	default:
		return badRequestf("repository_selection: %s is neither selected nor all", quote(r.RepositorySelection))
	}
	if named > maxRepositories {
		return badRequestf("%d repositories are too many: GitHub takes %d for one token", named, maxRepositories)
	}
	seen := map[string]bool{}
	for _, written := range r.Repositories {
		name, err := r.bareName(written)
		if err != nil {
			return err
		}
		if key := strings.ToLower(name); seen[key] {
			return badRequestf("repositories: %s is named twice", quote(written))
		} else {
			seen[key] = true
		}
	}
	seenIDs := map[int64]bool{}
	for _, id := range r.RepositoryIDs {
		if seenIDs[id] {
			return badRequestf("repository_ids: %d is named twice", id)
		}
		seenIDs[id] = true
	}
	return nil
}

// bareName is the repository's name without its owner, who must be the role's
// organization.
func (r *role) bareName(written string) (string, error) {
	name := written
	if owner, rest, ok := strings.Cut(written, "/"); ok {
		switch {
		case r.Organization == "":
			return "", badRequestf("repositories: give %s without its owner, or name the organization of the role", quote(written))
		case !strings.EqualFold(owner, r.Organization):
			return "", badRequestf("repositories: %s is not of the role's organization %q", quote(written), r.Organization)
		}
		name = rest
	}
	if !repositoryPattern.MatchString(name) || name == "." || name == ".." {
		return "", badRequestf("repositories: %s is not the name of a repository: up to 100 letters, digits, '-', '_', '.'", quote(written))
	}
	return name, nil
}

func (r *role) validatePermissions() error {
	if len(r.Permissions) == 0 {
		return badRequestf("permissions are missing: name each, as in permissions=contents=read; there is no word for all")
	}
	if len(r.Permissions) > maxPermissions {
		return badRequestf("%d permissions are more than GitHub has", len(r.Permissions))
	}
	seen := map[string]bool{}
	for written, level := range r.Permissions {
		name := permissionName(written)
		switch {
		case !permissionPattern.MatchString(name):
			return badRequestf("permissions: %s is not the name of a permission: small letters and '_', as in pull_requests", quote(written))
		case seen[name]:
			return badRequestf("permissions: %s is named twice", quote(name))
		case !slices.Contains(permissionLevels, level):
			return badRequestf("permissions: %s for %s is not a level: read, write or admin", quote(level), quote(written))
		}
		seen[name] = true
	}
	return nil
}

func (r *role) validateTTL() error {
	for name, d := range map[string]time.Duration{"ttl": r.TTL, "max_ttl": r.MaxTTL} {
		if d > maxTokenTTL {
			return badRequestf("%s: %s is more than 1h, the life of every installation token", name, d)
		}
	}
	if r.MaxTTL != 0 && r.TTL > r.MaxTTL {
		return badRequestf("ttl: %s is more than max_ttl, %s", r.TTL, r.MaxTTL)
	}
	return nil
}

// warnings are what an administrator should hear of a role that is allowed.
func (r *role) warnings() []string {
	var unknown []string
	for written := range r.Permissions {
		if name := permissionName(written); !githubapp.KnownPermission(name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return []string{fmt.Sprintf("permissions: %s: not among the names that GitHub documents; it is sent as it is, and GitHub refuses the token if it is misspelt",
		strings.Join(unknown, ", "))}
}

// scope is what GitHub is asked for.
func (r *role) scope() (githubapp.TokenRequest, error) {
	want := githubapp.TokenRequest{
		RepositoryIDs:   r.RepositoryIDs,
		AllRepositories: r.RepositorySelection == allRepositories,
		Permissions:     make(map[string]string, len(r.Permissions)),
	}
	for _, written := range r.Repositories {
		name, err := r.bareName(written)
		if err != nil {
			return want, err
		}
		want.Repositories = append(want.Repositories, name)
	}
	for written, level := range r.Permissions {
		want.Permissions[permissionName(written)] = level
	}
	return want, nil
}

// leaseTTL is how long a lease lasts: what was asked for, at most what the role
// gives; the mount's default, at most max_ttl, where the role names no ttl. The
// default is asked for only then: to a plugin it is a call to Vault.
func (r *role) leaseTTL(asked time.Duration, mountDefault func() time.Duration) (time.Duration, error) {
	allowed := r.TTL
	if allowed == 0 {
		allowed = min(mountDefault(), r.leaseMaxTTL())
	}
	if asked > allowed {
		return 0, refusalf("ttl: %s is more than the %s that the role %q allows; ask for less, or leave ttl out", asked, allowed, r.Name)
	}
	if asked != 0 {
		return asked, nil
	}
	return allowed, nil
}

// leaseMaxTTL is how long a lease can be kept alive.
func (r *role) leaseMaxTTL() time.Duration {
	if r.MaxTTL != 0 {
		return r.MaxTTL
	}
	return maxTokenTTL
}

var (
	loginPattern      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	repositoryPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	permissionPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)
	namePattern       = regexp.MustCompile(`^[A-Za-z0-9._-]{1,256}$`)

	permissionLevels = []string{"read", "write", "admin"}
)

// permissionName is GitHub's spelling: workflow files write pull-requests.
func permissionName(written string) string { return strings.ReplaceAll(written, "-", "_") }

// validateName checks the name of a thing in this mount. Vault's storage takes
// no key with "..".
func validateName(what, name string) error {
	if !namePattern.MatchString(name) || strings.Contains(name, "..") || name == "." {
		return badRequestf("%s is not the name of a %s: up to 256 letters, digits, '_', '-' and single dots", quote(name), what)
	}
	return nil
}

// loadRole reads a role from storage; nil if there is none.
func loadRole(ctx context.Context, storage logical.Storage, name string) (*role, error) {
	entry, err := storage.Get(ctx, roleStorage+name)
	if err != nil {
		return nil, fmt.Errorf("read role %q: %w", name, err)
	}
	if entry == nil {
		return nil, nil
	}
	r := &role{Name: name}
	if err := entry.DecodeJSON(r); err != nil {
		return nil, fmt.Errorf("decode role %q: %w", name, err)
	}
	return r, nil
}

// usableRole returns a role that may be used for a token now.
func (b *backend) usableRole(ctx context.Context, req *logical.Request, name string) (*role, error) {
	if err := validateName("role", name); err != nil {
		return nil, err
	}
	r, err := b.roles.get(name, func() (*role, error) { return loadRole(ctx, req.Storage, name) })
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		return nil, badRequestf("unknown role %q; vault list %sroles shows those that exist", name, req.MountPoint)
	case r.Disabled:
		return nil, refusalf("the role %q is disabled; an administrator enables it with disabled=false", name)
	}
	return r, nil
}

// ids are the repository ids as the framework gives them.
func ids(list []int) []int64 {
	out := make([]int64, len(list))
	for i, id := range list {
		out[i] = int64(id)
	}
	return out
}

// idText keeps an id's digits where JSON would make it a float.
func idText(id int64) string { return strconv.FormatInt(id, 10) }
