// Package auditlogtest makes logs as a busy Vault and GitHub write them: of any
// length, always the same for the same seed. Their form is that of Vault 1.21
// and of GitHub's exports.
package auditlogtest

import (
	"bufio"
	"container/heap"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// Log describes what to make.
type Log struct {
	Requests int       // for a token, issued or not
	Others   int       // entries about something else beside each of them
	Seed     uint64    // of everything that is left to chance
	Start    time.Time // of the first request; 2026-06-01 if zero
	Every    time.Duration
	Salt     string // of the device that hashed
	// Retired is how many roles nobody asks for after the first tenth of the log.
	Retired int
}

// Truth is what the logs tell, counted while they were made.
type Truth struct {
	Issued, Refused, Unanswered int
	Revoked                     int // by the job, with its Vault token
	Used, Uses                  int // tokens that were used, and how often
	Strays                      int // uses of tokens that the broker did not issue
	AfterEnd                    int // uses after the lease had ended
	Lines                       int // of Vault's log
}

const (
	roles        = 40
	repositories = 300
	leaseTTL     = 10 * time.Minute
)

// writer makes one log.
type writer struct {
	Log
	truth                 Truth
	chance                *rand.Rand
	vault, github, server *bufio.Writer
	later                 schedule
	err                   error
}

// Write writes Vault's audit log, GitHub's export, an object a line, and Vault's
// server log; the last two may be nil.
func (l Log) Write(vault, github, server io.Writer) (Truth, error) {
	if l.Start.IsZero() {
		l.Start = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	}
	if l.Every == 0 {
		l.Every = 10 * time.Second
	}
	chance := rand.New(rand.NewPCG(l.Seed, 1)) //#nosec G404 -- made up, and the same each time
	w := &writer{Log: l, chance: chance, vault: buffered(vault), github: buffered(github), server: buffered(server)}
	for i := range l.Requests {
		at := l.Start.Add(time.Duration(i) * l.Every)
		w.later.runUntil(at)
		w.request(i, at)
	}
	w.later.runUntil(l.Start.Add(time.Duration(l.Requests)*l.Every + leaseTTL))
	for _, out := range []*bufio.Writer{w.vault, w.github, w.server} {
		if err := out.Flush(); err != nil && w.err == nil {
			w.err = err
		}
	}
	return w.truth, w.err
}

func buffered(w io.Writer) *bufio.Writer {
	if w == nil {
		w = io.Discard
	}
	return bufio.NewWriterSize(w, 1<<20)
}

// job is who asks in one request, and for what.
type job struct {
	number     int
	role       string
	repository string
	permission string
	run        int
	token      string // its hashed_token
	accessor   string
	at         time.Time
}

// request is one job's request and what comes of it.
func (w *writer) request(i int, at time.Time) {
	role := w.chance.IntN(roles)
	if role < w.Retired && i*10 > w.Requests {
		role += w.Retired
	}
	j := job{
		number: i, role: fmt.Sprintf("role-%02d", role), repository: fmt.Sprintf("repo-%03d", (role*7+w.chance.IntN(repositories/roles))%repositories),
		permission: []string{"contents=read", "contents=write", "issues=write", "pull_requests=write"}[role%4],
		run:        40_000 + i, token: hashed(fmt.Sprintf("token-%d-%d", w.Seed, i)), accessor: w.hmac(fmt.Sprintf("accessor-%d", i)), at: at,
	}
	for range w.Others {
		w.other(at)
	}
	w.entry("request", j, at, "", "")
	fate := w.chance.IntN(1000)
	switch {
	case fate < 1:
		w.truth.Unanswered++
	case fate < 60:
		w.truth.Refused++
		w.entry("response", j, at.Add(time.Millisecond), refusal(j), "")
	default:
		w.truth.Issued++
		w.issued(j)
	}
	if i%5000 == 4999 {
		w.truth.Strays++
		w.use(at, hashed(fmt.Sprintf("stolen-%d-%d", w.Seed, i)), j, "git.clone")
	}
}

func (w *writer) issued(j job) {
	answered := j.at.Add(60 * time.Millisecond)
	w.entry("response", j, answered, "", w.answer(j, answered))
	w.serverLine(answered, "issued a token", fmt.Sprintf(
		"request_id=%s role=%s app=default subject=acme/%s scope=%q hashed_token=%q ttl=10m0s expires_at=%s",
		w.id(j.number), j.role, j.repository, w.scope(j), j.token+"=", stamp(answered.Add(time.Hour))))
	end := answered.Add(leaseTTL)
	if w.chance.IntN(10) < 7 {
		end = answered.Add(time.Duration(20+w.chance.IntN(300)) * time.Second)
		w.truth.Revoked++
		w.later.add(end, func() { w.revokeSelf(j, end) })
	}
	w.later.add(end, func() {
		w.serverLine(end, "revoked a token", fmt.Sprintf("role=%s app=default hashed_token=%q", j.role, j.token+"="))
	})
	if w.chance.IntN(10) == 0 {
		return
	}
	w.truth.Used++
	for n := range 1 + w.chance.IntN(3) {
		action := "git.clone"
		if n > 0 && j.permission == "contents=write" {
			action = "git.push"
		} else if n > 0 {
			action = "api.request"
		}
		w.use(answered.Add(time.Duration(n+1)*5*time.Second), j.token, j, action)
	}
	if j.number%2000 == 1999 {
		w.truth.AfterEnd++
		w.use(end.Add(15*time.Minute), j.token, j, "git.clone")
	}
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawStdEncoding.EncodeToString(sum[:])
}

func (w *writer) hmac(text string) string {
	sum := sha256.Sum256([]byte(w.Salt + text))
	return "hmac-sha256:" + hex.EncodeToString(sum[:])
}

// id is a request's: the same whatever device writes it down.
func (w *writer) id(n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "request-%d-%d", w.Seed, n))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }

func (w *writer) scope(j job) string {
	return "acme: " + j.repository + ": " + j.permission + ",metadata=read"
}

func refusal(j job) string {
	return fmt.Sprintf(`role \"%s\": bound_claims ref: wanted \"refs/heads/main\", seen \"refs/pull/%d/merge\"; run a job whose claims fit, or have an administrator change the role`, j.role, j.number%50)
}

// schedule is what is to be written later, in the order of time.
type schedule []scheduled

type scheduled struct {
	at time.Time
	do func()
}

func (s *schedule) add(at time.Time, do func()) { heap.Push(s, scheduled{at, do}) }

func (s *schedule) runUntil(at time.Time) {
	for len(*s) > 0 && !(*s)[0].at.After(at) {
		heap.Pop(s).(scheduled).do()
	}
}

func (s schedule) Len() int           { return len(s) }
func (s schedule) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s schedule) Less(i, j int) bool { return s[i].at.Before(s[j].at) }
func (s *schedule) Push(x any)        { *s = append(*s, x.(scheduled)) }
func (s *schedule) Pop() any {
	last := len(*s) - 1
	x := (*s)[last]
	*s = (*s)[:last]
	return x
}
