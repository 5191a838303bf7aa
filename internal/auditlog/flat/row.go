// Package flat is the schema of the tables that audit reports and exports have:
// one row for each request, and one for each use at GitHub. docs/audit-sql.md
// documents the columns; to rename or remove one breaks somebody's query.
package flat

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

// Request is a request for a token and what became of it. Times are UTC with
// microseconds; those that are not known are NULL, texts that are not known are
// empty.
type Request struct {
	Time          time.Time  `json:"time" parquet:"time,timestamp(microsecond)"`
	Answered      *time.Time `json:"answered" parquet:"answered,optional,timestamp(microsecond)"`
	RequestID     string     `json:"request_id" parquet:"request_id"`
	Outcome       string     `json:"outcome" parquet:"outcome,dict"` // issued, refused, unanswered
	Reason        string     `json:"reason" parquet:"reason,dict"`   // acl, policy, bad_request, github, unknown
	Error         string     `json:"error" parquet:"error"`
	Namespace     string     `json:"namespace" parquet:"namespace,dict"`
	Mount         string     `json:"mount" parquet:"mount,dict"`
	Role          string     `json:"role" parquet:"role,dict"`
	Subject       string     `json:"subject" parquet:"subject,dict"`
	DisplayName   string     `json:"display_name" parquet:"display_name,dict"`
	EntityID      string     `json:"entity_id" parquet:"entity_id,dict"`
	RemoteAddress string     `json:"remote_address" parquet:"remote_address,dict"`
	UserAgent     string     `json:"user_agent" parquet:"user_agent,dict"`
	Repository    string     `json:"job_repository" parquet:"job_repository,dict"` // of the job, not of the token
	Ref           string     `json:"job_ref" parquet:"job_ref,dict"`
	EventName     string     `json:"job_event_name" parquet:"job_event_name,dict"`
	WorkflowRef   string     `json:"job_workflow_ref" parquet:"job_workflow_ref,dict"`
	RunID         string     `json:"job_run_id" parquet:"job_run_id"`
	Login         string     `json:"login" parquet:"login"` // claims at login, a JSON object
	App           string     `json:"app" parquet:"app,dict"`
	Installation  int64      `json:"installation_id" parquet:"installation_id"`
	Organization  string     `json:"organization" parquet:"organization,dict"`
	Selection     string     `json:"repository_selection" parquet:"repository_selection,dict"`
	Repositories  []string   `json:"repositories" parquet:"repositories,list"`
	Permissions   []string   `json:"permissions" parquet:"permissions,list"` // name=level, sorted
	Scope         string     `json:"scope" parquet:"scope"`
	TTLAsked      string     `json:"ttl_asked" parquet:"ttl_asked"`
	TTL           int64      `json:"ttl" parquet:"ttl"` // seconds; 0 if not known
	HashedToken   string     `json:"hashed_token" parquet:"hashed_token"`
	ExpiresAt     *time.Time `json:"expires_at" parquet:"expires_at,optional,timestamp(microsecond)"`
	LeaseID       string     `json:"lease_id" parquet:"lease_id"`
	Renewals      int64      `json:"renewals" parquet:"renewals"`
	Ended         *time.Time `json:"ended" parquet:"ended,optional,timestamp(microsecond)"`
	EndedBy       string     `json:"ended_by" parquet:"ended_by,dict"`
	Revoked       *time.Time `json:"revoked" parquet:"revoked,optional,timestamp(microsecond)"`
	Failures      int64      `json:"revocation_failures" parquet:"revocation_failures"`
	Wrapped       bool       `json:"wrapped" parquet:"wrapped"`
	Joined        bool       `json:"joined" parquet:"joined"` // GitHub's log covers the token's life
	Uses          int64      `json:"uses" parquet:"uses"`
	FirstUse      *time.Time `json:"first_use" parquet:"first_use,optional,timestamp(microsecond)"`
	LastUse       *time.Time `json:"last_use" parquet:"last_use,optional,timestamp(microsecond)"`
	Clones        int64      `json:"clones" parquet:"clones"`
	Pushes        int64      `json:"pushes" parquet:"pushes"`
	APIReads      int64      `json:"api_reads" parquet:"api_reads"`
	APIWrites     int64      `json:"api_writes" parquet:"api_writes"`
	UsesAfterEnd  int64      `json:"uses_after_end" parquet:"uses_after_end"`
}

