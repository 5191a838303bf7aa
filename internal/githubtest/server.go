// Package githubtest is a fake GitHub: a real HTTP server with GitHub's own
// rules for Apps, installations, tokens, repositories and git, and with the
// faults of a network and of a GitHub in trouble.
//
// Requests to its App endpoints and its answers are held to GitHub's OpenAPI
// description; see openapi.go.
package githubtest

import (
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// apiPrefix is where GitHub Enterprise Server has its REST API.
const apiPrefix = "/api/v3"

// Server is a fake GitHub. It is safe for concurrent use.
type Server struct {
	// URL is the web and git root, e.g. http://127.0.0.1:1234. The REST API is
	// served there too, as on api.github.com.
	URL string
	// APIURL is the REST API under a path, as on GitHub Enterprise Server.
	APIURL string

	options  options
	http     *httptest.Server
	mux      *http.ServeMux
	schema   *openapi3.T
	closing  chan struct{}
	close    sync.Once
	gitRoot  string
	examples examples

	mu       sync.Mutex
	world    world
	log      requestLog
	auditLog []AuditEvent
	faults   []*activeFault
}

// New starts a fake GitHub on a free loopback port; it is closed by t.Cleanup,
// and any request or answer of its App endpoints that violates GitHub's OpenAPI
// description fails t.
func New(t testing.TB, opts ...Option) *Server {
	t.Helper()
	failTest := WithViolationHandler(func(err error) { t.Errorf("GitHub's OpenAPI description: %v", err) })
	server, err := Start(append([]Option{failTest}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// Start is New without a test, for commands and benchmarks. Violations go to
// the handler of WithViolationHandler. Close ends the server.
func Start(opts ...Option) (*Server, error) {
	s := &Server{
		options: defaultOptions(),
		mux:     http.NewServeMux(),
		closing: make(chan struct{}),
		world:   newWorld(),
		log:     newRequestLog(),
	}
	for _, set := range opts {
		set(&s.options)
	}
	if err := s.loadDescription(); err != nil {
		return nil, err
	}
	s.routes()
	var err error
	if s.gitRoot, err = os.MkdirTemp("", "fake-github-"); err != nil {
		return nil, fmt.Errorf("make a directory for git repositories: %w", err)
	}
	if err := s.listen(); err != nil {
		_ = os.RemoveAll(s.gitRoot)
		return nil, err
	}
	return s, nil
}

func (s *Server) loadDescription() (err error) {
	if s.examples, err = githubExamples(); err != nil {
		return fmt.Errorf("read the examples of GitHub's OpenAPI description: %w", err)
	}
	if s.options.validate {
		if s.schema, err = githubSchema(); err != nil {
			return fmt.Errorf("load GitHub's OpenAPI description: %w", err)
		}
	}
	return nil
}

func (s *Server) listen() error {
	listener, err := net.Listen("tcp", s.options.address)
	if err != nil {
		return fmt.Errorf("listen for the fake GitHub: %w", err)
	}
	s.http = &httptest.Server{Listener: listener, Config: &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}}
	scheme, start := "http", s.http.Start
	if s.options.tls {
		scheme, start = "https", s.http.StartTLS
	}
	s.URL = scheme + "://" + listener.Addr().String()
	s.APIURL = s.URL + apiPrefix
	start()
	return nil
}

// Close ends the server, also requests under way, and removes its repositories.
func (s *Server) Close() {
	s.close.Do(func() {
		close(s.closing)
		s.http.Close()
		_ = os.RemoveAll(s.gitRoot) // what stays is in the system's temporary directory
	})
}

// CAPEM is the certificate to trust of a server started WithTLS.
func (s *Server) CAPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw}))
}

// Handle serves more than GitHub does, e.g. an API to control the fake.
func (s *Server) Handle(pattern string, handler http.Handler) {
	s.mux.Handle(pattern, handler)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	recorded := &statusRecorder{ResponseWriter: w}
	defer func() { s.options.requestLog(r.Method, r.URL.Path, recorded.status) }()

	s.setHeaders(w.Header())
	if cleaned := path.Clean(r.URL.Path); cleaned != r.URL.Path {
		// ServeMux would redirect; GitHub knows no such path.
		s.mux.ServeHTTP(recorded, withPath(r, "/"))
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, apiPrefix+"/"); ok {
		r = withPath(r, "/"+rest)
	}
	s.mux.ServeHTTP(recorded, r)
}

func withPath(r *http.Request, path string) *http.Request {
	r = r.Clone(r.Context())
	r.URL.Path, r.URL.RawPath = path, ""
	return r
}

// now is the fake's clock, in whole seconds as in GitHub's answers.
func (s *Server) now() time.Time { return s.options.now().UTC().Truncate(time.Second) }

// statusRecorder remembers the status for the log of requests.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusRecorder) Write(data []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(data)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
