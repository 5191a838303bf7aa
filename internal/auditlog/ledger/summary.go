package ledger

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
)

// Span is when a log's first and last entry were written.
type Span struct {
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
}

func (s *Span) extend(t time.Time) {
	if s.First.IsZero() {
		s.First = t
	}
	if t.After(s.Last) {
		s.Last = t
	}
}

// Summary is what a Run counted.
type Summary struct {
	Vault  Span `json:"vault,omitzero"` // from the first entry that has to do with the engine
	GitHub Span `json:"github,omitzero"`
	Server Span `json:"server,omitzero"`

	Requests   int `json:"requests"`
	Issued     int `json:"issued"`
	Refused    int `json:"refused"`
	Unanswered int `json:"unanswered"`

	Wrapped      int `json:"wrapped,omitempty"`       // issuances whose response was wrapped
	Filled       int `json:"filled,omitempty"`        // of which the server log told the rest
	HashedTokens int `json:"hashed_tokens,omitempty"` // issuances whose hashed_token Vault hashed
	Joined       int `json:"joined"`                  // issuances that GitHub's log covers
	Open         int `json:"open"`                    // leases that outlast Vault's log

	Renewals             int `json:"renewals"`
	UnmatchedRenewals    int `json:"unmatched_renewals,omitempty"` // of leases not in the log
	Revocations          int `json:"revocations"`
	HashedRevocations    int `json:"hashed_revocations,omitempty"` // whose lease Vault hashed
	ServerLines          int `json:"server_lines"`
	UnmatchedServerLines int `json:"unmatched_server_lines,omitempty"`

	Uses       int `json:"uses"`
	JoinedUses int `json:"joined_uses"` // of tokens that an account holds
	Strays     int `json:"strays"`

	Held  int      `json:"held"` // the most tokens held at one time
	Notes []string `json:"notes,omitempty"`
}

func (s *Summary) count(r *auditlog.Request) {
	s.Requests++
	switch r.Outcome {
	case auditlog.Issued:
		s.Issued++
	case auditlog.Refused:
		s.Refused++
	case auditlog.Unanswered:
		s.Unanswered++
	}
	if r.Grant != nil && r.Grant.Wrapped {
		s.Wrapped++
	}
}

func (s *Summary) closed(a *Account) {
	if a.Joined {
		s.Joined++
	}
	if a.EndedBy == EndOpen {
		s.Open++
	}
}

// note says what the logs could not tell.
func (s *Summary) note(hashed map[string]bool, gitHub bool) {
	for _, mount := range slices.Sorted(maps.Keys(hashed)) {
		s.Notes = append(s.Notes, fmt.Sprintf("Vault hashed the hashed_token of issuances below %s, so they cannot be joined with GitHub's log. "+
			"For those to come, keep it readable, with the keys that the mount has already, since the option replaces them: "+
			"vault secrets tune -audit-non-hmac-response-keys=hashed_token %s", mount, mount))
	}
	if missing := s.Wrapped - s.Filled; missing > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d wrapped issuances show nothing of their token; Vault's server log tells it, by the request's id.", missing))
	}
	if s.HashedRevocations > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d revocations named their lease in the request's body, where Vault hashes it: whose they were cannot be told. "+
			"Leases may have ended earlier than is said here, unless Vault's server log is given.", s.HashedRevocations))
	}
	if s.Open > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d leases were open when Vault's log ends.", s.Open))
	}
	if gitHub && s.Joined < s.Issued {
		s.Notes = append(s.Notes, fmt.Sprintf("GitHub's log does not cover %d of %d issuances, from issuance to the end of the lease: "+
			"that a token was not used cannot be said of them.", s.Issued-s.Joined, s.Issued))
	}
	if gitHub {
		s.Notes = append(s.Notes, "A push that changes .github/workflows needs workflows=write; GitHub's log does not tell such pushes from others.")
	}
}
