package policy

import (
	"slices"

	"github.com/ryanuber/go-glob"
)

// matchAny reports whether a text matches one of the globs, as Vault's JWT auth
// matches: a glob is for the whole text, with regard to case; '*' stands for any
// characters, none and '/' among them; every other character for itself.
func matchAny(globs []string, text string) bool {
	return slices.ContainsFunc(globs, func(pattern string) bool { return glob.Glob(pattern, text) })
}
