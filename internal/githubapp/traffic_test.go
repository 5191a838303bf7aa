package githubapp

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-github/internal/githubtest"
)

// down is what a call meets while GitHub cannot be reached.
var down = &Error{Kind: Unavailable, Op: mintOp, Err: errors.New("connection refused")}

// newTestTraffic runs on the clock of a synctest bubble.
func newTestTraffic(places int) *traffic { return newTraffic(places, time.Now, nil, func() {}) }

// meet makes a call that ends at once with err; false if GitHub was not asked.
func (t *traffic) meet(ctx context.Context, of class, err error) (bool, error) {
	end, refused := t.begin(ctx, mintOp, of)
	if refused != nil {
		return false, refused
	}
	end(0, err)
	return true, nil
}

func TestAnOutageCostsATimeoutForAFewRequestsAndNothingForTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		traffic := newTestTraffic(50)
		for range failuresToOpen {
			if asked, err := traffic.meet(t.Context(), minting, down); !asked {
				t.Fatal(err)
			}
		}
		for _, of := range []class{minting, revoking} {
			asked, err := traffic.meet(t.Context(), of, nil)
			if asked || !IsKind(err, NotAsked) || retryAfter(err) < time.Second {
				t.Errorf("asked %v, error %v, retry after %s", asked, err, retryAfter(err))
			}
		}
		if got := traffic.load().Breaker; got != "open" {
			t.Errorf("the breaker is %s", got)
		}

		time.Sleep(openFor + time.Millisecond)
		probe, err := traffic.begin(t.Context(), mintOp, minting)
		if err != nil {
			t.Fatalf("nobody may find out whether GitHub is back: %v", err)
		}
		if asked, err := traffic.meet(t.Context(), minting, nil); asked {
			t.Errorf("a second call was let through beside the probe: %v", err)
		}
		probe(0, down)
		if asked, _ := traffic.meet(t.Context(), minting, nil); asked {
			t.Error("the probe failed, and the next call was let through")
		}

		time.Sleep(openFor + time.Millisecond)
		for range 3 {
			if asked, err := traffic.meet(t.Context(), minting, nil); !asked {
				t.Errorf("GitHub is back, and a call was refused: %v", err)
			}
		}
	})
}

// TestOnlyAnUnreachableGitHubOpensTheBreaker: no job can keep others out by what
// it asks for.
func TestOnlyAnUnreachableGitHubOpensTheBreaker(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err   error
		opens bool
	}{
		"no connection":      {down, true},
		"no answer":          {&Error{Kind: Timeout}, true},
		"bad gateway":        {&Error{Kind: Unavailable, Status: http.StatusBadGateway}, true},
		"lost answers":       {&Error{Kind: Undelivered}, true},
		"cut answers":        {&Error{Kind: Undelivered, Status: http.StatusCreated, cut: true}, true},
		"unprocessable":      {&Error{Kind: Unprocessable, Status: http.StatusUnprocessableEntity}, false},
		"not found":          {&Error{Kind: NotFound, Status: http.StatusNotFound}, false},
		"the key refused":    {&Error{Kind: KeyRefused, Status: http.StatusUnauthorized}, false},
		"not GitHub's JSON":  {&Error{Kind: Unavailable, Status: http.StatusOK}, false},
		"a redirect":         {&Error{Kind: Unavailable, Status: http.StatusFound}, false},
		"too much granted":   {&Error{Kind: Undelivered, Status: http.StatusCreated}, false},
		"clients hanging up": {context.Canceled, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				traffic := newTestTraffic(50)
				for range 3 * failuresToOpen {
					_, _ = traffic.meet(t.Context(), minting, test.err)
				}
				if asked, err := traffic.meet(t.Context(), minting, nil); asked == test.opens {
					t.Errorf("asked %v: %v", asked, err)
				}
			})
		})
	}
}

func TestARateLimitedAppKnocksNoMore(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		limit   *Error
		met     class
		stopped [classes]bool
	}{
		"secondary, minting":  {&Error{Kind: RateLimited, RetryAfter: time.Minute}, minting, [classes]bool{minting: true}},
		"secondary, revoking": {&Error{Kind: RateLimited, RetryAfter: time.Minute}, revoking, [classes]bool{revoking: true}},
		"primary, minting":    {&Error{Kind: RateLimited, RetryAfter: time.Minute, primary: true}, minting, [classes]bool{minting: true}},
		// The hourly limit of one installation's token.
		"primary, revoking": {&Error{Kind: RateLimited, RetryAfter: time.Minute, primary: true}, revoking, [classes]bool{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				traffic := newTestTraffic(50)
				if _, err := traffic.meet(t.Context(), test.met, test.limit); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Second)
				for of, stopped := range test.stopped {
					asked, err := traffic.meet(t.Context(), class(of), nil)
					if asked == stopped {
						t.Errorf("class %d: asked %v: %v", of, asked, err)
					}
					if stopped && (!IsKind(err, RateLimited) || retryAfter(err) != 40*time.Second) {
						t.Errorf("class %d: %v, retry after %s, want 40s", of, err, retryAfter(err))
					}
				}
				time.Sleep(41 * time.Second)
				for of := range test.stopped {
					if asked, err := traffic.meet(t.Context(), class(of), nil); !asked {
						t.Errorf("class %d, a minute later: %v", of, err)
					}
				}
			})
		})
	}
}

