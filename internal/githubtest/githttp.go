package githubtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi" //#nosec G504 -- Httpoxy was mended in Go 1.6.3
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// maxPush bounds what a client may push: it is held in memory.
const maxPush = 64 << 20

// services are git's smart-HTTP services and the level of the contents
// permission that each needs.
var services = map[string]string{
	"git-upload-pack":  "read",
	"git-receive-pack": "write",
}

// gitRoute registers an endpoint of git's smart HTTP protocol.
// https://git-scm.com/docs/http-protocol
func (s *Server) gitRoute(pattern string) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.SetPathValue("repo", strings.TrimSuffix(r.PathValue("repo"), ".git"))
		req := &request{Request: r, pattern: pattern}
		s.record(req)
		if !s.before(w, r, s.takeFault(pattern)) {
			return
		}
		token, repository, refusal := s.authorizeGit(req)
		if refusal != nil {
			refusal.write(w)
			return
		}
		s.runBackend(w, req, token, repository)
	})
}

// gitRefusal is what git shows to its user.
type gitRefusal struct {
	status  int
	message string
}

func (e gitRefusal) write(w http.ResponseWriter) {
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
	}
	http.Error(w, e.message, e.status)
}

// authorizeGit returns the token, which is the password for any user name, and
// the repository, if the one may use the service on the other.
func (s *Server) authorizeGit(r *request) (Token, *Repository, *gitRefusal) {
	service := r.gitService()
	level, known := services[service]
	if !known {
		return Token{}, nil, &gitRefusal{http.StatusForbidden, "Please upgrade your git client."}
	}
	_, password, _ := r.BasicAuth()
	token, refused := s.authenticateToken(password)
	if refused != nil && refused.status == http.StatusForbidden {
		return Token{}, nil, &gitRefusal{http.StatusForbidden, "This installation has been suspended"}
	}
	if refused != nil {
		return Token{}, nil, &gitRefusal{http.StatusUnauthorized, "Invalid username or token."}
	}
	repository, missing := s.findRepository(r)
	if missing != nil || !s.sees(token, repository) {
		return Token{}, nil, &gitRefusal{http.StatusNotFound, "Repository not found."}
	}
	if !permissionSatisfies(token.Permissions["contents"], level) {
		verb := map[string]string{"read": "Read", "write": "Write"}[level]
		return Token{}, nil, &gitRefusal{http.StatusForbidden, verb + " access to repository not granted."}
	}
	return token, repository, nil
}

// gitService is git-upload-pack or git-receive-pack.
func (r *request) gitService() string {
	if path.Base(r.URL.Path) == "refs" {
		return r.URL.Query().Get("service")
	}
	return path.Base(r.URL.Path)
}

// runBackend hands the request to git http-backend.
func (s *Server) runBackend(w http.ResponseWriter, r *request, token Token, repository *Repository) {
	if err := repository.git.make(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	backend, err := httpBackend()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	// CGI needs to know the length, and git sends a large push in chunks.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPush))
	if err != nil {
		http.Error(w, "the push is too large", http.StatusRequestEntityTooLarge)
		return
	}
	s.auditGit(r, token, repository, body)
	_, endpoint, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	_, endpoint, _ = strings.Cut(endpoint, "/")
	inner := withPath(r.Request, "/"+filepath.Base(repository.git.dir)+"/"+endpoint)
	inner.Body, inner.ContentLength, inner.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	inner.Header.Del("Authorization")

	handler := cgi.Handler{
		Path: backend,
		Env: append([]string{
			"GIT_PROJECT_ROOT=" + s.gitRoot,
			"GIT_HTTP_EXPORT_ALL=1",
			"REMOTE_USER=x-access-token", // http-backend takes pushes from a known user only
		}, gitEnvironment...),
		Stderr: io.Discard,
	}
	handler.ServeHTTP(w, inner)
}

// httpBackend finds git's own CGI program.
var httpBackend = sync.OnceValues(func() (string, error) {
	out, err := git(context.Background(), nil, "--exec-path")
	if err != nil {
		return "", fmt.Errorf("find git http-backend: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "git-http-backend"), nil
})
