package githubsecrets

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vault-plugin-secrets-github/internal/githubapp"
)

// warnings are what an administrator should hear of a role that is allowed:
// what experience shows to be a hole, why, and the better form. docs/roles.md
// explains each.
func (r *role) warnings() []string {
	var found []string
	for _, look := range []func() string{
		r.warnOfNoRule, r.warnOfPullRequests, r.warnOfStar, r.warnOfRefWithoutEvent, r.warnOfNames,
		r.warnOfPowerfulPermissions, r.warnOfUnknownPermissions,
	} {
		if warning := look(); warning != "" {
			found = append(found, warning)
		}
	}
	return found
}

func (r *role) warnOfNoRule() string {
	if r.rules.TellsJobsApart() {
		return ""
	}
	return "the role binds nobody: whoever Vault's ACL policies let read its path gets the token; bind it with bound_subjects, bound_claims or condition, or see to it that the policies are as narrow"
}

// warnOfPullRequests finds globs over GitHub's sub that also match
// "repo:OWNER/NAME:pull_request": code of a pull request runs with that subject.
func (r *role) warnOfPullRequests() string {
	for _, glob := range append(slices.Clone(r.BoundSubjects), r.boundTexts("sub")...) {
		open := strings.HasSuffix(glob, "*") && !strings.Contains(glob, ":ref:") && !strings.Contains(glob, ":environment:")
		if (strings.HasPrefix(glob, "repo:") && open) || strings.HasSuffix(glob, ":pull_request") {
			return fmt.Sprintf("the subject %s lets jobs of pull requests through, which run code that nobody has reviewed; bind the branch, as in repo:OWNER/NAME:ref:refs/heads/main", quote(glob))
		}
	}
	return ""
}

func (r *role) warnOfStar() string {
	const sentence = "%s: \"*\" alone matches every job; bind what you mean, or leave the rule out"
	if slices.ContainsFunc(r.BoundSubjects, matchesAll) {
		return fmt.Sprintf(sentence, "bound_subjects")
	}
	if r.BoundClaimsType != "glob" {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(r.BoundClaims)) {
		if slices.ContainsFunc(r.boundTexts(name), matchesAll) {
			return fmt.Sprintf(sentence, "bound_claims "+name)
		}
	}
	return ""
}

// matchesAll reports whether a glob is nothing but stars.
func matchesAll(glob string) bool { return strings.Trim(glob, "*") == "" }

func (r *role) warnOfRefWithoutEvent() string {
	used := r.rules.Claims()
	if !slices.Contains(used, "ref") || slices.Contains(used, "event_name") {
		return ""
	}
	return "ref alone is no boundary: under pull_request_target it is the default branch; bind event_name beside it, as in event_name=push"
}

// byName are claims that hold a name which can be renamed and taken by someone
// else, with the claim that holds the id.
var byName = map[string]string{
	"repository": "repository_id", "repository_owner": "repository_owner_id",
	"project_path": "project_id", "namespace_path": "namespace_id",
}

func (r *role) warnOfNames() string {
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if id := byName[name]; r.BoundClaims[name] != nil && r.BoundClaims[id] == nil {
			return fmt.Sprintf("bound_claims: %s is a name, which can be renamed and then taken by someone else; bind %s, beside it or instead", name, id)
		}
	}
	return ""
}

func (r *role) warnOfPowerfulPermissions() string {
	var powerful []string
	for name, level := range r.Permissions {
		name = strings.ReplaceAll(name, "-", "_")
		high := name == "administration" || name == "secrets" || strings.HasPrefix(name, "organization_")
		if high && level != "read" {
			powerful = append(powerful, name+"="+level)
		}
	}
	if len(powerful) == 0 {
		return ""
	}
	slices.Sort(powerful)
	return fmt.Sprintf("permissions: with %s a job can change who may do what; give it to as few jobs as can be, each bound to an environment with reviewers", strings.Join(powerful, ", "))
}

func (r *role) warnOfUnknownPermissions() string {
	var unknown []string
	for written := range r.Permissions {
		if name := strings.ReplaceAll(written, "-", "_"); !githubapp.KnownPermission(name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return ""
	}
	slices.Sort(unknown)
	return fmt.Sprintf("permissions: %s: not among the names that GitHub documents; it is sent as it is, and GitHub refuses the token if it is misspelt", strings.Join(unknown, ", "))
}

// boundTexts are the texts that a claim is bound to.
func (r *role) boundTexts(claim string) []string {
	switch value := r.BoundClaims[claim].(type) {
	case string:
		return []string{value}
	case []any:
		var texts []string
		for _, item := range value {
			if text, ok := item.(string); ok {
				texts = append(texts, text)
			}
		}
		return texts
	}
	return nil
}
