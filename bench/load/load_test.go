package load

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func server(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func TestEveryAnswerIsCounted(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	address := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/github/token/ci" || r.Header.Get("X-Vault-Token") != "t" {
			t.Errorf("asked %s as %q", r.URL.Path, r.Header.Get("X-Vault-Token"))
		}
		if n.Add(1)%4 == 0 {
			http.Error(w, "refused", http.StatusForbidden)
		}
	})
	r, err := Run(t.Context(), Options{Address: address, Token: "t", Method: http.MethodGet, Path: "github/token/ci", Workers: 3, Requests: 40})
	if err != nil {
		t.Fatal(err)
	}
	if r.OK() != 30 || r.Statuses[http.StatusForbidden] != 10 || len(r.Latencies) != 30 || !strings.HasPrefix(r.FirstError, "refused") {
		t.Errorf("%+v", r)
	}
}

// TestAnOpenLoopCountsTheWait: a server that stalls once delays all that should
// have begun meanwhile.
func TestAnOpenLoopCountsTheWait(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	address := server(t, func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 1 {
			time.Sleep(200 * time.Millisecond)
		}
	})
	r, err := Run(t.Context(), Options{Address: address, Method: http.MethodGet, Path: "x", Workers: 1, Requests: 10, Rate: 100})
	if err != nil {
		t.Fatal(err)
	}
	if median := r.Percentile(50); median < 100*time.Millisecond {
		t.Errorf("the median is %s: the wait for the only worker is left out", median)
	}
}

func TestPercentilesAreOfTheSortedLatencies(t *testing.T) {
	t.Parallel()
	var r Result
	if r.Percentile(50) != 0 {
		t.Error("there is a percentile of nothing")
	}
	for i := range 100 {
		r.Latencies = append(r.Latencies, time.Duration(i+1))
	}
	for p, want := range map[float64]time.Duration{0: 1, 50: 51, 99: 100, 100: 100} {
		if got := r.Percentile(p); got != want {
			t.Errorf("p%g is %d, want %d", p, got, want)
		}
	}
}

func TestARunWithoutAnEndIsRefused(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{}, {Address: "x", Path: "y"}, {Address: "x", Path: "y", Workers: 1}} {
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v was run", o)
		}
	}
}

func TestUsageIsReadFromProc(t *testing.T) {
	t.Parallel()
	u, err := UsageOf(os.Getpid())
	if err != nil || u.RSS < 1<<20 || u.PeakRSS < u.RSS {
		t.Errorf("%+v, %v", u, err)
	}
	cpu, err := cpuTime("17 (a) b) (c) S 1 17 17 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 1 0 5 6")
	if err != nil || cpu != 2*time.Second {
		t.Errorf("%s, %v", cpu, err)
	}
	if _, err := cpuTime("17 (x) S"); err == nil {
		t.Error("a short line was read")
	}
	if _, err := UsageOf(-1); err == nil {
		t.Error("a process that is not there was read")
	}
}
