package githubapp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

// DefaultMaxConcurrent and MaxConcurrent are how many calls of one App may be
// under way at once: by default, and at most. GitHub takes 100.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
const (
	DefaultMaxConcurrent = 50
	MaxConcurrent        = 100
)

const (
	// failuresToOpen in a row open the breaker: GitHub is taken to be
	// unreachable, and is not asked for openFor. Then one call finds out.
	failuresToOpen = 5
	openFor        = 2 * time.Second
	// maxPause bounds what a rate limit may ask for: GitHub's are hourly.
	maxPause = time.Hour
)

// traffic keeps the calls to one GitHub within what it takes: not too many at
// once, none while it asks to be left alone, and few while it cannot be reached.
type traffic struct {
	gate    *gate
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	now     func() time.Time
	observe func(Call)

	mu     sync.Mutex
	paused [classes]time.Time
	// reopens is when the breaker lets a call through again.
	reopens  time.Time
	inFlight int
}

// Call is one exchange with GitHub, retries included, for metrics.
type Call struct {
	// Op is what was asked, as in [Error.Op].
	Op string
	// Result is "ok" or the error's [Kind].
	Result string
	// Status is the HTTP status of GitHub's last answer; 0 if there was none.
	Status  int
	Waited  time.Duration // for its turn
	Elapsed time.Duration // from its turn to the answer
}

// newTraffic lets so many calls through at once, the default if 0. When GitHub
// becomes unreachable, drop is called: what is left of old connections is of no
// use then.
func newTraffic(places int, now func() time.Time, observe func(Call), drop func()) *traffic {
	if places == 0 {
		places = DefaultMaxConcurrent
	}
	if observe == nil {
		observe = func(Call) {}
	}
	t := &traffic{gate: newGate(places), now: now, observe: observe}
	t.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout:      openFor,
		ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= failuresToOpen },
		IsSuccessful: func(err error) bool { return !isUnreachable(err) },
		// Whoever hung up says nothing of GitHub.
		IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(_ string, _, state gobreaker.State) {
			if state == gobreaker.StateOpen {
				t.setReopens()
				drop()
			}
		},
	})
	return t
}

func (t *traffic) setReopens() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reopens = t.now().Add(openFor)
}

// isUnreachable reports whether GitHub, or the way to it, did not work.
func isUnreachable(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case Timeout:
		return true
	case Unavailable, Undelivered:
		return e.Status == 0 || e.Status >= http.StatusInternalServerError || e.cut
	default:
		return false
	}
}

// begin waits for the turn of a call, at most until ctx ends, and refuses at
// once a call that GitHub would not answer. Whoever may begin calls end, once or
// more often, with what came of it: GitHub's HTTP status, if it has answered, and
// the error.
func (t *traffic) begin(ctx context.Context, op string, of class) (end func(status int, err error), err error) {
	asked := t.now()
	if err := t.refusal(op, of); err != nil {
		return nil, err
	}
	if err := t.gate.enter(ctx, of); err != nil {
		return nil, t.queueError(ctx, op, t.now().Sub(asked))
	}
	// While this call waited others may have met an outage.
	if err := t.refusal(op, of); err != nil {
		t.gate.leave()
		return nil, err
	}
	report, err := t.breaker.Allow()
	if err != nil {
		t.gate.leave()
		return nil, t.unreachable(op)
	}
	t.count(1)
	began := t.now()
	var once sync.Once
	return func(status int, err error) {
		once.Do(func() {
			t.count(-1)
			t.gate.leave()
			t.pauseAfter(err, of)
			report(err)
			t.observe(call(op, status, err, began.Sub(asked), t.now().Sub(began)))
		})
	}, nil
}

func call(op string, status int, err error, waited, elapsed time.Duration) Call {
	c := Call{Op: op, Result: "ok", Status: status, Waited: waited, Elapsed: elapsed}
	var e *Error
	switch {
	case errors.As(err, &e):
		c.Result, c.Status = e.Kind.String(), e.Status
	case err != nil:
		c.Result, c.Status = "canceled", 0
	}
	return c
}

func (t *traffic) count(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inFlight += n
}

// refusal is why GitHub is not to be asked now; nil if it may be.
func (t *traffic) refusal(op string, of class) error {
	t.mu.Lock()
	left := t.paused[of].Sub(t.now())
	t.mu.Unlock()
	if left > 0 {
		return &Error{Kind: RateLimited, Op: op, RetryAfter: atLeastASecond(left),
			Message: "GitHub has asked this App to wait; it is not asked again before that"}
	}
	if t.breaker.State() == gobreaker.StateOpen {
		return t.unreachable(op)
	}
	return nil
}

func (t *traffic) unreachable(op string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return &Error{Kind: NotAsked, Op: op, RetryAfter: atLeastASecond(t.reopens.Sub(t.now())),
		Message: "GitHub could not be reached several times in a row, so it was not asked; it is tried again every few seconds"}
}

func (t *traffic) queueError(ctx context.Context, op string, waited time.Duration) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%s: the client hung up while it waited for its turn: %w", op, ctx.Err())
	}
	return &Error{Kind: NotAsked, Op: op, RetryAfter: time.Second,
		Message: fmt.Sprintf("too many calls of this App are under way; this one waited %s for its turn and was not made", waited.Round(time.Millisecond))}
}

// pauseAfter remembers GitHub's wish to be left alone. The hourly limit of one
// installation's token says nothing of another's, so it stops no revocation.
func (t *traffic) pauseAfter(err error, of class) {
	var e *Error
	if !errors.As(err, &e) || e.Kind != RateLimited || of == revoking && e.primary {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	until := t.now().Add(min(e.RetryAfter, maxPause))
	if until.After(t.paused[of]) {
		t.paused[of] = until
	}
}

// Load is what is under way at one GitHub.
type Load struct {
	InFlight, WaitingToMint, WaitingToRevoke int
	// Breaker is closed, half-open or open.
	Breaker string
	// Paused is how long GitHub has asked to be left alone; 0 if not.
	Paused time.Duration
}

func (t *traffic) load() Load {
	breaker := t.breaker.State().String() // first: its lock is held when setReopens is called
	t.mu.Lock()
	defer t.mu.Unlock()
	return Load{
		InFlight: t.inFlight, WaitingToMint: t.gate.queued(minting), WaitingToRevoke: t.gate.queued(revoking),
		Breaker: breaker,
		Paused:  max(0, t.paused[minting].Sub(t.now()), t.paused[revoking].Sub(t.now())),
	}
}

const (
	// maxTries bounds how often one call is made; the pauses between them begin
	// with firstPause.
	maxTries   = 4
	firstPause = 100 * time.Millisecond
)

// retry calls try until it succeeds, fails for good, or ctx ends. The pauses
// double and are jittered, so that the many that failed together do not come
// back together.
func retry(ctx context.Context, again func(error) bool, try func(context.Context) error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := try(ctx)
		if err == nil || n == maxTries || !again(err) {
			return err
		}
		wait := max(pause/2+rand.N(pause), retryAfter(err)) //#nosec G404 -- jitter is no secret
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
		pause *= 2
	}
}

// retryAfter is the wait that GitHub asked for with an error; 0 if for none.
func retryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}
