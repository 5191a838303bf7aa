package cli

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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

// quietProxy passes everything on, and does not log clients that hang up.
func quietProxy(target *url.URL) *httputil.ReverseProxy {
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	return proxy
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
	forward := quietProxy(target)
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
	forward := quietProxy(target)
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

// TestVaultsOwnVariablesSayHowToReachIt puts TLS before Vault.
func TestVaultsOwnVariablesSayHowToReachIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target, err := url.Parse(vault.Addr)
	if err != nil {
		t.Fatal(err)
	}
	var namespaces atomic.Value
	forward := quietProxy(target)
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		namespaces.Store(r.Header.Get("X-Vault-Namespace"))
		r.Header.Del("X-Vault-Namespace") // only Vault Enterprise has any
		forward.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	authority := filepath.Join(w.home, "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"VAULT_ADDR=" + server.URL, "VAULT_NAMESPACE=team", "VAULT_CACERT=" + authority}
	if out, status := w.run(env, "exec", "api-read", "--", "true"); status != 0 || namespaces.Load() != "team" {
		t.Errorf("status %d, namespace %v:\n%s", status, namespaces.Load(), out)
	}
	out, status := w.run(env[:2], "token", "api-read")
	if status != 75 || !strings.Contains(out, "certificate signed by unknown authority") {
		t.Errorf("without the authority: status %d:\n%s", status, out)
	}
}
