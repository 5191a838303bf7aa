// Package finding says what an auditor should look at.
package finding

import "time"

// Severity is how much a finding matters, for --fail-on.
type Severity string

const (
	Info     Severity = "info"
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Finding is one thing to look at.
type Finding struct {
	Rule     string     `json:"rule"` // stable name: "used-after-lease-end"
	Severity Severity   `json:"severity"`
	Title    string     `json:"title"` // one line
	Role     string     `json:"role,omitempty"`
	Subject  string     `json:"subject,omitempty"`
	Count    int        `json:"count"` // how often; Evidence holds the first few
	First    time.Time  `json:"first,omitzero"`
	Last     time.Time  `json:"last,omitzero"`
	Evidence []Evidence `json:"evidence,omitempty"`
	Remedy   string     `json:"remedy"`             // what to do, a sentence
	Proposal string     `json:"proposal,omitempty"` // a command or a role, ready to run
}

// Evidence is one line that shows a finding.
type Evidence struct {
	Time      time.Time `json:"time"`
	RequestID string    `json:"request_id,omitempty"` // in Vault's audit log
	Text      string    `json:"text"`
}
