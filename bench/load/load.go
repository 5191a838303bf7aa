// Package load asks a Vault for the same thing over and over, and tells how that
// went: how long it took, what failed, what it cost the processes behind it.
package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options are one run. A run ends after Requests or Duration, whichever is first;
// one of them must be given.
type Options struct {
	// Address and Token are Vault's.
	Address, Token string
	// Method and Path are the request, the path without /v1/; Body is JSON.
	Method, Path string
	Body         []byte
	// Workers is how many requests are under way at most.
	Workers int
	// Rate, if not 0, is an open loop: so many requests a second are begun,
	// however long they take. Latency counts from when a request should have
	// begun, so that a Vault that stalls does not hide behind workers that wait.
	Rate     float64
	Requests int
	Duration time.Duration
	// Progress, if not nil, is told how many requests have ended.
	Progress func(done int)
}

func (o Options) validate() error {
	switch {
	case o.Address == "" || o.Path == "":
		return errors.New("give Vault's address and a path")
	case o.Workers < 1:
		return errors.New("give at least one worker")
	case o.Rate < 0:
		return errors.New("a rate is not negative")
	case o.Requests <= 0 && o.Duration <= 0:
		return errors.New("give a number of requests or a duration")
	}
	return nil
}

// Result is how a run went.
type Result struct {
	Elapsed time.Duration `json:"elapsed_ns"`
	// Statuses counts the answers by HTTP status; 0 is no answer.
	Statuses map[int]int `json:"statuses"`
	// Latencies of the requests that were answered with 200, sorted.
	Latencies []time.Duration `json:"-"`
	// FirstError is the first answer that was not 200.
	FirstError string `json:"first_error,omitempty"`
}

// OK is how many requests were answered with 200.
func (r Result) OK() int { return r.Statuses[http.StatusOK] }

// Rate is how many requests were answered with 200 in a second.
func (r Result) Rate() float64 { return float64(r.OK()) / r.Elapsed.Seconds() }

// Percentile is the latency that so many of a hundred requests did not exceed; 0
// if none was answered.
func (r Result) Percentile(p float64) time.Duration {
	if len(r.Latencies) == 0 {
		return 0
	}
	rank := int(p / 100 * float64(len(r.Latencies)))
	return r.Latencies[min(rank, len(r.Latencies)-1)]
}

// Run loads Vault until it is done or ctx ends, which is no error.
func Run(ctx context.Context, o Options) (Result, error) {
	if err := o.validate(); err != nil {
		return Result{}, err
	}
	if o.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Duration)
		defer cancel()
	}
	r := &runner{Options: o, result: Result{Statuses: map[int]int{}}, client: newClient(o.Workers)}
	defer r.client.CloseIdleConnections()
	began := time.Now()
	starts := r.schedule(ctx, began)
	var workers sync.WaitGroup
	for range o.Workers {
		workers.Go(func() {
			for start := range starts {
				r.ask(ctx, start)
			}
		})
	}
	workers.Wait()
	r.result.Elapsed = time.Since(began)
	slices.Sort(r.result.Latencies)
	return r.result, nil
}

func newClient(workers int) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = workers, workers
	transport.Proxy = nil
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

type runner struct {
	Options
	client *http.Client
	done   atomic.Int64

	mu     sync.Mutex
	result Result
}

// schedule gives out when each request begins: at once in a closed loop, by the
// clock in an open one.
func (r *runner) schedule(ctx context.Context, began time.Time) <-chan time.Time {
	starts := make(chan time.Time)
	go func() {
		defer close(starts)
		for n := 0; r.Requests <= 0 || n < r.Requests; n++ {
			var start time.Time
			if r.Rate > 0 {
				start = began.Add(time.Duration(float64(n) / r.Rate * float64(time.Second)))
				if !sleep(ctx, time.Until(start)) {
					return
				}
			}
			select {
			case starts <- start:
			case <-ctx.Done():
				return
			}
		}
	}()
	return starts
}

// sleep reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask makes one request. One that the end of the run cuts off does not count.
func (r *runner) ask(ctx context.Context, start time.Time) {
	if start.IsZero() {
		start = time.Now()
	}
	status, failure := r.exchange(ctx)
	latency := time.Since(start)
	if status == 0 && ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	r.result.Statuses[status]++
	if status == http.StatusOK {
		r.result.Latencies = append(r.result.Latencies, latency)
	} else if r.result.FirstError == "" {
		r.result.FirstError = failure
	}
	r.mu.Unlock()
	if done := r.done.Add(1); r.Progress != nil {
		r.Progress(int(done))
	}
}

// exchange returns the status, 0 if there was no answer, and the answer's text if
// it is an error's.
func (r *runner) exchange(ctx context.Context) (int, string) {
	req, err := http.NewRequestWithContext(ctx, r.Method, r.Address+"/v1/"+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("X-Vault-Token", r.Token)
	req.Header.Set("X-Vault-Request", "true")
	resp, err := r.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return 0, fmt.Sprintf("the answer was cut off: %s", err)
		}
		return resp.StatusCode, ""
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // as far as it comes
	return resp.StatusCode, string(text)
}
