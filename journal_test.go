package githubsecrets

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
	"vault-plugin-secrets-github/internal/githubtest"
)

// logJSON makes the engine log JSON, as Vault can.
func (e *engine) logJSON() {
	e.t.Helper()
	logger := hclog.New(&hclog.LoggerOptions{Output: e.log, Level: hclog.Trace, JSONFormat: true})
	if err := e.Setup(e.t.Context(), &logical.BackendConfig{StorageView: e.storage, System: vaultView{StaticSystemView: e.system}, Logger: logger}); err != nil {
		e.t.Fatal(err)
	}
}

// logged are the lines of JSON with a message, without what varies.
func (e *engine) logged(message string) []map[string]any {
	e.t.Helper()
	var lines []map[string]any
	for text := range strings.Lines(e.log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			e.t.Fatalf("not a line of JSON: %q", text)
		}
		if line["@message"] != message {
			continue
		}
		delete(line, "@timestamp")
		delete(line, "@message")
		lines = append(lines, line)
	}
	return lines
}

func TestEveryTokenIsLoggedFromBeginningToEnd(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.logJSON()
	e.mustWriteRole("ci", nil)
	secret := e.lease("ci")
	token := e.github.LiveTokens()[0]
	e.renew(secret)
	down := e.github.Inject(githubtest.BadGateway())
	e.revoke(secret)
	down()
	e.revoke(secret)
	expired := e.lease("ci")
	hashOfExpired := githubapp.HashToken(e.github.LiveTokens()[0].Value)
	e.clock.Advance(66 * time.Minute)
	e.revoke(expired)

	hashed := githubapp.HashToken(token.Value)
	want := map[string]map[string]any{
		"issued a token": {
			"@level": "info", "request_id": "request-1", "role": "ci", "app": "default", "subject": "jwt-acme/api",
			"scope": "acme: api: contents=read,metadata=read", "hashed_token": hashed,
			"ttl": "10m0s", "expires_at": token.ExpiresAt.UTC().Format(time.RFC3339),
		},
		"renewed a lease": {"@level": "info", "role": "ci", "app": "default", "hashed_token": hashed, "ttl": "10m0s"},
		"revoked a token": {"@level": "info", "role": "ci", "app": "default", "hashed_token": hashed},
		"the token had expired before its lease was revoked": {
			"@level": "info", "role": "ci", "app": "default", "hashed_token": hashOfExpired,
		},
	}
	for message, line := range want {
		got := e.logged(message)
		if len(got) == 0 {
			t.Errorf("there is no line %q", message)
		} else if diff := cmp.Diff(line, got[0]); diff != "" {
			t.Errorf("%s: %s", message, diff)
		}
	}
	failed := e.logged("could not revoke a token; Vault tries again")
	if len(failed) != 1 || failed[0]["@level"] != "warn" || failed[0]["hashed_token"] != hashed ||
		!strings.Contains(failed[0]["error"].(string), "GitHub answered 502") {
		t.Errorf("the failure to revoke is logged as %v", failed)
	}
	if strings.Contains(e.log.String(), token.Value) {
		t.Error("the token is in the log")
	}
}

