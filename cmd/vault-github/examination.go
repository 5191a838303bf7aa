package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vault-plugin-secrets-github/internal/jobtoken"
)

// examination goes on as long as the next look makes sense.
type examination struct {
	ctx      context.Context
	c        *connection
	session  *jobtoken.Session
	findings []finding
}

func (e *examination) find(state, what, remedy, format string, args ...any) {
	e.findings = append(e.findings, finding{state, what, oneLine(fmt.Sprintf(format, args...)), oneLine(remedy)})
}

func (e *examination) examine(cmd *cobra.Command, roles []string) {
	if !e.lookAtVault() {
		return
	}
	err := e.c.withSession(cmd, func(s *jobtoken.Session) error {
		e.session = s
		e.lookAtLogin()
		if e.lookAtMount() {
			e.lookAtApp()
			e.lookAtIssuer()
			e.lookAtRoles(roles)
		}
		return nil
	})
	var exit *exitError
	switch {
	case errors.As(err, &exit):
		e.find(broken, "identity", "docs/cli.md says what each CI needs", "%s", err)
	case err != nil && e.session == nil:
		e.find(broken, "login", "see the error; vault read auth/"+e.c.authPath+"/role/ROLE shows what the JWT role is bound to", "%s", err)
	case err != nil:
		e.find(broken, "logout", "the Vault token ends by its TTL", "%s", err)
	}
}

func (e *examination) lookAtVault() bool {
	client, err := vaultClient()
	if err != nil {
		e.find(broken, "vault", "mend the variable", "%s", err)
		return false
	}
	health, err := client.Sys().HealthWithContext(e.ctx)
	switch {
	case err != nil:
		e.find(broken, "vault", "check VAULT_ADDR, VAULT_CACERT and the network between", "no answer from %s: %s", client.Address(), err)
		return false
	case !health.Initialized || health.Sealed:
		e.find(broken, "vault", "an administrator unseals it", "%s is sealed", client.Address())
		return false
	}
	e.find(well, "vault", "", "%s answers, version %s", client.Address(), health.Version)
	return true
}

// lookAtLogin is reached once the login has succeeded.
func (e *examination) lookAtLogin() {
	how := "the Vault token that was there"
	if e.session.LoggedIn() {
		how = "logged in at auth/" + e.c.authPath
	}
	if claims := unverifiedClaims(e.session.IDToken()); claims != nil {
		e.find(well, "id token", "", "iss %v, aud %v, sub %v", claims["iss"], claims["aud"], claims["sub"])
	}
	secret, err := e.session.Read(e.ctx, "auth/token/lookup-self")
	if err != nil || secret == nil {
		e.refusedOr(err, "login", "auth/token/lookup-self", "read")
		return
	}
	ttl, _ := secret.TokenTTL()
	policies, _ := secret.TokenPolicies()
	lasts := "for " + ttl.Round(time.Second).String()
	if ttl == 0 {
		lasts = "without end"
	}
	e.find(well, "login", "", "%s as %v; policies %s; %s", how, secret.Data["display_name"], strings.Join(policies, ", "), lasts)
}

// unverifiedClaims are what an ID token says of itself, for people.
func unverifiedClaims(idToken string) map[string]any {
	parts := strings.Split(idToken, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var claims map[string]any
	if json.Unmarshal(payload, &claims) != nil {
		return nil
	}
	return claims
}

func (e *examination) lookAtMount() bool {
	path := "sys/internal/ui/mounts/" + e.c.mount
	secret, err := e.session.Read(e.ctx, path)
	if err != nil || secret == nil {
		e.find(broken, "mount", "mount the engine there (vault secrets enable), or give --mount, or let a policy of this login's reach a path below it",
			"nothing at %s that this Vault token may use", e.c.mount)
		return false
	}
	e.find(well, "mount", "", "%s: %v %v", e.c.mount, secret.Data["type"], secret.Data["running_plugin_version"])
	config, _ := secret.Data["config"].(map[string]any)
	for _, t := range tuning {
		if missing := t.missing(texts(config[t.key])); len(missing) > 0 {
			e.find(broken, "tuning", "vault-github setup --mount "+e.c.mount+" prints the command for an administrator", "%s lacks %s: %s", t.key, strings.Join(missing, ", "), t.why)
			continue
		}
		e.find(well, "tuning", "", "%s", t.key)
	}
	return true
}

func (e *examination) lookAtApp() {
	path := e.session.Path("config")
	secret, err := e.session.Read(e.ctx, path)
	switch {
	case err != nil:
		e.refusedOr(err, "app", path, "read")
	case secret == nil:
		e.find(broken, "app", "vault write "+path+" client_id=... private_key=@...", "the App default is not configured")
	case secret.Data["disabled"] == true:
		e.find(broken, "app", "vault write "+path+" disabled=false", "the App default is disabled")
	default:
		e.find(well, "app", "", "%v of %v at %v", secret.Data["slug"], secret.Data["owner"], secret.Data["base_url"])
	}
}

func (e *examination) lookAtIssuer() {
	path := e.session.Path("issuers/default")
	secret, err := e.session.Read(e.ctx, path)
	switch {
	case err != nil:
		e.refusedOr(err, "issuer", path, "read")
	case secret == nil:
		e.find(broken, "issuer", "vault write "+path+" mount_accessor=... user_claim=...; until then give --no-id-token", "the issuer default is not configured: roles that bind anything refuse, and so does every role that is shown an ID token")
	case secret.Data["disabled"] == true:
		e.find(broken, "issuer", "vault write "+path+" disabled=false", "the issuer default is disabled")
	default:
		e.find(well, "issuer", "", "jobs are known by %v, ID tokens are those of %v", secret.Data["user_claim"], secret.Data["bound_issuer"])
	}
}

// lookAtRoles tries the roles that are named, or all. One that is named is meant
// to give a token; of all, some will not.
func (e *examination) lookAtRoles(named []string) {
	refused := broken
	if len(named) == 0 {
		refused = no
		path := e.session.Path("roles")
		all, err := e.session.List(e.ctx, path)
		if err != nil {
			e.refusedOr(err, "roles", path, "list")
			return
		}
		named = all
	}
	for _, role := range named {
		e.lookAtRole(role, refused)
	}
}

func (e *examination) lookAtRole(role, refused string) {
	path := e.session.Path("check/" + role)
	data, err := decide(e.ctx, e.session, role, jobtoken.Request{}, nil)
	if err != nil {
		e.refusedOr(err, "role "+role, path, "update")
		return
	}
	d, err := asDecision(data)
	switch {
	case err != nil:
		e.find(broken, "role "+role, "update the engine", "%s", err)
	case d.Allowed:
		e.find(well, "role "+role, "", "%s", d.Scope)
	default:
		e.find(refused, "role "+role, "vault-github check "+role+" shows every rule", "%s", d.Reason)
	}
}

// refusedOr tells of a look that failed: one that Vault's policies do not allow
// is nothing to mend.
func (e *examination) refusedOr(err error, what, path, capability string) {
	var failed *jobtoken.Error
	if errors.As(err, &failed) && failed.Status == http.StatusForbidden {
		e.find(unknown, what, allowing(path, capability), "not looked at: Vault's policies do not let this job")
		return
	}
	e.find(broken, what, "see the error", "%v", err)
}

// allowing says which policy lets somebody use a path of Vault's.
func allowing(path, capability string) string {
	return fmt.Sprintf("path %q { capabilities = [%q] } in a policy allows it", path, capability)
}
