package cli

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// run runs vault-github in the world's job, with more environment variables.
func (w *world) run(env []string, args ...string) (output string, status int) {
	w.t.Helper()
	cmd := w.command(w.t.Context(), env, args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (w *world) command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, built("vault-github"), args...)
	cmd.Env = append(w.environment(), env...)
	return cmd
}

// TestAMintWhoseAnswerIsLostIsNotRepeated stands between the CLI and Vault, and
// loses Vault's answer in each way that a proxy has.
func TestAMintWhoseAnswerIsLostIsNotRepeated(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]http.HandlerFunc{
		"the connection breaks": func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				conn.Close()
			}
		},
		"the proxy gives up": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusGatewayTimeout)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			proxy, mints := losingProxy(t, w.mount+"/token/", lose)
			out, status := w.run([]string{"VAULT_ADDR=" + proxy}, "token", "api-read")
			if status != 75 || !strings.Contains(out, "if a token was made it ends with its lease") {
				t.Errorf("status %d, not 75; it said:\n%s", status, out)
			}
			if mints.Load() != 1 || w.github.Minted() != 1 {
				t.Errorf("%d requests made %d tokens; want one of each", mints.Load(), w.github.Minted())
			}
			w.awaitLive(0) // the login was revoked, and the lease with it
		})
	}
}

// losingProxy passes everything on to Vault, but loses the answers to requests
// whose path has a part. It counts those.
func losingProxy(t *testing.T, part string, lose http.HandlerFunc) (address string, lost *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(vault.Addr)
	if err != nil {
		t.Fatal(err)
	}
	lost = new(atomic.Int64)
	forward := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, part) {
			forward.ServeHTTP(w, r)
			return
		}
		lost.Add(1)
		forward.ServeHTTP(httptest.NewRecorder(), r)
		lose(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, lost
}

// holdingProxy passes everything on to Vault, but holds requests whose path has
// a part until answer is called; asked is closed when there is one.
func holdingProxy(t *testing.T, part string) (address string, asked <-chan struct{}, answer func()) {
	t.Helper()
	target, err := url.Parse(vault.Addr)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	began, release := make(chan struct{}), make(chan struct{})
	var first sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, part) {
			first.Do(func() { close(began) })
			<-release
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	answer = sync.OnceFunc(func() { close(release) })
	t.Cleanup(answer) // before the server is closed, which waits for its requests
	return server.URL, began, answer
}