func TestEveryRefusalIsLoggedWithItsReason(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		path   string
		data   map[string]any
		fault  *githubtest.Fault
		level  string
		role   string
		app    any
		who    any
		reason string
		says   string
	}{
		"by a rule":               {"token/ci", map[string]any{"ttl": "30m"}, nil, "info", "ci", "default", "jwt-acme/api", "policy", "at most 10m"},
		"for an ill-formed value": {"token/ci", map[string]any{"ttl": "soon"}, nil, "info", "ci", nil, nil, "bad_request", "not a duration"},
		"for an unknown name":     {"token/ci", map[string]any{"repos": "x"}, nil, "info", "ci", nil, nil, "bad_request", "unknown parameter"},
		"for an unknown role":     {"token/no", nil, nil, "info", "no", nil, nil, "bad_request", "unknown role"},
		"by GitHub": {"token/ci", nil, new(githubtest.Fault{Status: http.StatusUnprocessableEntity, Body: `{"message":"no"}`,
			Header: http.Header{"Content-Type": {"application/json"}}}.On(mintPattern)), "warn", "ci", "default", "jwt-acme/api", "github_unprocessable", "GitHub answered 422"},
		"for want of GitHub": {"token/ci", nil, new(githubtest.Outage().On(mintPattern)), "warn", "ci", "default", "jwt-acme/api", "github_undelivered", "create an installation token"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.logJSON()
			e.mustWriteRole("ci", nil)
			if test.fault != nil {
				e.github.Inject(*test.fault)
			}
			if a := e.do(t.Context(), logical.UpdateOperation, test.path, test.data); a.err == "" {
				t.Fatal("it was not refused")
			}
			lines := e.logged("refused a token")
			if len(lines) != 1 {
				t.Fatalf("%d lines, want one:\n%s", len(lines), e.log)
			}
			line := lines[0]
			if !strings.Contains(line["error"].(string), test.says) {
				t.Errorf("the error is %q", line["error"])
			}
			delete(line, "error")
			want := map[string]any{"@level": test.level, "request_id": "request-1", "role": test.role, "reason": test.reason}
			if test.app != nil {
				want["app"] = test.app
			}
			if test.who != nil {
				want["subject"] = test.who
			}
			if diff := cmp.Diff(want, line); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAClientThatHangsUpIsNobodysFault(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.logJSON()
	e.mustWriteRole("ci", nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e.do(ctx, logical.ReadOperation, "token/ci", nil)
	lines := e.logged("refused a token")
	if len(lines) != 1 || lines[0]["@level"] != "info" || lines[0]["reason"] != "canceled" {
		t.Errorf("it is logged as %v", lines)
	}
	e.wantNoLiveToken()
}

// TestAJobCannotWriteTheLog: what it chooses ends no line, steers no terminal,
// is bounded, and a token that it shows by mistake is not repeated.
func TestAJobCannotWriteTheLog(t *testing.T) {
	t.Parallel()
	const forged = "2026-01-01T00:00:00.000Z [INFO]  issued a token: role=admin"
	hostile := "x\n" + forged + "\r\n\x1b[31m\u009b31m\u2028\u202ered"
	secret := "ghs_" + strings.Repeat("A", 36)
	long := strings.Repeat("long", 10_000)
	for _, format := range []string{"standard", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			if format == "json" {
				e.logJSON()
			}
			e.mustWriteRole("ci", nil)
			before := strings.Count(e.log.String(), "\n")
			attempts := []logical.Request{
				{Path: "token/" + hostile, DisplayName: "job"},
				{Path: "token/" + secret + long, DisplayName: "job"},
				{Path: "token/ci", Data: map[string]any{"ttl": hostile}},
				{Path: "token/ci", Data: map[string]any{hostile: "1"}},
				{Path: "token/ci", Data: map[string]any{"ttl": secret}},
				{Path: "token/ci", DisplayName: hostile},
				{Path: "token/ci", DisplayName: hostile, Data: map[string]any{"ttl": "59m"}},
				{Path: "token/ci", DisplayName: secret + long},
			}
			for _, attempt := range attempts {
				attempt.Operation, attempt.MountPoint, attempt.ID = logical.UpdateOperation, "github/", "request-1"
				e.send(t.Context(), &attempt)
			}
			log := e.log.String()
			if got := strings.Count(log, "\n") - before; got != len(attempts) {
				t.Errorf("%d requests made %d lines:\n%s", len(attempts), got, log)
			}
			lines := slices.Collect(strings.Lines(log))
			if slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "2026-01-01") || len(line) > 2500 }) {
				t.Errorf("a line is forged or too long:\n%.5000s", log)
			}
			if strings.ContainsAny(log, "\x1b\u009b\u2028\u202e\r") {
				t.Error("a control character is in the log")
			}
			if strings.Contains(log, secret) {
				t.Error("a token that a job showed is in the log")
			}
		})
	}
}
