// Package ledger puts Vault's audit log, the engine's server log and GitHub's
// audit log together: the life of each token, from the job that asked for it to
// the last thing that was done with it.
package ledger

import (
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
)

// Account is the life of one token, or a request that got none. It is complete:
// nothing that the logs hold about it is still to come.
type Account struct {
	auditlog.Request

	Renewals int       `json:"renewals,omitempty"`
	Ended    time.Time `json:"ended,omitzero"` // the lease; zero if that is not known
	EndedBy  End       `json:"ended_by,omitempty"`
	Revoked  time.Time `json:"revoked,omitzero"` // the token at GitHub, as the server log says
	Failures int       `json:"revocation_failures,omitempty"`

	// Joined says whether GitHub's log covers the token's life: only then does
	// an empty Usage mean that the token was not used.
	Joined bool  `json:"joined,omitempty"`
	Usage  Usage `json:"usage,omitzero"`
}

// End is why a lease ended.
type End string

const (
	EndLeaseRevoked End = "lease revoked"
	EndTokenRevoked End = "vault token revoked" // and every lease of it
	EndPrefix       End = "revoked by prefix"
	EndExpired      End = "expired" // by its TTL; the time is the latest possible where a renewal's length is not known
	EndOpen         End = "open"    // the log ends before the lease
)

// Usage is what was done with a token. Lists hold the first few different values
// and are in order of first use; counts are exact.
type Usage struct {
	Count          int            `json:"count"`
	First          time.Time      `json:"first,omitzero"`
	Last           time.Time      `json:"last,omitzero"`
	Clones         int            `json:"clones,omitempty"` // and fetches
	Pushes         int            `json:"pushes,omitempty"`
	APIReads       int            `json:"api_reads,omitempty"`
	APIWrites      int            `json:"api_writes,omitempty"`
	Other          int            `json:"other,omitempty"`
	AfterEnd       int            `json:"after_end,omitempty"`        // beyond the skew allowed for
	WritesAfterEnd int            `json:"writes_after_end,omitempty"` // pushes and API writes among AfterEnd
	LastAfterEnd   time.Time      `json:"last_after_end,omitzero"`
	UserAgents     []string       `json:"user_agents,omitempty"`
	Actors         []string       `json:"actors,omitempty"`       // the App's bot
	Repositories   []string       `json:"repositories,omitempty"` // owner/name
	Permissions    map[string]int `json:"permissions,omitempty"`  // needed, as name=level, with how often; "?" where the use does not tell
	Unplaced       int            `json:"unplaced,omitempty"`     // uses that may be of a repository and name none
}

// MaxListed is how many values a list of a Usage holds. One that is full may
// lack some.
const MaxListed = 32

// Stray is a use of a token that no account holds.
type Stray struct {
	auditlog.Use
	// Before says that the token may have been issued before Vault's log begins.
	Before bool `json:"before_log,omitempty"`
	// After says that it may have been issued after Vault's log ends.
	After bool `json:"after_log,omitempty"`
}
