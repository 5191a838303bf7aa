package ledger

import (
	"net/http"
	"slices"
	"strings"

	"vault-plugin-secrets-github/internal/auditlog"
)

// add counts a use of a token with the permissions granted.
func (s *Usage) add(u auditlog.Use, granted map[string]string, afterEnd bool) {
	if s.Count == 0 || u.Time.Before(s.First) {
		s.First = u.Time
	}
	if u.Time.After(s.Last) {
		s.Last = u.Time
	}
	s.Count++
	writes := s.addKind(u)
	if afterEnd {
		s.AfterEnd++
		if writes {
			s.WritesAfterEnd++
		}
		if u.Time.After(s.LastAfterEnd) {
			s.LastAfterEnd = u.Time
		}
	}
	list(&s.UserAgents, u.UserAgent)
	list(&s.Actors, u.Actor)
	repository, known := repositoryOf(u)
	list(&s.Repositories, repository)
	if !known {
		s.Unplaced++
	}
	s.addNeeds(u, granted)
}

// addKind counts a use by its kind, and reports whether it writes.
func (s *Usage) addKind(u auditlog.Use) (writes bool) {
	switch u.Action {
	case "git.clone", "git.fetch":
		s.Clones++
	case "git.push":
		s.Pushes++
		return true
	case "api.request":
		if reads(u.Method) {
			s.APIReads++
			return false
		}
		s.APIWrites++
		return true
	default:
		s.Other++
	}
	return false
}

func reads(method string) bool {
	return strings.EqualFold(method, http.MethodGet) || strings.EqualFold(method, http.MethodHead)
}

// addNeeds counts what the use needed. A request that GitHub refused shows only
// that it was tried.
func (s *Usage) addNeeds(u auditlog.Use, granted map[string]string) {
	if u.Status >= http.StatusBadRequest {
		return
	}
	if s.Permissions == nil {
		s.Permissions = map[string]int{}
	}
	for _, need := range needs(u, granted) {
		s.Permissions[need]++
	}
}

func list(values *[]string, value string) {
	if value != "" && len(*values) < MaxListed && !slices.Contains(*values, value) {
		*values = append(*values, value)
	}
}

// repositoryOf is the repository that a use is of, "" if of none; known is false
// if it may be of one that the entry does not name.
func repositoryOf(u auditlog.Use) (name string, known bool) {
	if u.Repository != "" {
		return u.Repository, true
	}
	if parts := segments(u.Path); len(parts) > 2 && parts[0] == "repos" {
		return parts[1] + "/" + parts[2], true
	}
	if u.Action != "api.request" {
		return "", false
	}
	parts := segments(route(u))
	return "", len(parts) > 0 && parts[0] != "repos" && parts[0] != "repositories" && parts[0] != "graphql"
}

// isRevocation reports whether a use is the end of the token. It takes the token
// itself, so GitHub's log has it like a use; but it is no use of what the token
// was issued for, and a token that was revoked because nobody waited for it any
// more is in no lease, and no sign of a leaked key.
//
// https://docs.github.com/en/rest/apps/installations#revoke-an-installation-access-token
func isRevocation(u auditlog.Use) bool {
	return strings.EqualFold(u.Method, http.MethodDelete) && slices.Equal(segments(route(u)), []string{"installation", "token"})
}
