package browser

import (
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

// expectations is what the report of the company must show: counted here, from the
// accounts themselves. The browser's tests read it as JSON.
type expectations struct {
	Total, Issued, Refused, Unanswered int
	Unused, AfterEnd                   int // of the tokens issued
	Role                               subject
	Repository                         subject
	Day                                int    // requests of the third day
	Sample                             sample // a request in the middle
	Attacks                            []string
}

// subject is a role or repository, and what of it there is.
type subject struct {
	Name                   string
	Total, Issued, Refused int
}

type sample struct{ RequestID, HashedToken, RunID, LeaseID string }

func expect(accounts []*ledger.Account) expectations {
	e := expectations{Total: len(accounts), Role: subject{Name: "api-release"}, Repository: subject{Name: "acme/api-service-0"}, Attacks: attacks}
	day := begin.AddDate(0, 0, 2)
	for _, a := range accounts {
		e.Issued += count(a.Outcome == auditlog.Issued)
		e.Refused += count(a.Outcome == auditlog.Refused)
		e.Unanswered += count(a.Outcome == auditlog.Unanswered)
		e.Unused += count(a.Outcome == auditlog.Issued && a.Usage.Count == 0)
		e.AfterEnd += count(a.Usage.AfterEnd > 0)
		e.Day += count(!a.Time.Before(day) && a.Time.Before(day.Add(24*time.Hour)))
		if a.Role == e.Role.Name {
			e.Role.add(a)
		}
		if slices.Contains(a.Asked.Repositories, strings.TrimPrefix(e.Repository.Name, "acme/")) {
			e.Repository.add(a)
		}
	}
	for _, a := range accounts[len(accounts)/2:] {
		if a.Grant != nil {
			e.Sample = sample{a.ID, a.Grant.HashedToken, a.Login["run_id"], a.Grant.LeaseID}
			return e
		}
	}
	return e
}

func (s *subject) add(a *ledger.Account) {
	s.Total++
	s.Issued += count(a.Outcome == auditlog.Issued)
	s.Refused += count(a.Outcome == auditlog.Refused)
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}
