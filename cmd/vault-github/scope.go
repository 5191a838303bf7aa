package main

import (
	"regexp"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"vault-plugin-secrets-github/internal/jobtoken"
)

// scope is what a job asks for, as flags.
type scope struct {
	repositories  []string
	repositoryIDs []int64
	permissions   []string
	ttl           time.Duration
}

func (s *scope) addFlags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&s.repositories, "repo", nil, "repository, `NAME` or OWNER/NAME, of those that the role allows; may be repeated")
	flags.Int64SliceVar(&s.repositoryIDs, "repo-id", nil, "`ID` of a repository, of those that the role allows; may be repeated")
	flags.Lookup("repo-id").DefValue = "" // help would show an empty list
	flags.StringArrayVar(&s.permissions, "permission", nil, "permission and level, `NAME=LEVEL` as in contents=read, within the role's; may be repeated")
	flags.DurationVar(&s.ttl, "ttl", 0, "`DURATION` that the lease shall last, as 10m, at most what the role gives")
}

var (
	repositoryForm = regexp.MustCompile(`^([A-Za-z0-9_-]+/)?[A-Za-z0-9._-]+$`)
	permissionForm = regexp.MustCompile(`^[a-z][a-z0-9_-]*=(read|write|admin)$`)
	roleForm       = regexp.MustCompile(`^\w[\w.-]*$`)
)

// request checks the flags. What was given and is empty is refused: it would
// otherwise ask for everything that the role allows.
func (s *scope) request(flags *pflag.FlagSet) (jobtoken.Request, error) {
	r := jobtoken.Request{Repositories: s.repositories, RepositoryIDs: s.repositoryIDs, TTL: s.ttl}
	for _, name := range s.repositories {
		if !repositoryForm.MatchString(name) {
			return r, usagef("--repo: %q is not the name of a repository; give NAME or OWNER/NAME, and repeat --repo for more", name)
		}
	}
	if flags.Changed("repo-id") && len(s.repositoryIDs) == 0 {
		return r, usagef("--repo-id is empty: give the id of a repository, or leave it out for all that the role allows")
	}
	var err error
	if r.Permissions, err = parsePermissions(s.permissions); err != nil {
		return r, err
	}
	if flags.Changed("ttl") && s.ttl < time.Second {
		return r, usagef("--ttl: %s is no time to live; give at least 1s, as in 10m", s.ttl)
	}
	return r, nil
}

// parsePermissions reads what --permission was given; nil if nothing.
func parsePermissions(given []string) (map[string]string, error) {
	var permissions map[string]string
	for _, permission := range given {
		if !permissionForm.MatchString(permission) {
			return nil, usagef("--permission: %q is not NAME=LEVEL with a level of read, write or admin, as in contents=read", permission)
		}
		name, level, _ := strings.Cut(permission, "=")
		if _, twice := permissions[name]; twice {
			return nil, usagef("--permission names %s twice: give one level", name)
		}
		if permissions == nil {
			permissions = map[string]string{}
		}
		permissions[name] = level
	}
	return permissions, nil
}

// checkRoleName refuses what would be another path.
func checkRoleName(name string) error {
	if !roleForm.MatchString(name) || strings.Contains(name, "..") {
		return usagef("%q is not the name of a role: letters, digits, '_', '-' and dots", name)
	}
	return nil
}
