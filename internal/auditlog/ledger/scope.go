package ledger

import (
	"strings"

	"vault-plugin-secrets-github/internal/auditlog"
)

// readScope fills in what a scope says, as the engine writes it: "acme: api,web:
// contents=read,metadata=read", with "*" for all repositories.
func readScope(g *auditlog.Grant, scope string) {
	parts := strings.Split(scope, ": ")
	if len(parts) != 3 {
		return
	}
	g.Organization = parts[0]
	if parts[1] == "*" {
		g.Selection = "all"
	} else {
		g.Selection, g.Repositories = "selected", strings.Split(parts[1], ",")
	}
	g.Permissions = map[string]string{}
	for pair := range strings.SplitSeq(parts[2], ",") {
		if name, level, ok := strings.Cut(pair, "="); ok {
			g.Permissions[name] = level
		}
	}
}
