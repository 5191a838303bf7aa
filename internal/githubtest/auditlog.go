package githubtest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serverToServer is what GitHub calls an installation token in its audit log.
const serverToServer = "GitHub App server-to-server token"

// AuditEvent is an entry of GitHub's audit log about what was done with an
// installation token, in the form of an export. GitHub says which fields there
// are, and which of them only some actions have.
//
// https://docs.github.com/en/enterprise-cloud@latest/admin/monitoring-activity-in-your-enterprise/reviewing-audit-logs-for-your-enterprise/identifying-audit-log-events-performed-by-an-access-token
type AuditEvent struct {
	Timestamp              int64  `json:"@timestamp"` // in milliseconds
	DocumentID             string `json:"_document_id"`
	Action                 string `json:"action"` // git.clone, git.fetch, git.push, api.request
	Actor                  string `json:"actor"`
	ActorIsBot             bool   `json:"actor_is_bot"`
	Org                    string `json:"org,omitempty"`
	Repo                   string `json:"repo,omitempty"` // owner/name
	HashedToken            string `json:"hashed_token"`   // base64 of the SHA-256
	TokenID                int64  `json:"token_id"`
	ProgrammaticAccessType string `json:"programmatic_access_type"`
	UserAgent              string `json:"user_agent"`

	TransportProtocol     int    `json:"transport_protocol,omitempty"` // of git
	TransportProtocolName string `json:"transport_protocol_name,omitempty"`

	RequestMethod string `json:"request_method,omitempty"` // of an api.request
	Route         string `json:"route,omitempty"`
	URLPath       string `json:"url_path,omitempty"`
	StatusCode    int    `json:"status_code,omitempty"`
}

// AuditLog returns what was done so far with tokens that GitHub took, if the
// server keeps an audit log: see [WithAuditLog]. A token that it does not take is
// nobody's, and leaves no entry.
func (s *Server) AuditLog() []AuditEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.auditLog)
}

// ServeAuditLog answers the audit log as GitHub exports it: a JSON array, or with
// the query format=ndjson an object a line.
func (s *Server) ServeAuditLog(w http.ResponseWriter, r *http.Request) {
	events := s.AuditLog()
	encoder := json.NewEncoder(w)
	if r.URL.Query().Get("format") != "ndjson" {
		w.Header().Set("Content-Type", "application/json")
		_ = encoder.Encode(append([]AuditEvent{}, events...)) // an error means that the client has left
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	for _, event := range events {
		if encoder.Encode(event) != nil {
			return
		}
	}
}

// auditRequest writes down a request to the REST API.
func (s *Server) auditRequest(r *request, token Token, status int) {
	method, route, _ := strings.Cut(r.pattern, " ")
	event := AuditEvent{
		Action: "api.request", RequestMethod: method, Route: route, URLPath: r.URL.Path, StatusCode: status,
	}
	var about *Repository
	if strings.HasPrefix(route, "/repo") {
		about, _ = s.findRepository(r)
	}
	s.audit(event, r, token, about)
}

// auditGit writes down what a request to one of git's services does, if it is
// the one of several that does it.
func (s *Server) auditGit(r *request, token Token, about *Repository, body []byte) {
	action := gitAction(r.gitService(), r.Header.Get("Content-Encoding"), body)
	if r.Method == http.MethodPost && action != "" {
		s.audit(AuditEvent{Action: action, TransportProtocol: 1, TransportProtocolName: "http"}, r, token, about)
	}
}

// gitAction tells from the body what a request to a service does. Whoever clones
// has nothing yet. Before a fetch there may be a negotiation: version 0 of the
// protocol ends it with done, version 2 when the server is content, mostly at
// once.
//
// https://git-scm.com/docs/pack-protocol, https://git-scm.com/docs/protocol-v2
func gitAction(service, encoding string, body []byte) string {
	if encoding == "gzip" {
		body = gunzip(body)
	}
	has := func(text string) bool { return bytes.Contains(body, []byte(text)) }
	switch {
	case service == "git-receive-pack" && len(body) > len("0000"): // not the probe before a large push
		return "git.push"
	case service != "git-upload-pack" || !has("command=fetch") && !has("0009done"):
		return ""
	case has("have "):
		return "git.fetch"
	}
	return "git.clone"
}

func gunzip(body []byte) []byte {
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil
	}
	content, err := io.ReadAll(io.LimitReader(reader, maxPush))
	if err != nil {
		return nil
	}
	return content
}

// audit adds to an event what all have, and keeps it.
func (s *Server) audit(event AuditEvent, r *request, token Token, about *Repository) {
	if !s.options.auditLog {
		return
	}
	hash := sha256.Sum256([]byte(token.Value))
	s.mu.Lock()
	defer s.mu.Unlock()
	if about != nil {
		event.Org, event.Repo = about.Owner, about.FullName()
	} else if installation := s.world.installations[token.InstallationID]; installation != nil {
		event.Org = installation.Account
	}
	event.Timestamp = s.options.now().Truncate(time.Millisecond).UnixMilli()
	event.DocumentID = "fake-" + strconv.Itoa(len(s.auditLog)+1)
	event.Actor, event.ActorIsBot = s.world.apps[token.AppID].Slug+"[bot]", true
	event.HashedToken = base64.StdEncoding.EncodeToString(hash[:])
	event.TokenID = int64(token.number) + 1
	event.ProgrammaticAccessType = serverToServer
	event.UserAgent = r.UserAgent()
	s.auditLog = append(s.auditLog, event)
}
