package action

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serveTLS is a Vault behind https, and the certificate to trust.
func serveTLS(t *testing.T) (address, ca string) {
	t.Helper()
	front := httptest.NewTLSServer(forward(t))
	t.Cleanup(front.Close)
	return front.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}))
}

// newAuthority is a certificate that signed nothing but itself.
func newAuthority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestVaultWithAPrivateAuthority(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address, ca := serveTLS(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte(ca), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, given := range map[string]string{"PEM": ca, "a file": file} {
		t.Run(name, func(t *testing.T) {
			j := w.in(t).newJob()
			s := j.use(j.inputs(map[string]string{"vault-address": address, "vault-ca": given}))
			if s.main.code != 0 {
				t.Fatalf("main ended with %d:\n%s", s.main.code, s.main.annotations("error"))
			}
			s.post().wantSilent()
			j.awaitLive(0)
			wantVaultTokenGone(t, s.state["vault-token"])
		})
	}
}

// Whatever an earlier step put into the environment.
func TestVaultsCertificateIsVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address, ca := serveTLS(t)
	foreign := newAuthority(t)
	for name, test := range map[string]struct {
		address, ca, says string
	}{
		"an unknown authority": {address, "", "give its certificate in vault-ca"},
		"another authority":    {address, foreign, "give its certificate in vault-ca"},
		"another name":         {strings.Replace(address, "127.0.0.1", "localhost", 1), ca, "Give the name in vault-address"},
	} {
		t.Run(name, func(t *testing.T) {
			j := w.in(t).newJob()
			j.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"
			j.env["NODE_NO_WARNINGS"] = "1" // of what Node takes that for
			s := j.use(j.inputs(map[string]string{"vault-address": test.address, "vault-ca": test.ca}))
			s.wantRefusal("no answer from ", test.says)
			j.end()
		})
	}
	w.wantMinted(0)
}

// Runners of a company often reach nothing but by its proxy.
func TestProxyOfTheEnvironmentIsUsed(t *testing.T) {
	t.Parallel()
	if version, ok := nodeTakesProxies(t); !ok {
		t.Skipf("node %s knows no proxyEnv, which runners have from 24.5 on", version)
	}
	j := newWorld(t).newJob()
	address, ca := serveTLS(t)
	var tunnels atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tunnels.Add(1)
		tunnel(w, r)
	}))
	t.Cleanup(proxy.Close)
	j.env["HTTPS_PROXY"] = proxy.URL
	s := j.use(j.inputs(map[string]string{"vault-address": address, "vault-ca": ca}))
	if !j.isLive(s.outputs["token"]) || tunnels.Load() != 2 {
		t.Errorf("%d tunnels for a login and a token\n%s", tunnels.Load(), s.main.annotations("error"))
	}
	j.end()
}

func nodeTakesProxies(t *testing.T) (version string, ok bool) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "node", "--print", "process.versions.node").Output()
	if err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "%d.%d.", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), major > 24 || major == 24 && minor >= 5
}

// tunnel answers a CONNECT.
func tunnel(w http.ResponseWriter, r *http.Request) {
	server, err := net.Dial("tcp", r.Host)
	if err != nil || r.Method != http.MethodConnect {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(server, buffered) // ends when the client leaves
		server.Close()
	}()
	_, _ = io.Copy(client, server)
}

// A token would go where a redirect leads.
func TestRedirectToAnotherHostIsNotFollowed(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	var reached atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(elsewhere.Close)
	proxy := forward(t)
	for _, path := range []string{"login", "token"} {
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/"+path) {
				http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
				return
			}
			proxy.ServeHTTP(w, r)
		}))
		t.Cleanup(front.Close)
		s := j.use(j.inputs(map[string]string{"vault-address": front.URL}))
		s.wantRefusal("redirects to "+elsewhere.URL, "give its address")
	}
	j.end()
	if reached.Load() > 0 {
		t.Errorf("%d requests followed the redirect", reached.Load())
	}
	j.wantMinted(0)
}

func TestRedirectOnTheSameHostIsFollowedOnce(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	proxy := forward(t)
	hop := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path+"?hop="+r.URL.Query().Get("hop")+"1", http.StatusTemporaryRedirect)
	}
	once := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("hop") == "" {
			hop(w, r)
			return
		}
		r.URL.RawQuery = ""
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(once.Close)
	forever := httptest.NewServer(http.HandlerFunc(hop))
	t.Cleanup(forever.Close)

	if s := j.use(j.inputs(map[string]string{"vault-address": once.URL})); !j.isLive(s.outputs["token"]) {
		t.Errorf("no token by way of a redirect:\n%s", s.main.annotations("error"))
	}
	j.use(j.inputs(map[string]string{"vault-address": forever.URL})).wantRefusal("Vault answered 307")
	j.end()
	j.awaitLive(0)
}

// Of a lost answer nobody knows whether it held a token.
func TestMintWhoseAnswerIsLostIsNotRepeated(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	proxy := forward(t)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "/token/ci") {
			proxy.ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(front.Close)
	s := j.use(j.inputs(map[string]string{"vault-address": front.URL}))
	s.wantRefusal("no answer from ")
	j.wantMinted(1)
	j.awaitLive(1) // or the test tests nothing
	s.post().wantSilent()
	j.awaitLive(0)
}

func TestAnswersThatAreNotVaults(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	for answer, says := range map[string]string{
		"<html>Welcome to our Wi-Fi</html>": "the answer is not JSON",
		"null":                              "the answer is not JSON",
		`{"hello": "world"}`:                "/login holds no Vault token",
	} {
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(answer))
		}))
		t.Cleanup(front.Close)
		j.use(j.inputs(map[string]string{"vault-address": front.URL})).wantRefusal(says)
	}
	j.end()
}
