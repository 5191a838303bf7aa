package githubtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// fixture is a server with an App on an organization of two repositories.
type fixture struct {
	*Server
	app          *App
	api, web     *Repository
	installation *Installation
}

func newFixture(t *testing.T, opts ...Option) fixture {
	t.Helper()
	f := fixture{Server: New(t, opts...)}
	f.app = f.AddApp("ci-broker", map[string]string{"contents": "write", "issues": "read"})
	f.AddOrganization("acme")
	f.api = f.AddRepository("acme", "api", map[string]string{"README.md": "# api\n"})
	f.web = f.AddRepository("acme", "web", map[string]string{"README.md": "# web\n"})
	f.installation = f.Install(f.app, "acme", InstallOptions{})
	return f
}

func (f fixture) mintPath() string {
	return fmt.Sprintf("/app/installations/%d/access_tokens", f.installation.ID)
}

// mint returns the value of a token with the scope of the JSON body.
func (f fixture) mint(t *testing.T, body string) string {
	t.Helper()
	got := f.call(t, http.MethodPost, f.mintPath(), f.app.JWT(), body)
	if got.status != http.StatusCreated {
		t.Fatalf("mint %s: %d %s", body, got.status, got.message())
	}
	return got.object["token"].(string)
}

// reply is an answer as a client sees it.
type reply struct {
	status int
	header http.Header
	body   []byte
	object map[string]any
	list   []any
}

func (r reply) message() string {
	message, _ := r.object["message"].(string)
	return message
}

// do sends a request to the REST API and returns the error of a cut connection.
func (s *Server) do(t *testing.T, method, path, bearer, body string) (reply, error) {
	t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = s.APIURL + path
	}
	r, err := http.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{
		// Each on a connection of its own: net/http repeats a request in
		// silence if a connection that it used before is cut.
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	got := reply{status: resp.StatusCode, header: resp.Header}
	if got.body, err = io.ReadAll(resp.Body); err != nil {
		return got, err
	}
	switch {
	case bytes.HasPrefix(got.body, []byte("{")):
		err = json.Unmarshal(got.body, &got.object)
	case bytes.HasPrefix(got.body, []byte("[")):
		err = json.Unmarshal(got.body, &got.list)
	}
	return got, err
}

func (s *Server) call(t *testing.T, method, path, bearer, body string) reply {
	t.Helper()
	got, err := s.do(t, method, path, bearer, body)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// awaitRequest waits until a request to the endpoint has come in.
func (s *Server) awaitRequest(t *testing.T, pattern string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for s.Requests(pattern) == 0 {
		select {
		case <-deadline:
			t.Fatalf("no request to %s", pattern)
		case <-time.After(time.Millisecond):
		}
	}
}

// clock is a clock that a test sets forward.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// violations collects what a server reports, instead of failing the test.
type violations struct {
	mu  sync.Mutex
	all []string
}

func (v *violations) option() Option {
	return WithViolationHandler(func(err error) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.all = append(v.all, err.Error())
	})
}

func (v *violations) String() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Join(v.all, "\n")
}
