package ledger

import (
	"fmt"
	"iter"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
)

// Inputs are the logs, each in the order of time; those that are not there are
// nil.
type Inputs struct {
	Events iter.Seq2[auditlog.Event, error]
	Uses   iter.Seq2[auditlog.Use, error]
	Server iter.Seq2[auditlog.ServerLine, error]
	// Covered is the time that GitHub's log covers, asked when its first use is
	// there; nil: from the first use to the last.
	Covered func() (first, last time.Time)
	// Skew is how far the clocks of Vault and GitHub may be apart; DefaultSkew if
	// 0.
	Skew time.Duration
}

// DefaultSkew is beyond what clocks that are kept at all are off by.
const DefaultSkew = 2 * time.Minute

// tokenLife is how long GitHub lets an installation token live.
//
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app
const tokenLife = time.Hour

// Summary is what the logs hold, and what could not be told from them.
type Summary struct {
	Requests    int       `json:"requests"`
	Issued      int       `json:"issued"`
	Refused     int       `json:"refused"`
	Unanswered  int       `json:"unanswered"`
	Renewals    int       `json:"renewals"`
	Revocations int       `json:"revocations"` // leases, not requests
	Wrapped     int       `json:"wrapped"`     // issuances that nothing tells more of
	Hashed      int       `json:"hashed"`      // issuances whose hashed_token Vault hashed
	Uses        int       `json:"uses"`
	Strays      int       `json:"strays"`
	First       time.Time `json:"first,omitzero"` // of Vault's audit log
	Last        time.Time `json:"last,omitzero"`
	MostHeld    int       `json:"-"` // accounts held at once
	HashedMount string    `json:"-"`
}

// Notes are sentences about what the logs could not tell.
func (s Summary) Notes() []string {
	var notes []string
	if s.Hashed > 0 {
		notes = append(notes, fmt.Sprintf("Vault hashed the hashed_token of %d issuances, so they cannot be found in GitHub's log; from now on: %s",
			s.Hashed, auditlog.TuneLine(s.HashedMount, "hashed_token")))
	}
	if s.Wrapped > 0 {
		notes = append(notes, fmt.Sprintf("%d tokens were issued in wrapped responses, which Vault's audit log does not show; give Vault's server log (--server-log)", s.Wrapped))
	}
	return notes
}

// Run tells every account when nothing about it is to come any more, in the order
// in which they were asked for, and every stray use. What it holds is a token's
// life, about an hour of issuances, however long the logs are. It ends with the
// first error of a log or of what it tells.
func Run(in Inputs, account func(*Account) error, stray func(Stray) error) (Summary, error) {
	if in.Skew == 0 {
		in.Skew = DefaultSkew
	}
	b := newBook(in, account, stray)
	events, stopEvents := pull(in.Events)
	defer stopEvents()
	uses, stopUses := pull(in.Uses)
	defer stopUses()
	server, stopServer := pull(in.Server)
	defer stopServer()

	event, use, line := next(events), next(uses), next(server)
	for event.ok || use.ok || line.ok {
		var err error
		switch {
		case event.ok && !after(event.value.Time, use.value.Time, use.ok) && !after(event.value.Time, line.value.Time, line.ok):
			err = firstError(event.err, func() error { return b.event(event.value) })
			event = next(events)
		case use.ok && !after(use.value.Time, line.value.Time, line.ok):
			err = firstError(use.err, func() error { return b.use(use.value) })
			use = next(uses)
		default:
			err = firstError(line.err, func() error { return b.server(line.value) })
			line = next(server)
		}
		if err != nil {
			return b.summary, err
		}
	}
	return b.summary, b.finish()
}

// after reports whether a comes after b, which is there if ok.
func after(a, b time.Time, ok bool) bool { return ok && a.After(b) }

func firstError(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

// pulled is the next element of a stream.
type pulled[T any] struct {
	value T
	err   error
	ok    bool
}

func pull[T any](seq iter.Seq2[T, error]) (func() (T, error, bool), func()) {
	if seq == nil {
		seq = func(func(T, error) bool) {}
	}
	return iter.Pull2(seq)
}

func next[T any](from func() (T, error, bool)) pulled[T] {
	value, err, ok := from()
	return pulled[T]{value, err, ok}
}
