package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
)

// progress is a line on a terminal that tells how far a reading has come, once
// it takes more than a second. It is silent elsewhere.
type progress struct {
	out   io.Writer
	on    bool
	total int64 // 0 if it is not known
	began time.Time

	mu    sync.Mutex
	parts []int64
	shown time.Time
}

func newProgress(out *os.File, logs ...[]auditlog.Source) *progress {
	p := &progress{out: out, on: isTerminal(out), began: time.Now()}
	for _, sources := range logs {
		for _, s := range sources {
			p.total += s.Size
		}
	}
	return p
}

// part is told how many bytes of one log were read.
func (p *progress) part() func(done int64) {
	p.parts = append(p.parts, 0)
	i := len(p.parts) - 1
	return func(done int64) {
		if p.on {
			p.show(i, done)
		}
	}
}

func (p *progress) show(part int, done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parts[part] = done
	now := time.Now()
	if now.Sub(p.began) < time.Second || now.Sub(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = now
	var sum int64
	for _, n := range p.parts {
		sum += n
	}
	fmt.Fprintf(p.out, "\r%s\x1b[K", progressLine(sum, p.total, now.Sub(p.began)))
}

const barWidth = 30

func progressLine(done, total int64, elapsed time.Duration) string {
	rate := float64(done) / elapsed.Seconds()
	speed := fmt.Sprintf("%.0f MB/s", rate/1e6)
	if total <= 0 || done > total {
		return fmt.Sprintf("%s read, %s", megabytes(done), speed)
	}
	filled := int(barWidth * done / total)
	left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%s%s %3d %%  %s of %s  %s  %s left", strings.Repeat("█", filled), strings.Repeat("░", barWidth-filled),
		100*done/total, megabytes(done), megabytes(total), speed, left)
}

func megabytes(n int64) string {
	if n >= 10e9 {
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}

// end clears the line.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.shown.IsZero() {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
