package ledger

import (
	"strings"

	"vault-plugin-secrets-github/internal/auditlog"
)

// Unknown is the need of a use that does not tell which permission it took.
const Unknown = "?"

// Needs is the permission that a use took, as name=level, or Unknown.
//
// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
func Needs(use auditlog.Use) string {
	switch use.Action {
	case "git.clone", "git.fetch":
		return "contents=read"
	case "git.push":
		return "contents=write"
	case "api.request":
		return needsOfRoute(use.Method, routeOf(use))
	}
	return Unknown
}

// routeOf is the route's segments behind the repository or organization, with
// what they are below: "repos", "orgs", or else the first segment.
func routeOf(use auditlog.Use) []string {
	route := use.Route
	if route == "" {
		route, _, _ = strings.Cut(use.Path, "?")
	}
	segments := strings.FieldsFunc(route, func(r rune) bool { return r == '/' })
	if len(segments) > 1 && segments[0] == "api" && segments[1] == "v3" { // GitHub Enterprise Server
		segments = segments[2:]
	}
	return segments
}

func needsOfRoute(method string, segments []string) string {
	if len(segments) == 0 {
		return Unknown
	}
	level := "=write"
	if readsOnly(method) {
		level = "=read"
	}
	switch {
	case segments[0] == "installation" || segments[0] == "rate_limit" || segments[0] == "meta":
		return "metadata=read"
	case segments[0] == "repos" && len(segments) == 3:
		if readsOnly(method) {
			return "metadata=read"
		}
		return "administration=write"
	case segments[0] == "repos" && len(segments) > 3:
		if name := lookUp(ofRepository, segments[3:]); name != "" {
			return name + level
		}
	case segments[0] == "orgs" && len(segments) > 2:
		if name := lookUp(ofOrganization, segments[2:]); name != "" {
			return name + level
		}
	}
	return Unknown
}

// lookUp finds the longest beginning of a route that the table knows.
func lookUp(table map[string]string, segments []string) string {
	for n := min(3, len(segments)); n > 0; n-- {
		if name, ok := table[strings.Join(segments[:n], "/")]; ok {
			return name
		}
	}
	return ""
}

// ofRepository is the permission of routes below /repos/{owner}/{repo}. Routes
// that several permissions open, or that no name here fits, are not in it: a
// role that uses them is not judged.
var ofRepository = map[string]string{
	"actions":             "actions",
	"actions/secrets":     "secrets",
	"actions/variables":   "actions_variables",
	"actions/runners":     "administration",
	"actions/permissions": "administration",
	"autolinks":           "administration",
	"branches":            "contents",
	"check-runs":          "checks",
	"check-suites":        "checks",
	"code-scanning":       "security_events",
	"codespaces":          "codespaces",
	"collaborators":       "administration",
	"commits":             "contents",
	"compare":             "contents",
	"contents":            "contents",
	"dependabot/alerts":   "vulnerability_alerts",
	"dependabot/secrets":  "dependabot_secrets",
	"deployments":         "deployments",
	"dispatches":          "contents",
	"environments":        "environments",
	"git":                 "contents",
	"hooks":               "repository_hooks",
	"keys":                "administration",
	"labels":              "issues",
	"merges":              "contents",
	"milestones":          "issues",
	"pages":               "pages",
	"pulls":               "pull_requests",
	"releases":            "contents",
	"rulesets":            "administration",
	"secret-scanning":     "secret_scanning_alerts",
	"statuses":            "statuses",
	"tarball":             "contents",
	"zipball":             "contents",
}

// ofOrganization is the permission of routes below /orgs/{org}.
var ofOrganization = map[string]string{
	"actions/runners":    "organization_self_hosted_runners",
	"actions/secrets":    "organization_secrets",
	"actions/variables":  "organization_actions_variables",
	"dependabot/secrets": "organization_dependabot_secrets",
	"hooks":              "organization_hooks",
	"members":            "members",
	"memberships":        "members",
	"teams":              "members",
}
