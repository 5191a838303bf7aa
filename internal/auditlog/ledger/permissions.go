package ledger

import (
	_ "embed"
	"strings"

	"vault-plugin-secrets-github/internal/auditlog"
)

// Unknown stands for a permission that a use needs and does not tell.
const Unknown = "?"

// permissionTable says which permission a family of GitHub's REST routes needs.
//
//go:embed permissions.txt
var permissionTable string

var routes = parseRoutes(permissionTable)

// family is the routes below a path, and the permissions any of which opens them.
type family struct {
	path        []string // segments; "*" is any one
	permissions []string
	level       string // "" if by the method: read for GET and HEAD, else write
	method      string // "" for all: READ for GET and HEAD, WRITE for the others
}

// parseRoutes reads lines of METHOD PATH PERMISSION[|PERMISSION...][=LEVEL].
func parseRoutes(table string) []family {
	var families []family
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) != 3 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		names, level, _ := strings.Cut(fields[2], "=")
		f := family{path: segments(fields[1]), permissions: strings.Split(names, "|"), level: level, method: fields[0]}
		if f.method == "ANY" {
			f.method = ""
		}
		families = append(families, f)
	}
	return families
}

// Needs says which permissions a use of a token took whose grant is not known, as
// name=level; Unknown if it cannot be told.
func Needs(u auditlog.Use) []string { return needs(u, nil) }

// needs says which permissions a use needs, as name=level: of those that would
// do, each that was granted; Unknown if it cannot be told. That a push changes
// .github/workflows, and so needs workflows=write, no log tells.
func needs(u auditlog.Use, granted map[string]string) []string {
	switch u.Action {
	case "git.clone", "git.fetch":
		return []string{"contents=read"}
	case "git.push":
		return []string{"contents=write"}
	case "api.request":
		return apiNeeds(u, granted)
	}
	return []string{Unknown}
}

func apiNeeds(u auditlog.Use, granted map[string]string) []string {
	method := "WRITE"
	if reads(u.Method) {
		method = "READ"
	}
	f := familyOf(method, segments(route(u)))
	if f == nil || u.Method == "" {
		return []string{Unknown}
	}
	level := f.level
	if level == "" {
		level = strings.ToLower(method)
	}
	var found []string
	for _, name := range f.permissions {
		if len(granted) == 0 || rank(granted[name]) >= rank(level) || name == "metadata" {
			found = append(found, name+"="+level)
		}
	}
	switch {
	case len(found) == 0, len(granted) == 0 && len(found) > 1:
		return []string{Unknown}
	}
	return found
}

// rank orders levels. One that Vault hashed may be any.
func rank(level string) int {
	switch level {
	case "":
		return 0
	case "read":
		return 1
	case "write":
		return 2
	}
	return 3
}

// familyOf is the family of a route with the longest path; the first, of two as
// long.
func familyOf(method string, path []string) *family {
	var found *family
	for i := range routes {
		f := &routes[i]
		if (f.method == "" || f.method == method) && f.holds(path) && (found == nil || len(f.path) > len(found.path)) {
			found = f
		}
	}
	return found
}

// holds reports whether a route is in the family: below its path, or at it where
// the path ends in "$".
func (f *family) holds(path []string) bool {
	for i, part := range f.path {
		if part == "$" {
			return len(path) == i
		}
		if i >= len(path) || (part != "*" && part != path[i]) {
			return false
		}
	}
	return true
}

// route is the path of an API request, as well as the entry has it.
func route(u auditlog.Use) string {
	if u.Route != "" {
		return u.Route
	}
	return u.Path
}

// segments are the parts of a path, without the prefix of GitHub Enterprise
// Server's API and in one form: routes name repositories and organizations by
// name or by id.
func segments(path string) []string {
	path, _, _ = strings.Cut(path, "?")
	path = strings.Trim(strings.TrimPrefix(path, "/api/v3"), "/")
	if path == "" {
		return nil
	}
	parts := strings.Split(path, "/")
	switch {
	case parts[0] == "repositories" && len(parts) > 1:
		return append([]string{"repos", "*"}, parts[1:]...)
	case parts[0] == "organizations":
		parts[0] = "orgs"
	}
	return parts
}
