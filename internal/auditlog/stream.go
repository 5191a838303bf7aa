package auditlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// chunk is a part of a log on its way through a worker.
type chunk struct {
	lines []byte
	last  bool // of its source: the last line may be unfinished
	out   chan decoded
}

// decoded is what a worker made of a chunk.
type decoded struct {
	entries                           []*entry
	lines, foreign, unfinished, jsonx int64
	last                              time.Time // of the last entry, whatever it is about
}

// pool decodes chunks of all sources, as many at once as there are workers.
type pool struct {
	work    chan *chunk
	workers sync.WaitGroup
	buffers sync.Pool
}

func newPool(d *decoder, workers int) *pool {
	p := &pool{work: make(chan *chunk), buffers: sync.Pool{New: func() any { return new([]byte) }}}
	for range workers {
		p.workers.Go(func() {
			for c := range p.work {
				c.out <- d.decodeChunk(c.lines, c.last)
				lines := c.lines
				p.buffers.Put(&lines)
			}
		})
	}
	return p
}

func (p *pool) close() {
	close(p.work)
	p.workers.Wait()
}

// decodeChunk decodes the lines of a chunk. Nothing that it returns is part of
// the chunk's memory.
func (d *decoder) decodeChunk(lines []byte, last bool) decoded {
	var result decoded
	s := newScanner()
	for len(lines) > 0 {
		line, rest, ended := bytes.Cut(lines, []byte("\n"))
		lines = rest
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		result.lines++
		e, what := d.decode(s, line)
		switch {
		case what == relevant:
			result.entries = append(result.entries, e)
		case what == foreign && last && !ended:
			result.unfinished++
		case what == foreign && bytes.HasPrefix(bytes.TrimSpace(line), []byte("<json:object")):
			result.jsonx++
		case what == foreign:
			result.foreign++
		}
		if len(lines) == 0 && what != foreign {
			result.last = timeOf(line)
		}
	}
	return result
}

// stream is the entries of one source, in its order.
type stream struct {
	source  Source
	stats   *Stats
	chunks  chan *chunk // in the order of the source
	stop    context.CancelFunc
	reading sync.WaitGroup
	failed  error // of reading; set before chunks is closed
	tooLong int64 // likewise

	entries []*entry // decoded, not yet taken
}

// ahead is how many chunks of one source are decoded before they are asked for.
const ahead = 4

// start begins to read the source.
func (p *pool) start(ctx context.Context, source Source, done *atomic.Int64, stats *Stats) *stream {
	ctx, stop := context.WithCancel(ctx)
	s := &stream{source: source, stats: stats, stop: stop, chunks: make(chan *chunk, ahead)}
	s.reading.Go(func() {
		defer close(s.chunks)
		s.failed = s.read(ctx, p, done)
	})
	return s
}

func (s *stream) read(ctx context.Context, p *pool, done *atomic.Int64) error {
	r, err := s.source.open(done)
	if err != nil {
		return err
	}
	defer r.Close()
	lines := &lineReader{r: r}
	defer func() { s.tooLong = lines.tooLong }()
	for {
		buffer := p.buffers.Get().(*[]byte)
		text, err := lines.next(*buffer)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		c := &chunk{lines: text, last: lines.ended, out: make(chan decoded, 1)}
		select {
		case s.chunks <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case p.work <- c:
		case <-ctx.Done():
			c.out <- decoded{}
			return ctx.Err()
		}
	}
}

// peek is the next entry; nil at the end.
func (s *stream) peek() *entry {
	for len(s.entries) == 0 {
		c, ok := <-s.chunks
		if !ok {
			return nil
		}
		result := <-c.out
		s.entries = result.entries
		s.stats.Lines += result.lines
		s.stats.Foreign += result.foreign
		s.stats.Unfinished += result.unfinished
		s.stats.JSONX += result.jsonx
		if result.last.After(s.stats.End) {
			s.stats.End = result.last
		}
		s.stats.Entries += int64(len(result.entries))
	}
	return s.entries[0]
}

func (s *stream) take() *entry {
	e := s.peek()
	if e != nil {
		s.entries = s.entries[1:]
	}
	return e
}

// close ends the reading, and tells how it went. A source that breaks off is
// used as far as it goes.
func (s *stream) close() {
	s.stop()
	for range s.chunks { // a reader that waits to send ends
	}
	s.reading.Wait()
	s.stats.TooLong += s.tooLong
	if s.failed != nil && !errors.Is(s.failed, context.Canceled) {
		s.stats.Broken = append(s.stats.Broken, s.source.Name+": "+s.failed.Error())
	}
}