func TestARateLimitStopsNobodyForMoreThanAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		traffic := newTestTraffic(50)
		_, _ = traffic.meet(t.Context(), minting, &Error{Kind: RateLimited, RetryAfter: 1000 * time.Hour})
		time.Sleep(maxPause + time.Second)
		if asked, err := traffic.meet(t.Context(), minting, nil); !asked {
			t.Error(err)
		}
	})
}

func TestWhoWaitsTooLongForItsTurnIsToldSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		traffic := newTestTraffic(1)
		end, err := traffic.begin(t.Context(), mintOp, minting)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if asked, err := traffic.meet(ctx, minting, nil); asked || !IsKind(err, NotAsked) {
			t.Errorf("asked %v: %v", asked, err)
		}
		ctx, hangUp := context.WithCancel(t.Context())
		hangUp()
		if asked, err := traffic.meet(ctx, minting, nil); asked || !errors.Is(err, context.Canceled) {
			t.Errorf("asked %v: %v", asked, err)
		}
		end(http.StatusCreated, nil)
		end(http.StatusCreated, nil) // a second time frees no second place
		if got := traffic.load(); got.InFlight != 0 || traffic.gate.free != 1 {
			t.Errorf("%+v, %d places free", got, traffic.gate.free)
		}
	})
}

func TestNoMoreCallsThanAllowedReachGitHub(t *testing.T) {
	t.Parallel()
	const allowed = 3
	var now, most atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	w := newWorld(t)
	client, err := New(Config{
		Endpoint: Endpoint{BaseURL: server.URL, RequestTimeout: 10 * time.Second},
		ClientID: "Iv23", Key: testKey(), Custodian: w.custodian, MaxConcurrent: allowed,
	})
	if err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	for range 10 * allowed {
		calls.Go(func() {
			if err := client.Revoke(t.Context(), "ghs_x", time.Hour); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if n := most.Load(); n != allowed {
		t.Errorf("%d calls at once, want %d", n, allowed)
	}
}

func TestALookUpIsTriedAgainAndAMintOnlyIfNoTokenWasMade(t *testing.T) {
	t.Parallel()
	const lookup = "GET /orgs/{org}/installation"
	tests := map[string]struct {
		fault githubtest.Fault
		tries int
		kind  Kind // of the error; -1 for none
	}{
		"a look-up after a bad gateway": {githubtest.BadGateway().On(lookup).Once(), 2, -1},
		"a look-up after a reset":       {githubtest.Outage().On(lookup).Once(), 2, -1},
		"a look-up after a 404":         {githubtest.Fault{Status: 404, Body: `{"message":"Not Found"}`}.On(lookup).Once(), 1, -1}, // the user's is asked for
		"a mint after a bad gateway":    {githubtest.BadGateway().On(mintPattern).Once(), 1, Unavailable},
		"a mint after a reset":          {githubtest.Outage().On(mintPattern).Once(), 1, Undelivered},
		"a mint told to come back": {githubtest.Fault{Status: 503, Header: http.Header{"Retry-After": {"1"}}, Body: "{}"}.
			On(mintPattern).Once(), 2, -1},
		"a mint told to come back too late": {githubtest.Fault{Status: 503, Header: http.Header{"Retry-After": {"60"}}, Body: "{}"}.
			On(mintPattern).Once(), 1, Unavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.github.Inject(test.fault)
			var err error
			if test.fault.Match == mintPattern {
				_, err = w.client.Mint(t.Context(), w.installation.ID, readAPI)
			} else if _, err = w.client.Installation(t.Context(), "acme"); name == "a look-up after a 404" {
				err = nil // acme is no user
			}
			if test.kind < 0 && err != nil || test.kind >= 0 && !IsKind(err, test.kind) {
				t.Errorf("error %v", err)
			}
			if n := w.github.Requests(test.fault.Match); n != test.tries {
				t.Errorf("GitHub was asked %d times, want %d", n, test.tries)
			}
		})
	}
}

// TestAMintThatReachedNobodyIsTriedAgain: the first connection is refused.
func TestAMintThatReachedNobodyIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var dials atomic.Int32
	base := w.client.tokens.http.Transport.(*http.Transport) // which both share
	dial := base.DialContext
	base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials.Add(1) == 1 {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		return dial(ctx, network, address)
	}
	w.mint(t)
	if dials.Load() != 2 || w.github.Minted() != 1 {
		t.Errorf("%d connections, %d tokens", dials.Load(), w.github.Minted())
	}
}

func TestACallIsObservedWithGitHubsAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		err    error
		want   Call
	}{
		"an answer":              {http.StatusCreated, nil, Call{Op: mintOp, Result: "ok", Status: http.StatusCreated}},
		"a refusal":              {0, &Error{Kind: Forbidden, Status: http.StatusForbidden}, Call{Op: mintOp, Result: "forbidden", Status: http.StatusForbidden}},
		"no answer":              {http.StatusNoContent, down, Call{Op: mintOp, Result: "unavailable"}},
		"a client that hung up":  {http.StatusNoContent, context.Canceled, Call{Op: mintOp, Result: "canceled"}},
		"an answer that was cut": {http.StatusCreated, &Error{Kind: Undelivered, Status: http.StatusCreated}, Call{Op: mintOp, Result: "undelivered", Status: http.StatusCreated}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen []Call
			traffic := newTraffic(1, func() time.Time { return time.Time{} }, func(c Call) { seen = append(seen, c) }, func() {})
			end, err := traffic.begin(t.Context(), mintOp, minting)
			if err != nil {
				t.Fatal(err)
			}
			end(test.status, test.err)
			if len(seen) != 1 || seen[0] != test.want {
				t.Errorf("it was observed as %+v, want %+v", seen, test.want)
			}
		})
	}
}
