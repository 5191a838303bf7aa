package auditlog

import (
	"bufio"
	"container/heap"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
)

// usesInMemory is how many uses are sorted at once: about 60 MB.
const usesInMemory = 200_000

// sorter puts uses into the order of time: an external merge sort, with one file
// for every run that does not fit in memory.
type sorter struct {
	limit int
	uses  []Use
	runs  []*os.File
}

func newSorter(limit int) *sorter { return &sorter{limit: limit} }

func (s *sorter) add(use Use) error {
	s.uses = append(s.uses, use)
	if len(s.uses) < s.limit {
		return nil
	}
	return s.spill()
}

func byTime(a, b Use) int { return a.Time.Compare(b.Time) }

// spill writes what is in memory into a file, which has no name, so that nothing
// is left of it whatever becomes of the process.
func (s *sorter) spill() error {
	slices.SortStableFunc(s.uses, byTime)
	f, err := os.CreateTemp("", "vault-github-audit-*")
	if err != nil {
		return fmt.Errorf("make a temporary file to sort GitHub's audit log: %w", err)
	}
	s.runs = append(s.runs, f)
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("unlink a temporary file: %w", err)
	}
	buffered := bufio.NewWriterSize(f, 1<<20)
	encoder := gob.NewEncoder(buffered)
	for _, use := range s.uses {
		if err := encoder.Encode(use); err != nil {
			return fmt.Errorf("write a temporary file: %w", err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("write a temporary file: %w", err)
	}
	s.uses = s.uses[:0]
	return nil
}

// all is what was added, in order. It ends the sorter.
func (s *sorter) all() iter.Seq2[Use, error] {
	return func(yield func(Use, error) bool) {
		slices.SortStableFunc(s.uses, byTime)
		merged := &runHeap{}
		if err := s.open(merged); err != nil {
			yield(Use{}, err)
			return
		}
		for merged.Len() > 0 {
			run := (*merged)[0]
			use := run.head
			if err := run.advance(); errors.Is(err, io.EOF) {
				heap.Pop(merged)
			} else if err != nil {
				yield(Use{}, fmt.Errorf("read a temporary file: %w", err))
				return
			} else {
				heap.Fix(merged, 0)
			}
			if !yield(use, nil) {
				return
			}
		}
	}
}

// open begins every run, the one in memory last: runs of the same time keep
// their order.
func (s *sorter) open(merged *runHeap) error {
	for i, f := range s.runs {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read a temporary file: %w", err)
		}
		decoder := gob.NewDecoder(bufio.NewReaderSize(f, 256<<10))
		if err := merged.begin(&run{index: i, next: func(use *Use) error { return decoder.Decode(use) }}); err != nil {
			return err
		}
	}
	rest := s.uses
	return merged.begin(&run{index: len(s.runs), next: func(use *Use) error {
		if len(rest) == 0 {
			return io.EOF
		}
		*use, rest = rest[0], rest[1:]
		return nil
	}})
}

func (s *sorter) close() {
	for _, f := range s.runs {
		_ = f.Close() // it was unlinked: nothing can be lost
	}
}

// run is one sorted sequence.
type run struct {
	index int
	head  Use
	next  func(*Use) error
}

func (r *run) advance() error {
	r.head = Use{} // gob leaves zero fields as they are
	return r.next(&r.head)
}

type runHeap []*run

func (h *runHeap) begin(r *run) error {
	switch err := r.advance(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("read a temporary file: %w", err)
	}
	heap.Push(h, r)
	return nil
}

func (h runHeap) Len() int      { return len(h) }
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h runHeap) Less(i, j int) bool {
	if c := byTime(h[i].head, h[j].head); c != 0 {
		return c < 0
	}
	return h[i].index < h[j].index
}
func (h *runHeap) Push(x any) { *h = append(*h, x.(*run)) }
func (h *runHeap) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	*h = (*h)[:last]
	return r
}
