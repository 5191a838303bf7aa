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
	permissions []string
	level       string // "" if by the method: read for GET and HEAD, else write
}

// node is a segment of the paths that families have.
type node struct {
	below    map[string]*node   // by segment; "*" is any one, "$" none
	families map[string]*family // of the paths that end here, by READ or WRITE
}

func newNode() *node {
	return &node{below: map[string]*node{}, families: map[string]*family{}}
}

// parseRoutes reads lines of METHOD PATH PERMISSION[|PERMISSION...][=LEVEL].
func parseRoutes(table string) *node {
	root := newNode()
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) != 3 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		names, level, _ := strings.Cut(fields[2], "=")
		f := &family{permissions: strings.Split(names, "|"), level: level}
		methods := []string{fields[0]}
		if fields[0] == "ANY" {
			methods = []string{"READ", "WRITE"}
		}
		end := root.at(segments(fields[1]))
		for _, method := range methods {
			end.families[method] = f
		}
	}
	return root
}

// at is the node of a path, which it makes if need be.
func (n *node) at(path []string) *node {
	for _, part := range path {
		next := n.below[part]
		if next == nil {
			next = newNode()
			n.below[part] = next
		}
		n = next
	}
	return n
}

// find is the family with the longest path that a route is below.
func (n *node) find(method string, path []string) *family {
	if len(path) == 0 {
		if end := n.below["$"]; end != nil && end.families[method] != nil {
			return end.families[method]
		}
		return n.families[method]
	}
	for _, part := range [...]string{path[0], "*"} {
		if next := n.below[part]; next != nil {
			if f := next.find(method, path[1:]); f != nil {
				return f
			}
		}
	}
	return n.families[method]
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
	f := routes.find(method, segments(route(u)))
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
	if len(found) == 0 || (len(granted) == 0 && len(found) > 1) {
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
