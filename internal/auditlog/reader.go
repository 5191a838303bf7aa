package auditlog

import (
	"context"
	"crypto/sha256"
	"iter"
	"runtime"
	"sync/atomic"
	"time"
)

// Options say how Vault's audit log is read. The zero value is good.
type Options struct {
	// Mounts are those to tell of; none are all of a plugin whose name holds
	// "secrets-github".
	Mounts []string
	// Workers decode at once; as many as there are processors if 0.
	Workers int
	// Window is how long Vault may take to answer, and how far entries may be
	// out of order; DefaultWindow if 0.
	Window time.Duration
	// Progress, if not nil, is told how many bytes of the sources were read.
	Progress func(done int64)
}

// DefaultWindow is well above Vault's default_max_request_duration of 90 s.
const DefaultWindow = 5 * time.Minute

// Reader reads Vault's audit log.
type Reader struct {
	sources []Source
	options Options
	stats   Stats
}

// NewReader reads the sources together: devices, nodes and rotations of one
// Vault, in any order.
func NewReader(sources []Source, o Options) *Reader {
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Window == 0 {
		o.Window = DefaultWindow
	}
	return &Reader{sources: sources, options: o}
}

// Stats tells of the last All, once it has ended.
func (r *Reader) Stats() Stats { return r.stats }

// All is every event in the order of time, each once, but that a request without
// a response comes when its window is over. A source that cannot be opened is an
// error; one that breaks off is used as far as it goes, and counted.
func (r *Reader) All(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		r.stats = Stats{}
		if err := r.run(ctx, func(e Event) bool { return yield(e, nil) }); err != nil {
			yield(Event{}, err)
		}
	}
}

func (r *Reader) run(ctx context.Context, each func(Event) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	var done atomic.Int64
	d := newDecoder(r.options.Mounts)
	p := newPool(d, r.options.Workers)
	defer p.close()
	defer cancel()
	m, err := newMerger(ctx, p, r.sources, &done, &r.stats)
	if err != nil {
		return err
	}
	defer func() {
		m.close()
		r.stats.Bytes = done.Load()
	}()
	stopped := false
	pairs := &pairer{decoder: d, window: r.options.Window, stats: &r.stats, known: map[string]*exchange{}, each: func(e Event) bool {
		stopped = stopped || !each(e)
		return !stopped
	}}
	for count := 0; ; count++ {
		e := m.next()
		if err := ctx.Err(); err != nil {
			return err
		}
		if e == nil {
			break
		}
		if !pairs.add(e) {
			return nil
		}
		if r.options.Progress != nil && count%1000 == 0 {
			r.options.Progress(done.Load())
		}
	}
	pairs.expire(pairs.latest.Add(time.Nanosecond))
	return nil
}

func sum256(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
