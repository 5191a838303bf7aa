package auditlog

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
)

// merger puts the entries of many sources into one order of time. A source is
// opened when the others have come to the time of its first line, so a year of
// rotated logs takes no more files and memory than those that overlap.
type merger struct {
	ctx     context.Context
	pool    *pool
	done    *atomic.Int64
	stats   *Stats
	waiting []waitingSource // by the time of their first line
	open    []*stream
}

type waitingSource struct {
	Source
	first time.Time
}

func newMerger(ctx context.Context, p *pool, sources []Source, done *atomic.Int64, stats *Stats) (*merger, error) {
	m := &merger{ctx: ctx, pool: p, done: done, stats: stats}
	for _, source := range sources {
		first, err := firstTime(source)
		if err != nil {
			return nil, err
		}
		m.waiting = append(m.waiting, waitingSource{source, first})
	}
	slices.SortStableFunc(m.waiting, func(a, b waitingSource) int { return a.first.Compare(b.first) })
	return m, nil
}

// firstTime is the time of the first entry of a source, whatever it is about;
// zero, which sorts first, if it cannot be told.
func firstTime(source Source) (time.Time, error) {
	if source.Once {
		return time.Time{}, nil
	}
	var ignored atomic.Int64
	r, err := source.open(&ignored)
	if err != nil {
		return time.Time{}, err
	}
	defer r.Close()
	lines := bufio.NewReaderSize(r, 64<<10)
	for range 100 {
		line, err := lines.ReadBytes('\n')
		if at := timeOf(line); !at.IsZero() {
			return at, nil
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				break // reading it in full will tell
			}
			break
		}
	}
	return time.Time{}, nil
}

func timeOf(line []byte) time.Time {
	var e struct {
		Time time.Time `json:"time"`
	}
	for i, c := range line {
		if c == '{' {
			if json.Unmarshal(line[i:], &e) != nil {
				return time.Time{}
			}
			return e.Time
		}
	}
	return time.Time{}
}

// next is the earliest entry of all; nil at the end.
func (m *merger) next() *entry {
	for {
		earliest := m.earliest()
		if len(m.waiting) > 0 && (earliest == nil || !m.waiting[0].first.After(earliest.peek().Time)) {
			m.open = append(m.open, m.pool.start(m.ctx, m.waiting[0].Source, m.done, m.stats))
			m.waiting = m.waiting[1:]
			continue
		}
		if earliest == nil {
			return nil
		}
		return earliest.take()
	}
}

// earliest is the open stream with the earliest entry; nil if none has one.
func (m *merger) earliest() *stream {
	var earliest *stream
	for _, s := range slices.Clone(m.open) {
		e := s.peek()
		if e == nil {
			s.close()
			m.open = slices.DeleteFunc(m.open, func(o *stream) bool { return o == s })
			continue
		}
		if earliest == nil || e.Time.Before(earliest.peek().Time) {
			earliest = s
		}
	}
	return earliest
}

func (m *merger) close() {
	for _, s := range m.open {
		s.close()
	}
}
