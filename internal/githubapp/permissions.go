package githubapp

import (
	_ "embed"
	"strings"
)

// knownPermissions are the names in GitHub's OpenAPI description, one a line,
// derived by scripts/derive-permissions.sh. GitHub adds names, and takes some
// that its description lacks.
//
//go:embed permissions.txt
var knownPermissions string

// KnownPermission reports whether GitHub documents the permission.
func KnownPermission(name string) bool {
	for known := range strings.Lines(knownPermissions) {
		if strings.TrimSpace(known) == name {
			return true
		}
	}
	return false
}
