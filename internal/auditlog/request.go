package auditlog

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// request is what an entry tells of a request for a token; its outcome is open
// until the response is there.
func (d *decoder) request(e *entry) *Request {
	role, _ := d.role(e)
	return &Request{
		ID: e.Request.ID, Time: e.Time, Outcome: Unanswered,
		Namespace: e.namespace(), Mount: e.Request.MountPoint, Role: role,
		Login: e.Auth.Metadata, DisplayName: e.Auth.DisplayName, EntityID: e.Auth.EntityID,
		Accessor: e.Auth.Accessor, TokenType: e.Auth.TokenType,
		RemoteAddr: e.Request.RemoteAddress, UserAgent: strings.Join(e.Request.UserAgent, ", "), Asked: asked(e),
	}
}

// answered adds what the response tells.
func (r *Request) answered(e *entry) {
	r.Answered = e.Time
	r.Error = strings.TrimSpace(e.Error)
	if failure := e.Response.Data.Error; failure != "" && (r.Error == "" || !Hashed(failure)) {
		r.Error = failure
	}
	if r.Error != "" {
		r.Outcome, r.Error = Refused, oneError(r.Error)
		r.Reason = ReasonOf(r.Error)
		return
	}
	r.Outcome, r.Grant = Issued, grantOf(e)
}

// oneError takes off what Vault wraps around an error.
func oneError(text string) string {
	if _, rest, ok := strings.Cut(text, "error occurred:\n\t* "); ok {
		return strings.TrimSpace(rest)
	}
	if head, rest, ok := strings.Cut(text, " errors occurred:\n"); ok && len(head) < 3 {
		lines := strings.Split(strings.TrimSpace(rest), "\n")
		for i := range lines {
			lines[i] = strings.TrimPrefix(strings.TrimSpace(lines[i]), "* ")
		}
		return strings.Join(lines, "; ")
	}
	return text
}

// ReasonOf is the class of a refusal, by what the caller was told: acl (Vault's
// own policies), policy (a rule of the role, the mount's limits or the issuer),
// github, bad_request, or unknown.
func ReasonOf(message string) string {
	contains := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(message, part) {
				return true
			}
		}
		return false
	}
	switch {
	case Hashed(message): // what a rule refuses is never hashed; a mistake is, with 400
		return "bad_request"
	case contains("permission denied", "invalid token", "missing client token"):
		return "acl"
	case contains("GitHub ", "the App's key was refused", "Post \"", "Get \""):
		return "github"
	case contains("unknown parameter", "unknown role", "not configured", "is more than 1h", "a lease of 0 seconds"):
		return "bad_request"
	case contains("wanted ", "disabled", "no entity", "ID token", "id_token", "issuer", "alias"):
		return "policy"
	}
	return "unknown"
}

// asked is what the request named: from its data, or where Vault hashed that from
// the query, which it never hashes.
func asked(e *entry) Asked {
	var data map[string]any
	if len(e.Request.Data) > 0 && json.Unmarshal(e.Request.Data, &data) != nil {
		data = nil
	}
	_, idToken := data["id_token"]
	if _, query, ok := strings.Cut(e.Request.URI, "?"); ok {
		values, _ := url.ParseQuery(query)
		if data == nil {
			data = map[string]any{}
		}
		for name, list := range values {
			data[name] = anySlice(list)
		}
	}
	a := Asked{
		Repositories: list(data["repositories"]), RepositoryIDs: list(data["repository_ids"]),
		TTL: plain(data["ttl"]), IDToken: idToken,
	}
	if permissions, ok := data["permissions"].(map[string]any); ok {
		a.Permissions = map[string]string{}
		for name, level := range permissions {
			a.Permissions[name] = plain(level)
		}
		return a
	}
	for _, pair := range list(data["permissions"]) {
		if name, level, ok := strings.Cut(pair, "="); ok {
			if a.Permissions == nil {
				a.Permissions = map[string]string{}
			}
			a.Permissions[name] = level
		}
	}
	return a
}

