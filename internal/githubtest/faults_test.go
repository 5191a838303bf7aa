package githubtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFaultsBeforeGitHubActsMintNothing(t *testing.T) {
	t.Parallel()
	reset := time.Unix(1800000000, 0)
	tests := []struct {
		name   string
		fault  Fault
		status int
		header map[string]string
		body   string
	}{
		{"bad gateway", BadGateway(), 502, map[string]string{"Content-Type": "text/html"}, "<html>"},
		{"redirect", Redirect(307, "https://elsewhere.example/"), 307, map[string]string{"Location": "https://elsewhere.example/"}, ""},
		{"primary limit", PrimaryRateLimit(403, reset), 403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000000"}, "API rate limit exceeded"},
		{"secondary limit", SecondaryRateLimit(429, time.Minute), 429, map[string]string{"Retry-After": "60"}, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."},
		{"canned answer", Fault{Status: 500, Body: "{}"}, 500, nil, "{}"},
		{"canned answer after a while", Fault{Latency: time.Millisecond, Status: 500}, 500, nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.Inject(test.fault.On(MintToken))
			got := f.call(t, http.MethodPost, f.mintPath(), f.app.JWT(), "")
			if got.status != test.status || !strings.Contains(string(got.body), test.body) {
				t.Errorf("%d %s, want %d %s", got.status, got.body, test.status, test.body)
			}
			for name, want := range test.header {
				if got.header.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
				}
			}
			if f.Minted() != 0 {
				t.Error("a token was minted")
			}
		})
	}
}

func TestFaultsAfterGitHubActedLeaveAToken(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault Fault
		check func(t *testing.T, got reply, err error)
	}{
		{"late", Fault{LateBy: time.Millisecond}, wantStatus(201)},
		{"gateway gave up", Fault{Act: true, Status: 504}, wantStatus(504)},
		{"cut", Fault{Cut: true}, func(t *testing.T, _ reply, err error) {
			if !errors.Is(err, io.EOF) {
				t.Errorf("error %v, want EOF", err)
			}
		}},
		{"truncated", Fault{Truncate: true}, func(t *testing.T, got reply, err error) {
			if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.Contains(got.body, []byte("ghs_")) {
				t.Errorf("error %v with body %s, want half of it", err, got.body)
			}
		}},
		{"huge", Fault{PadTo: 5 << 20}, func(t *testing.T, got reply, err error) {
			if err != nil || len(got.body) != 5<<20 || bytes.Index(got.body, []byte("ghs_")) > 100 || !json.Valid(got.body) {
				t.Errorf("error %v, %d bytes", err, len(got.body))
			}
		}},
		{"mutated", Fault{Mutate: func(answer map[string]any) {
			answer["permissions"] = map[string]any{"administration": "write"}
			delete(answer, "expires_at")
		}}, func(t *testing.T, got reply, err error) {
			want := map[string]any{"administration": "write"}
			if diff := cmp.Diff(want, got.object["permissions"]); diff != "" || err != nil || got.object["expires_at"] != nil {
				t.Errorf("error %v, answer %s", err, got.body)
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.Inject(test.fault.On(MintToken))
			got, err := f.do(t, http.MethodPost, f.mintPath(), f.app.JWT(), "")
			test.check(t, got, err)
			if len(f.LiveTokens()) != 1 {
				t.Errorf("%d live tokens, want 1", len(f.LiveTokens()))
			}
		})
	}
}

func wantStatus(status int) func(*testing.T, reply, error) {
	return func(t *testing.T, got reply, err error) {
		if err != nil || got.status != status {
			t.Errorf("status %d, error %v; want %d", got.status, err, status)
		}
	}
}

func TestOutageResetsEveryConnection(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	end := f.Inject(Outage())
	for _, path := range []string{"/app", "/nothing", f.URL + "/acme/api.git/info/refs?service=git-upload-pack"} {
		if _, err := f.do(t, http.MethodGet, path, f.app.JWT(), ""); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: error %v, want a reset", path, err)
		}
	}
	end()
	if got := f.call(t, http.MethodGet, "/app", f.app.JWT(), ""); got.status != http.StatusOK {
		t.Errorf("after the outage: %d", got.status)
	}
}

func TestFaultHitsItsEndpointItsNumberOfTimes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	fault := Fault{Match: "GET /app", Times: 2, Status: 500}
	f.Inject(fault)
	f.Inject(Fault{Status: 503}.On("GET /meta").Once())
	var got []int
	for _, path := range []string{"/rate_limit", "/app", "/app", "/app", "/meta", "/meta"} {
		got = append(got, f.call(t, http.MethodGet, path, f.app.JWT(), "").status)
	}
	if diff := cmp.Diff([]int{200, 500, 500, 200, 503, 200}, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestClientThatLeavesDuringTheLatencyMintsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Inject(Fault{Latency: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.APIURL+f.mintPath(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+f.app.JWT())
	done := make(chan error)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	f.awaitRequest(t, MintToken)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
	f.Close() // waits for the request
	if f.Minted() != 0 {
		t.Error("a token was minted")
	}
}

func TestCloseEndsRequestsUnderWay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.Inject(Fault{LateBy: time.Hour})
	done := make(chan error)
	go func() {
		_, err := f.do(t, http.MethodGet, "/app", f.app.JWT(), "")
		done <- err
	}()
	f.awaitRequest(t, "GET /app")
	f.Close()
	if err := <-done; err == nil {
		t.Error("the request was answered")
	}
}

func TestTLSIsTrustedByItsCA(t *testing.T) {
	t.Parallel()
	s := New(t, WithTLS())
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(s.CAPEM())) {
		t.Fatal("CAPEM holds no certificate")
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	get := func() error {
		resp, err := client.Get(s.APIURL + "/meta")
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	if err := get(); err != nil || !strings.HasPrefix(s.URL, "https://") {
		t.Errorf("%s: %v", s.URL, err)
	}
	s.Inject(Outage())
	if err := get(); err == nil {
		t.Error("an outage over TLS was answered")
	}
}
