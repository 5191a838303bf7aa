package main

import (
	"slices"
	"strings"
)

// tuned is a list that the engine's mount is to be tuned with: what Vault calls
// it, the vault command's flag for it, and what is amiss without.
type tuned struct {
	key, flag, why string
	values         []string
	same           func(a, b string) bool
}

// tuning is everything that the mount is to be tuned with. Whoever looks at a
// mount, or tunes it, goes by this list.
//
// An ID token is a credential until it expires: id_token is in none of them, so
// that the audit log has it hashed.
var tuning = []tuned{
	{
		"audit_non_hmac_response_keys", "audit-non-hmac-response-keys", "the audit log hashes who got which token",
		[]string{
			"hashed_token", "scope", "role", "app", "organization", "repositories", "repository_selection", "subject",
			"expires_at", "run_id", "workflow_ref", "ref", "event_name", "error",
		}, exactly,
	},
	{
		"audit_non_hmac_request_keys", "audit-non-hmac-request-keys", "the audit log hashes what was asked for",
		[]string{"repositories", "repository_ids", "permissions", "ttl", "role"}, exactly,
	},
	{
		"passthrough_request_headers", "passthrough-request-headers", "ID tokens cannot be presented with a read",
		[]string{"X-CI-Id-Token"}, strings.EqualFold,
	},
	{
		"allowed_response_headers", "allowed-response-headers", "clients do not hear how long to wait when GitHub limits the rate",
		[]string{"Retry-After"}, strings.EqualFold,
	},
}

func exactly(a, b string) bool { return a == b }

// missing is what a mount's list lacks.
func (t tuned) missing(has []string) []string {
	var missing []string
	for _, value := range t.values {
		if !slices.ContainsFunc(has, func(h string) bool { return t.same(h, value) }) {
			missing = append(missing, value)
		}
	}
	return missing
}

// texts are the texts of a list in one of Vault's answers.
func texts(list any) []string {
	items, _ := list.([]any)
	var found []string
	for _, item := range items {
		if text, ok := item.(string); ok {
			found = append(found, text)
		}
	}
	return found
}
