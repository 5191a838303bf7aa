package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// logLine waits for the one line of Vault's server log with a message and a value.
func logLine(t *testing.T, message, key, value string) map[string]any {
	t.Helper()
	var found []map[string]any
	vaulttest.Eventually(t, requestTimeout, func() error {
		found = nil
		for _, line := range vault.Log(t) {
			if line["@message"] == message && line[key] == value {
				found = append(found, line)
			}
		}
		if len(found) != 1 {
			return fmt.Errorf("%d lines %q with %s=%s, want one", len(found), message, key, value)
		}
		return nil
	})
	return found[0]
}

// The auditor joins the server log with the audit log by the request's id, and
// with GitHub's by the token's hash.
func TestTheServerLogTellsOfTheRequestsInTheAuditLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.job()
	secret := w.token(job, "api-read")
	wantError(t, job.Get(t, w.path("token/api-read?ttl=30m")), http.StatusForbidden, "at most 10m")
	wantError(t, job.Get(t, w.path("token/api-read?unknown=1")), http.StatusBadRequest, "unknown parameter")

	issued := logLine(t, "issued a token", "hashed_token", hashOf(tokenOf(secret)))
	var reasons []string
	for _, entry := range vault.Audit(t, w.path("token/api-read")) {
		if entry.Type != "response" {
			continue
		}
		if entry.Response.Secret.LeaseID != "" {
			if entry.Request.ID != issued["request_id"] {
				t.Errorf("the issuance is %v in the server log and %s in the audit log", issued["request_id"], entry.Request.ID)
			}
			if entry.Response.Data["ttl"] != json.Number("600") && entry.Response.Data["ttl"] != 600.0 {
				t.Errorf("the audit log shows the ttl as %v", entry.Response.Data["ttl"])
			}
			continue
		}
		refused := logLine(t, "refused a token", "request_id", entry.Request.ID)
		reasons = append(reasons, fmt.Sprint(refused["reason"]))
		if refused["role"] != "api-read" || refused["@level"] != "info" {
			t.Errorf("the refusal is logged as %v", refused)
		}
	}
	if got := strings.Join(reasons, " "); got != "policy bad_request" {
		t.Errorf("the refusals in the audit log have the reasons %q in the server log", got)
	}
	w.mustRevoke(secret)
	if line := logLine(t, "revoked a token", "hashed_token", hashOf(tokenOf(secret))); line["app"] != "default" {
		t.Errorf("the revocation is logged as %v", line)
	}
}