func anySlice(texts []string) []any {
	values := make([]any, len(texts))
	for i, text := range texts {
		values[i] = text
	}
	return values
}

// list is a value as Vault's framework takes a list: an array, or a text with
// commas.
func list(value any) []string {
	var texts []string
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			texts = append(texts, list(element)...)
		}
	case nil:
	default:
		if text := plain(v); text != "" {
			texts = strings.Split(text, ",")
		}
	}
	return texts
}

// plain is a text or number as it stood in the log; a list's only element.
func plain(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		if len(v) == 1 {
			return plain(v[0])
		}
	}
	return ""
}

func grantOf(e *entry) *Grant {
	if e.Response.Wrapped {
		return &Grant{Wrapped: true}
	}
	a := e.Response.Data
	g := &Grant{
		App: a.App, InstallationID: a.InstallationID, Organization: a.Organization, Selection: a.Selection,
		Repositories: a.Repositories, RepositoryIDs: a.RepositoryIDs, Permissions: a.Permissions, Scope: a.Scope,
		HashedToken: NormalHash(a.HashedToken), TTL: a.TTL, LeaseID: e.Response.LeaseID, Subject: a.Subject,
	}
	g.ExpiresAt, _ = time.Parse(time.RFC3339, a.ExpiresAt)
	for name, value := range map[string]string{
		"run_id": a.RunID, "workflow_ref": a.WorkflowRef, "ref": a.Ref, "event_name": a.EventName,
	} {
		if value != "" {
			if g.Claims == nil {
				g.Claims = map[string]string{}
			}
			g.Claims[name] = value
		}
	}
	g.FillFromScope()
	return g
}

// NormalHash is a hashed_token without its padding, which GitHub's examples have
// or have not.
func NormalHash(hashed string) string { return strings.TrimRight(hashed, "=") }

// HashToken is the hashed_token of a token.
//
// https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/identifying-audit-log-events-performed-by-an-access-token
func HashToken(token string) string {
	return base64.RawStdEncoding.EncodeToString(sum256(token))
}

// FillFromScope takes from the scope, which is one text, what Vault hashed: the
// account, the names and the levels of permissions.
func (g *Grant) FillFromScope() {
	scope, ok := parseScope(g.Scope)
	if !ok {
		return
	}
	if g.Organization == "" || Hashed(g.Organization) {
		g.Organization = scope.account
	}
	if g.Selection == "" || Hashed(g.Selection) {
		g.Selection = map[bool]string{true: "all", false: "selected"}[scope.all]
	}
	if !scope.all && (len(g.Repositories) == 0 || Hashed(g.Repositories[0])) {
		g.Repositories = scope.repositories
	}
	if len(g.Permissions) == 0 || anyHashed(g.Permissions) {
		g.Permissions = scope.permissions
	}
}

func anyHashed(values map[string]string) bool {
	for _, value := range values {
		if Hashed(value) {
			return true
		}
	}
	return false
}

// scopeLine is the engine's scope: "acme: api,web: contents=read,metadata=read".
type scopeLine struct {
	account      string
	all          bool
	repositories []string
	permissions  map[string]string
}

func parseScope(text string) (scopeLine, bool) {
	parts := strings.Split(text, ": ")
	if len(parts) != 3 {
		return scopeLine{}, false
	}
	s := scopeLine{account: parts[0], all: parts[1] == "*", permissions: map[string]string{}}
	if !s.all {
		s.repositories = strings.Split(parts[1], ",")
	}
	for pair := range strings.SplitSeq(parts[2], ",") {
		name, level, ok := strings.Cut(pair, "=")
		if !ok {
			return scopeLine{}, false
		}
		s.permissions[name] = level
	}
	return s, true
}

// TuneLine is the command that keeps keys of the answer readable from now on.
// Vault takes the list as a whole, so those that are tuned already must be named
// again.
func TuneLine(mount string, keys ...string) string {
	var flags strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&flags, " -audit-non-hmac-response-keys=%s", key)
	}
	return "vault secrets tune" + flags.String() + " " + mount
}
