package ledger

import (
	"iter"
	"time"
)

// stream is a log with the entry that comes next.
type stream[T any] struct {
	next  T
	ok    bool // there is a next entry, or an error in its place
	err   error
	first time.Time // of the log's entries
	last  time.Time // of the entries that were taken or are next; in the end, of the log

	pull func() (T, error, bool)
	stop func()
	end  func() time.Time // of the log, asked for once it has been read; nil if its last entry's
	time func(T) time.Time
	late time.Duration
}

// open begins a log, which is read as if it were late.
func open[T any](seq iter.Seq2[T, error], at func(T) time.Time, late time.Duration, end func() time.Time) *stream[T] {
	s := &stream[T]{time: at, late: late, end: end, stop: func() {}}
	if seq == nil {
		return s
	}
	s.pull, s.stop = iter.Pull2(seq)
	s.advance()
	if s.ok && s.err == nil {
		s.first = s.time(s.next)
	}
	return s
}

func (s *stream[T]) advance() {
	s.next, s.err, s.ok = s.pull()
	switch {
	case s.err != nil:
	case s.ok:
		s.last = later(s.last, s.time(s.next))
	case s.end != nil:
		s.last = later(s.last, s.end())
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// due is when the next entry is to be taken. An error is due at once.
func (s *stream[T]) due() time.Time {
	if s.err != nil {
		return time.Time{}
	}
	return s.time(s.next).Add(s.late)
}

// before reports whether this log's next entry comes before another log's, or
// with it.
func (s *stream[T]) before(o dueStream) bool {
	return s.ok && (!o.more() || !s.due().After(o.due()))
}

func (s *stream[T]) given() bool { return s.pull != nil }

func (s *stream[T]) more() bool { return s.ok }

// covers reports whether the log goes on to a time.
func (s *stream[T]) covers(t time.Time) bool { return !s.last.Before(t) }

// dueStream is a stream of entries of any kind.
type dueStream interface {
	more() bool
	due() time.Time
}
