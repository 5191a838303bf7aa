package githubsecrets

import (
	"context"
	"errors"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
)

// What the engine tells of each token: in its metrics, in Vault's server log, and
// as events of Vault's. Programs read the messages and their keys, so these must
// not change. A text that a job chose is one line there, in bounds, whatever it
// holds.

// tellIssued tells of a token that is handed to Vault.
func (b *backend) tellIssued(req *logical.Request, i *issuance, resp *logical.Response) {
	hashed := resp.Data["hashed_token"].(string)
	b.metrics.issued.WithLabelValues(i.role.Name, i.app.Name).Inc()
	b.live.begin(hashed, i.token.EndsAt, b.now())
	b.Logger().Info("issued a token", "request_id", req.ID, "role", i.role.Name, "app", i.app.Name,
		"subject", githubapp.Redact(i.caller.Subject), "scope", resp.Data["scope"], "hashed_token", hashed,
		"ttl", resp.Secret.TTL.String(), "expires_at", resp.Data["expires_at"])
	b.events.notify(issueEvent, i.role.Name, "app", i.app.Name, "request_id", req.ID,
		"scope", resp.Data["scope"].(string), "hashed_token", hashed)
}

// tellRefused tells of a request that got no token, with what is known of it. A
// role that does not exist is not named among the metrics: anybody could make up
// names.
func (b *backend) tellRefused(req *logical.Request, role string, i *issuance, err error) {
	reason := reasonOf(err)
	known := role
	if !b.roles.has(role) {
		known = ""
	}
	b.metrics.refused.WithLabelValues(known, reason).Inc()

	role, text := githubapp.Redact(role), githubapp.Redact(err.Error())
	line := []any{"request_id", req.ID, "role", role}
	app := ""
	if i.role != nil {
		app = i.role.App
		line = append(line, "app", app)
	}
	if i.caller.Subject != "" {
		line = append(line, "subject", githubapp.Redact(i.caller.Subject))
	}
	level := hclog.Warn
	if isRefused(err) || errors.Is(err, context.Canceled) {
		level = hclog.Info // it is the caller's doing
	}
	b.Logger().Log(level, "refused a token", append(line, "reason", reason, "error", text)...)
	b.events.notify(refuseEvent, role, "app", app, "request_id", req.ID, "reason", reason, "error", text)
}

// tellRenewed tells how the renewal of a lease went.
func (b *backend) tellRenewed(l leaseRecord, resp *logical.Response, err error) {
	b.metrics.renewed.WithLabelValues(resultOf(err)).Inc()
	if err != nil {
		return
	}
	b.live.begin(githubapp.HashToken(l.Token), l.EndsAt, b.now())
	b.Logger().Info("renewed a lease", l.line("ttl", resp.Secret.TTL.String())...)
}

// The results of a revocation that needs no more.
const (
	revokedResult = "ok"
	expiredResult = "expired"
)

// tellRevoked tells of a token that is dead, by the revocation or before it.
func (b *backend) tellRevoked(l leaseRecord, result string) {
	hashed := githubapp.HashToken(l.Token)
	b.metrics.revocations.WithLabelValues(l.App, result).Inc()
	b.live.end(hashed)
	b.events.notify(revokeEvent, l.Role, "app", l.App, "hashed_token", hashed, "reason", result)
	message := "revoked a token"
	if result == expiredResult {
		message = "the token had expired before its lease was revoked"
	}
	b.Logger().Info(message, l.line()...)
}

// tellNotRevoked tells of a revocation that Vault will try again.
func (b *backend) tellNotRevoked(l leaseRecord, err error) {
	b.metrics.revocations.WithLabelValues(l.App, reasonOf(err)).Inc()
	b.Logger().Warn("could not revoke a token; Vault tries again", l.line("error", err)...)
}

// line is what every line about a lease says, and more.
func (l leaseRecord) line(more ...any) []any {
	return append([]any{"role", l.Role, "app", l.App, "hashed_token", githubapp.HashToken(l.Token)}, more...)
}
