package idtoken

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

func TestProbeSaysWhatFailed(t *testing.T) {
	t.Parallel()
	var followed atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	t.Cleanup(elsewhere.Close)
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
	}
	to := func(url string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url, http.StatusFound) }
	}
	tests := map[string]struct {
		instead http.HandlerFunc
		change  func(*Config)
		says    string // empty if nothing failed
	}{
		"nothing":                {nil, nil, ""},
		"a redirect to itself":   {to("/moved"), nil, ""},
		"an HTML page":           {text("<html>"), nil, "/jwks is not JSON"},
		"an empty answer":        {text(""), nil, "/jwks is not JSON"},
		"something else":         {text(`{"keys":"none"}`), nil, "/jwks is not JSON"},
		"no keys":                {text(`{}`), nil, "/jwks holds no key for signatures by [RS256]"},
		"an error":               {status(http.StatusServiceUnavailable), nil, "/jwks answered 503"},
		"an endless answer":      {endless, nil, "longer than"},
		"an answer cut short":    {cutShort, nil, "unexpected EOF"},
		"a redirect elsewhere":   {to(elsewhere.URL), nil, "a redirect to " + elsewhere.URL + " was not followed"},
		"redirects in a circle":  {to("/jwks"), nil, "more than 3 redirects"},
		"another issuer":         {nil, func(c *Config) { c.Issuer = "https://ci.example" }, `not of bound_issuer "https://ci.example"`},
		"no discovery":           {nil, func(c *Config) { c.DiscoveryURL += "/elsewhere" }, "openid-configuration is not JSON"},
		"nobody":                 {nil, func(c *Config) { c.DiscoveryURL = "http://127.0.0.1:1" }, "connection refused"},
		"keys without discovery": {nil, func(c *Config) { c.DiscoveryURL, c.JWKSURL = "", c.DiscoveryURL+"/jwks" }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			i.answer(test.instead)
			v, _ := i.verifier(t, test.change)
			wantError(t, v.Probe(t.Context()), test.says)
		})
	}
	t.Cleanup(func() {
		if followed.Load() != 0 {
			t.Error("the redirect to another host was followed")
		}
	})
}

// endless answers for as long as somebody listens.
func endless(w http.ResponseWriter, _ *http.Request) {
	for spaces := bytes.Repeat([]byte(" "), 1<<16); ; {
		if _, err := w.Write(spaces); err != nil {
			return
		}
	}
}

// cutShort promises more than it answers.
func cutShort(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	fmt.Fprint(w, "{")
}

// newTLSIssuer is an issuer by https whose discovery document names the keys'
// URL, with its certificate.
func newTLSIssuer(t *testing.T, jwksURI func(self string) string) (*httptest.Server, string) {
	t.Helper()
	i := newIssuer(t)
	var s *httptest.Server
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": s.URL, "jwks_uri": jwksURI(s.URL)})
	})
	mux.Handle("/", i.routes())
	s = httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that clients break off
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, certificatePEM(s.Certificate().Raw)
}

func TestTheCAIsTrustedBesideTheSystems(t *testing.T) {
	t.Parallel()
	s, ca := newTLSIssuer(t, func(self string) string { return self + "/jwks" })
	for pem, says := range map[string]string{"": "ca_pem takes the certificate of its authority", ca: ""} {
		v, err := New(Config{DiscoveryURL: s.URL, Issuer: s.URL, Audiences: []string{"vault"}, CAPEM: pem})
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, v.Probe(t.Context()), says)
	}
}

func TestAnIssuerElsewhereCannotSendUsToThisMachine(t *testing.T) {
	t.Parallel()
	here := newIssuer(t)
	for url, says := range map[string]string{
		here.URL + "/jwks":          "jwks_uri: it is not https, as the issuer is",
		"http://ci.example/jwks":    "jwks_uri: http is allowed for loopback addresses only",
		"file:///etc/passwd":        "jwks_uri: it is not a URL with a host",
		"https://a:b@ci.example/ks": "jwks_uri: it must not hold user information",
		"":                          "jwks_uri: it is not a URL with a host",
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			s, ca := newTLSIssuer(t, func(string) string { return url })
			v, err := New(Config{DiscoveryURL: s.URL, Issuer: s.URL, Audiences: []string{"vault"}, CAPEM: ca})
			if err != nil {
				t.Fatal(err)
			}
			wantError(t, v.Probe(t.Context()), says)
		})
	}
	t.Cleanup(func() { here.wantFetches(t, 0) })
}
