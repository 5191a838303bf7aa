package ledger

import (
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
)

// mostListed bounds the lists of a Usage.
const mostListed = 20

// add counts a use of the token.
func (e *entry) add(use auditlog.Use, skew time.Duration) {
	u := &e.Usage
	u.Count++
	if u.First.IsZero() || use.Time.Before(u.First) {
		u.First = use.Time
	}
	if use.Time.After(u.Last) {
		u.Last = use.Time
	}
	u.countAction(use)
	u.UserAgents = listed(u.UserAgents, use.UserAgent)
	u.Actors = listed(u.Actors, use.Actor)
	u.Repositories = listed(u.Repositories, use.Repository)
	if u.Permissions == nil {
		u.Permissions = map[string]int{}
	}
	u.Permissions[Needs(use)]++
	end := e.expected
	if e.EndedBy != "" {
		end = e.Ended
	}
	if use.Time.After(end.Add(skew)) {
		u.AfterEnd++
		if use.Action == "git.push" || use.Action == "api.request" && !readsOnly(use.Method) {
			u.WritesAfterEnd++
		}
		u.LastAfterEnd = use.Time
	}
}

// isRevocation reports whether a use is the end of the token. It takes the token
// itself, so GitHub's log has it like a use; but it is no use of what the token
// was issued for, and a token that was revoked because nobody waited for it any
// more is in no lease, and no sign of a leaked key.
//
// https://docs.github.com/en/rest/apps/installations#revoke-an-installation-access-token
func isRevocation(use auditlog.Use) bool {
	return strings.EqualFold(use.Method, "DELETE") && slices.Equal(routeOf(use), []string{"installation", "token"})
}

func (u *Usage) countAction(use auditlog.Use) {
	switch {
	case use.Action == "git.clone" || use.Action == "git.fetch":
		u.Clones++
	case use.Action == "git.push":
		u.Pushes++
	case use.Action == "api.request" && readsOnly(use.Method):
		u.APIReads++
	case use.Action == "api.request":
		u.APIWrites++
	default:
		u.Other++
	}
}

func readsOnly(method string) bool {
	method = strings.ToUpper(method)
	return method == "GET" || method == "HEAD"
}

// listed adds a value that is not in the list yet, while there is room.
func listed(list []string, value string) []string {
	if value == "" || len(list) >= mostListed || slices.Contains(list, value) {
		return list
	}
	return append(list, value)
}
