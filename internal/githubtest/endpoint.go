package githubtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxRequestBody is far above what any of the endpoints has use for.
const maxRequestBody = 1 << 20

// request is a request whose body was read.
type request struct {
	*http.Request
	// pattern is the endpoint, as in GitHub's OpenAPI description.
	pattern string
	body    []byte
}

// handler is an endpoint.
type handler func(*request) answer

// routes registers every endpoint. Patterns are those of GitHub's OpenAPI
// description, so that they name endpoints everywhere: see [Server.Requests].
func (s *Server) routes() {
	s.rest("GET /app", s.asApp(s.getApp))
	s.rest("GET /app/installations", s.asApp(s.listInstallations))
	s.rest("GET /app/installations/{installation_id}", s.asApp(s.getInstallation))
	s.rest("DELETE /app/installations/{installation_id}", s.asApp(s.deleteInstallation))
	s.rest(MintToken, s.asApp(s.mintToken))
	s.rest("GET /orgs/{org}/installation", s.asApp(s.getOrganizationInstallation))
	s.rest("GET /users/{username}/installation", s.asApp(s.getUserInstallation))
	s.onRepository("GET", "/installation", s.asApp(s.getRepositoryInstallation))
	s.rest(RevokeToken, s.asInstallation(s.deleteToken))
	s.rest("GET /installation/repositories", s.asInstallation(s.listRepositories))
	s.rest("GET /rate_limit", s.getRateLimit)
	s.rest("GET /meta", s.getMeta)

	s.onRepository("GET", "", s.asInstallationOn("metadata", "read", s.getRepository))
	s.onRepository("GET", "/contents/{path}", s.asInstallationOn("contents", "read", s.getContents))
	s.onRepository("PUT", "/contents/{path}", s.asInstallationOn("contents", "write", s.putContents))
	s.onRepository("GET", "/issues", s.asInstallationOn("issues", "read", s.listIssues))
	s.onRepository("POST", "/issues", s.asInstallationOn("issues", "write", s.createIssue))

	s.gitRoute("GET /{owner}/{repo}/info/refs")
	s.gitRoute("POST /{owner}/{repo}/git-upload-pack")
	s.gitRoute("POST /{owner}/{repo}/git-receive-pack")

	s.rest("", func(*request) answer { return notFound() })
}

// onRepository registers an endpoint of a repository, under its name and where
// GitHub redirects to from a former name.
func (s *Server) onRepository(method, path string, act handler) {
	s.rest(method+" /repos/{owner}/{repo}"+path, act)
	s.rest(method+" /repositories/{repository_id}"+path, act)
}

// rest registers an endpoint of the REST API; the empty pattern is every path
// that no endpoint has.
func (s *Server) rest(pattern string, act handler) {
	route := strings.Replace(pattern, "{path}", "{path...}", 1)
	if pattern == "" {
		route = "/"
	}
	s.mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		fault := s.takeFault(pattern)
		req := &request{Request: r, pattern: pattern}
		var err error
		if req.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody)); err != nil {
			s.send(w, req, failure(http.StatusRequestEntityTooLarge, "Payload Too Large"), fault)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(req.body))
		s.record(req)
		s.checkRequest(req)
		if !s.before(w, r, fault) {
			return
		}
		s.send(w, req, s.perform(req, act), fault)
	})
}

// perform acts, unless the client is one that GitHub turns away unheard.
func (s *Server) perform(r *request, act handler) answer {
	if r.UserAgent() == "" {
		return failure(http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
	}
	return act(r)
}

// send answers, as the fault lets it.
func (s *Server) send(w http.ResponseWriter, r *request, a answer, fault Fault) {
	body, err := encode(a.body)
	if err != nil {
		panic(fmt.Sprintf("githubtest: %s: %v", r.pattern, err))
	}
	if fault.Mutate != nil && body != nil {
		body = mutate(body, fault.Mutate)
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if body != nil {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	if fault.Mutate == nil {
		s.checkAnswer(r, a.status, w.Header(), body)
	}
	s.deliver(w, r.Request, a.status, body, fault)
}

func encode(body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	return json.Marshal(body)
}

// pathID is a path parameter that holds an id; 0, which nothing has, if it is
// not a number.
func (r *request) pathID(name string) int64 {
	id, _ := strconv.ParseInt(r.PathValue(name), 10, 64)
	return id
}

// bearer is the token of the Authorization header, in either of the schemes
// that GitHub takes.
func (r *request) bearer() string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "token") {
		return strings.TrimSpace(token)
	}
	return ""
}

// Request is a request that the server has seen.
type Request struct {
	Method string
	// Path is without the /api/v3 of GitHub Enterprise Server.
	Path   string
	Query  string
	Header http.Header
	Body   []byte
}

// requestLog is what was asked, by pattern.
type requestLog struct {
	counts map[string]int
	last   map[string]Request
}

func newRequestLog() requestLog {
	return requestLog{counts: map[string]int{}, last: map[string]Request{}}
}

func (s *Server) record(r *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.counts[r.pattern]++
	s.log.last[r.pattern] = Request{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone(), Body: r.body,
	}
}

// Requests returns how many requests there were to an endpoint, named as in
// GitHub's OpenAPI description, e.g. "GET /orgs/{org}/installation"; [MintToken]
// and [RevokeToken] are the names of two. Those to no endpoint are under "".
func (s *Server) Requests(pattern string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.counts[pattern]
}

// LastRequest returns the last request to an endpoint, named as for
// [Server.Requests]; the zero Request if there was none.
func (s *Server) LastRequest(pattern string) Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.last[pattern]
}
