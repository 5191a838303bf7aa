package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxID is the largest whole number that JSON's readers agree on (RFC 8259,
// section 6); GitHub's ids are far below.
const maxID = 1<<53 - 1

var (
	loginPattern      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	repositoryPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	permissionPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)

	// permissionLevels are in order: each includes those before it.
	permissionLevels = []string{"read", "write", "admin"}
)

func checkLogin(name string) error {
	if !loginPattern.MatchString(name) {
		return fmt.Errorf("%s is not the name of a GitHub account: letters, digits and '-'", quote(name))
	}
	return nil
}

func checkRepository(name string) error {
	if !repositoryPattern.MatchString(name) || name == "." || name == ".." {
		return fmt.Errorf("%s is not the name of a repository: up to 100 letters, digits, '-', '_', '.'", quote(name))
	}
	return nil
}

// bareName is a repository's name without its owner, who must be the
// organization; "" where the role names an installation instead.
func bareName(written, organization string) (string, error) {
	name := written
	if owner, bare, owned := strings.Cut(written, "/"); owned {
		switch {
		case organization == "":
			return "", fmt.Errorf("give %s without its owner, or name the organization of the role", quote(written))
		case !strings.EqualFold(owner, organization):
			return "", fmt.Errorf("%s is not of the role's organization %q", quote(written), organization)
		}
		name = bare
	}
	return name, checkRepository(name)
}

// parseID reads one of GitHub's ids, which are written in one way only.
func parseID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || !validID(id) || text != strconv.FormatInt(id, 10) {
		return 0, fmt.Errorf("%s is not an id: a whole number from 1 to %d, written without sign, point or leading zeros", quote(text), int64(maxID))
	}
	return id, nil
}

func validID(id int64) bool { return 0 < id && id <= maxID }

func checkPermissions(permissions map[string]string) error {
	for _, name := range sortedKeys(permissions) {
		switch {
		case !permissionPattern.MatchString(name):
			return fmt.Errorf("permissions: %s is not the name of a permission: small letters and '_', as in pull_requests", quote(name))
		case !slices.Contains(permissionLevels, permissions[name]):
			return fmt.Errorf("permissions: %s for %s is not a level: read, write or admin", quote(permissions[name]), quote(name))
		}
	}
	return nil
}

// LevelCovers reports whether one level of a permission includes another. A level
// that is not known includes nothing and is included in none.
func LevelCovers(level, other string) bool {
	i := slices.Index(permissionLevels, other)
	return i >= 0 && i <= slices.Index(permissionLevels, level)
}

// implied reports whether GitHub adds the permission to every token.
func implied(name, level string) bool { return name == "metadata" && level == "read" }

// containsName compares as GitHub does, without regard to case.
func containsName(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}