// RequestOf is an account as a row.
func RequestOf(a *ledger.Account) Request {
	r := Request{
		Time: a.Time.UTC(), Answered: known(a.Answered), RequestID: a.ID, Outcome: string(a.Outcome), Reason: a.Reason, Error: a.Error,
		Namespace: a.Namespace, Mount: a.Mount, Role: a.Role, DisplayName: a.DisplayName, EntityID: a.EntityID,
		RemoteAddress: a.RemoteAddr, UserAgent: a.UserAgent, Login: object(a.Login), TTLAsked: a.Asked.TTL,
		Repositories: []string{}, Permissions: []string{},
		Renewals: int64(a.Renewals), Ended: known(a.Ended), EndedBy: string(a.EndedBy), Revoked: known(a.Revoked), Failures: int64(a.Failures),
		Joined: a.Joined, Uses: int64(a.Usage.Count), FirstUse: known(a.Usage.First), LastUse: known(a.Usage.Last),
		Clones: int64(a.Usage.Clones), Pushes: int64(a.Usage.Pushes), APIReads: int64(a.Usage.APIReads), APIWrites: int64(a.Usage.APIWrites),
		UsesAfterEnd: int64(a.Usage.AfterEnd),
	}
	claims := a.Login
	if g := a.Grant; g != nil {
		r.addGrant(g)
		claims = merged(a.Login, g.Claims)
	}
	r.Repository, r.Ref, r.EventName = claims["repository"], claims["ref"], claims["event_name"]
	r.WorkflowRef, r.RunID = claims["workflow_ref"], claims["run_id"]
	return r
}

func (r *Request) addGrant(g *auditlog.Grant) {
	r.App, r.Installation, r.Organization, r.Selection = g.App, g.InstallationID, g.Organization, g.Selection
	r.Scope, r.TTL, r.HashedToken, r.LeaseID, r.Subject, r.Wrapped = g.Scope, g.TTL, g.HashedToken, g.LeaseID, g.Subject, g.Wrapped
	r.ExpiresAt = known(g.ExpiresAt)
	r.Repositories = append(r.Repositories, g.Repositories...)
	for _, name := range slices.Sorted(maps.Keys(g.Permissions)) {
		r.Permissions = append(r.Permissions, name+"="+g.Permissions[name])
	}
}

// merged are the claims at login, and over them those of the ID token, which are
// this job's for certain.
func merged(login, idToken map[string]string) map[string]string {
	claims := maps.Clone(login)
	if claims == nil {
		claims = map[string]string{}
	}
	for name, value := range idToken {
		if !auditlog.Hashed(value) {
			claims[name] = value
		}
	}
	return claims
}

func known(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}

func object(values map[string]string) string {
	if len(values) == 0 {
		return ""
	}
	text, err := json.Marshal(values)
	if err != nil {
		return "" // a map of texts has no error
	}
	return string(text)
}

// Use is one use of a token at GitHub.
type Use struct {
	Time        time.Time `json:"time" parquet:"time,timestamp(microsecond)"`
	HashedToken string    `json:"hashed_token" parquet:"hashed_token"`
	Action      string    `json:"action" parquet:"action,dict"`
	Actor       string    `json:"actor" parquet:"actor,dict"`
	Org         string    `json:"org" parquet:"org,dict"`
	Repository  string    `json:"repository" parquet:"repository,dict"` // owner/name
	UserAgent   string    `json:"user_agent" parquet:"user_agent,dict"`
	Method      string    `json:"method" parquet:"method,dict"`
	Route       string    `json:"route" parquet:"route,dict"`
	Path        string    `json:"path" parquet:"path"`
	Status      int64     `json:"status" parquet:"status"`
	Needs       string    `json:"needs" parquet:"needs,dict"` // permission that it took: name=level, or ?
}

// UseOf is a use as a row.
func UseOf(u auditlog.Use) Use {
	return Use{
		Time: u.Time.UTC(), HashedToken: u.HashedToken, Action: u.Action, Actor: u.Actor, Org: u.Org, Repository: u.Repository,
		UserAgent: u.UserAgent, Method: u.Method, Route: u.Route, Path: u.Path, Status: int64(u.Status), Needs: ledger.Needs(u),
	}
}

// Columns are the names of a request's columns, in order.
func Columns() []string {
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}

// Cells are the values of a request's columns as texts: times in RFC 3339, lists
// with spaces between, unknown ones empty.
func (r Request) Cells() []string {
	cells := make([]string, len(columns))
	for i, c := range columns {
		cells[i] = c.text(r)
	}
	return cells
}

func stamp(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.Format(time.RFC3339Nano)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func spaced(list []string) string { return strings.Join(list, " ") }
