// Package auditlog reads what Vault and GitHub write down about tokens: Vault's
// audit log, the engine's lines in Vault's server log, and the export of
// GitHub's audit log. It streams: what it holds does not grow with the logs.
//
// Below it, ledger puts the three together into the life of each token, and
// finding says what is wrong with it. Their arrows lead here, never back.
package auditlog

import (
	"strings"
	"time"
)

// Event is one entry of Vault's audit log that has to do with the engine: one of
// its fields besides Time is set.
type Event struct {
	Time       time.Time // of the entry that completes it
	Request    *Request
	Renewal    *Renewal
	Revocation *Revocation
}

// Outcome is how a request for a token ended.
type Outcome string

const (
	Issued     Outcome = "issued"
	Refused    Outcome = "refused"
	Unanswered Outcome = "unanswered" // Vault wrote the request down, and no response
)

// Request is a request for a token: what the two entries that Vault writes about
// it tell. Values that Vault hashed are kept as they are; see Hashed.
type Request struct {
	ID        string    `json:"request_id"`
	Time      time.Time `json:"time"`              // when it was asked
	Answered  time.Time `json:"answered,omitzero"` // zero if Unanswered
	Outcome   Outcome   `json:"outcome"`
	Reason    string    `json:"reason,omitempty"`    // class of a refusal; see ReasonOf
	Error     string    `json:"error,omitempty"`     // what the caller was told
	Namespace string    `json:"namespace,omitempty"` // path, or id where Vault gives none; "" for the root
	Mount     string    `json:"mount"`               // with its trailing slash: "github/"
	Role      string    `json:"role"`                // of the path

	Login       map[string]string `json:"login,omitempty"` // claims at login: auth.metadata, never hashed
	DisplayName string            `json:"display_name,omitempty"`
	EntityID    string            `json:"entity_id,omitempty"`
	Accessor    string            `json:"accessor,omitempty"` // of the Vault token; hashed unless Vault was told not to
	TokenType   string            `json:"token_type,omitempty"`
	RemoteAddr  string            `json:"remote_address,omitempty"`
	UserAgent   string            `json:"user_agent,omitempty"` // of the client that asked Vault

	Asked Asked  `json:"asked,omitzero"`
	Grant *Grant `json:"grant,omitempty"` // set if Issued
}

// Asked is what a request named to narrow the role, as far as it is readable;
// what it left out is empty.
type Asked struct {
	Repositories  []string          `json:"repositories,omitempty"`
	RepositoryIDs []string          `json:"repository_ids,omitempty"`
	Permissions   map[string]string `json:"permissions,omitempty"`
	TTL           string            `json:"ttl,omitempty"` // as it was written: "600", "10m"
	IDToken       bool              `json:"id_token,omitempty"`
}

// Grant is what was issued. A wrapped response shows none of it in the audit
// log: only Wrapped is set, until the server log's line fills in the rest.
type Grant struct {
	App            string            `json:"app,omitempty"`
	InstallationID int64             `json:"installation_id,omitempty"`
	Organization   string            `json:"organization,omitempty"`
	Selection      string            `json:"repository_selection,omitempty"` // selected or all
	Repositories   []string          `json:"repositories,omitempty"`
	RepositoryIDs  []int64           `json:"repository_ids,omitempty"`
	Permissions    map[string]string `json:"permissions,omitempty"` // of the scope, where Vault hashed the levels
	Scope          string            `json:"scope,omitempty"`
	HashedToken    string            `json:"hashed_token,omitempty"` // base64 without padding, or hashed by Vault
	ExpiresAt      time.Time         `json:"expires_at,omitzero"`    // GitHub's end of the token
	TTL            int64             `json:"ttl,omitempty"`          // of the lease, in seconds; 0 if the engine did not say
	LeaseID        string            `json:"lease_id,omitempty"`
	Subject        string            `json:"subject,omitempty"`
	Claims         map[string]string `json:"claims,omitempty"` // of the ID token that was shown
	Wrapped        bool              `json:"wrapped,omitempty"`
}

// Renewal is a successful renewal of a lease of the engine.
type Renewal struct {
	LeaseID   string
	Increment time.Duration // asked for, if readable; 0 if not
}

// Revocation is a successful request to Vault that ends leases. One of the
// fields besides RequestID is set.
type Revocation struct {
	RequestID   string
	LeaseID     string // one lease
	LeasePrefix string // every lease below a path
	Accessor    string // every lease of a Vault token, as the Request's Accessor
	Unknown     bool   // one lease, whose id Vault hashed
}

// Use is one entry of GitHub's audit log that names an installation token.
type Use struct {
	Time        time.Time `json:"time"`
	HashedToken string    `json:"hashed_token"`                       // base64 without padding
	Action      string    `json:"action"`                             // git.clone, git.push, api.request, ...
	Access      string    `json:"programmatic_access_type,omitempty"` // kind of token
	Actor       string    `json:"actor,omitempty"`                    // the App's bot: "NAME[bot]"
	Org         string    `json:"org,omitempty"`
	Repository  string    `json:"repository,omitempty"` // owner/name
	UserAgent   string    `json:"user_agent,omitempty"`
	Method      string    `json:"method,omitempty"` // of an api.request
	Route       string    `json:"route,omitempty"`  // its template: /repos/{owner}/{repo}/issues
	Path        string    `json:"path,omitempty"`   // where there is no route
	Status      int       `json:"status,omitempty"`
}

// ServerLine is a line of the engine in Vault's server log. It tells what the
// audit log cannot: leases that ended by themselves, and wrapped issuances.
type ServerLine struct {
	Time        time.Time
	Kind        ServerKind
	RequestID   string
	Role        string
	App         string
	Scope       string
	Subject     string
	HashedToken string // base64 without padding
	TTL         time.Duration
	ExpiresAt   time.Time
	Error       string
}

// ServerKind is what a ServerLine tells.
type ServerKind string

const (
	ServerIssued       ServerKind = "issued"
	ServerRevoked      ServerKind = "revoked"
	ServerRevokeFailed ServerKind = "revoke_failed"
	ServerExpired      ServerKind = "expired" // the token had ended at GitHub before its lease
)

// hashPrefix begins every value that Vault hashed.
const hashPrefix = "hmac-sha256:"

// Hashed reports whether Vault hashed a value: the key was not among the mount's
// audit_non_hmac_response_keys when the entry was written.
func Hashed(value string) bool { return strings.HasPrefix(value, hashPrefix) }
