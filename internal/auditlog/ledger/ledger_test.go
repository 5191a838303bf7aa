package ledger

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vault-plugin-secrets-github/internal/auditlog"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func at(minutes float64) time.Time { return noon.Add(time.Duration(minutes * float64(time.Minute))) }

// issued is an issuance at a minute, with a lease of ten.
func issued(minute float64, id string, change ...func(*auditlog.Request)) auditlog.Event {
	r := &auditlog.Request{
		ID: id, Time: at(minute), Answered: at(minute), Outcome: auditlog.Issued, Mount: "github/", Role: "api", Accessor: "accessor-" + id,
		Grant: &auditlog.Grant{HashedToken: "hash-" + id, ExpiresAt: at(minute + 60), TTL: 600, LeaseID: "github/token/api/" + id},
	}
	for _, c := range change {
		c(r)
	}
	return auditlog.Event{Time: at(minute), Request: r}
}

func wrapped(r *auditlog.Request) { r.Grant = &auditlog.Grant{Wrapped: true} }

func revocation(minute float64, r auditlog.Revocation) auditlog.Event {
	return auditlog.Event{Time: at(minute), Revocation: &r}
}

func renewal(minute float64, id string, increment time.Duration) auditlog.Event {
	return auditlog.Event{Time: at(minute), Renewal: &auditlog.Renewal{LeaseID: "github/token/api/" + id, Increment: increment}}
}

// afterwards ends a log well after everything that a test is about.
var afterwards = auditlog.Event{Time: at(600), Renewal: &auditlog.Renewal{LeaseID: "another"}}

func use(minute float64, id string) auditlog.Use {
	return auditlog.Use{Time: at(minute), HashedToken: "hash-" + id + "=", Action: "git.clone", Repository: "acme/api"}
}

func push(minute float64, id string) auditlog.Use {
	u := use(minute, id)
	u.Action = "git.push"
	return u
}

func line(minute float64, kind auditlog.ServerKind, id string) auditlog.ServerLine {
	return auditlog.ServerLine{Time: at(minute), Kind: kind, RequestID: id, HashedToken: "hash-" + id}
}

func each[T any](values []T) iter.Seq2[T, error] {
	if values == nil {
		return nil
	}
	return func(yield func(T, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
	}
}

type logs struct {
	events []auditlog.Event
	uses   []auditlog.Use
	server []auditlog.ServerLine
}

type result struct {
	accounts map[string]*Account
	strays   []Stray
	sum      Summary
}

func run(t *testing.T, l logs) result {
	t.Helper()
	r := result{accounts: map[string]*Account{}}
	sum, err := Run(Inputs{Events: each(l.events), Uses: each(l.uses), Server: each(l.server)},
		func(a *Account) error {
			if r.accounts[a.ID] != nil {
				t.Errorf("request %s came twice", a.ID)
			}
			r.accounts[a.ID] = a
			return nil
		},
		func(s Stray) error { r.strays = append(r.strays, s); return nil })
	if err != nil {
		t.Fatal(err)
	}
	r.sum = sum
	return r
}

func TestALeaseEndsAsTheLogsSay(t *testing.T) {
	t.Parallel()
	type end struct {
		By       End
		At       time.Time
		Revoked  time.Time
		Renewals int
		Failures int
	}
	hashedLease := revocation(4, auditlog.Revocation{Unknown: true})
	for name, test := range map[string]struct {
		logs logs
		want end
	}{
		"by its TTL":                    {logs{events: []auditlog.Event{issued(0, "a"), afterwards}}, end{By: EndExpired, At: at(10)}},
		"by GitHub's end of the token":  {logs{events: []auditlog.Event{issued(0, "a", func(r *auditlog.Request) { r.Grant.TTL = 7200 }), afterwards}}, end{By: EndExpired, At: at(60)}},
		"at the latest, without a TTL":  {logs{events: []auditlog.Event{issued(0, "a", func(r *auditlog.Request) { r.Grant.TTL = 0 }), afterwards}}, end{By: EndExpired, At: at(60)}},
		"after an hour, without an end": {logs{events: []auditlog.Event{issued(0, "a", wrapped), afterwards}}, end{By: EndExpired, At: at(60)}},
		"after the log":                 {logs{events: []auditlog.Event{issued(0, "a"), renewal(9, "b", 0)}}, end{By: EndOpen}},
		"after the log, GitHub's is longer": {
			logs{events: []auditlog.Event{issued(0, "a")}, uses: []auditlog.Use{use(1, "a"), use(500, "b")}}, end{By: EndOpen},
		},
		"by its id":             {logs{events: []auditlog.Event{issued(0, "a"), revocation(4, auditlog.Revocation{LeaseID: "github/token/api/a"}), afterwards}}, end{By: EndLeaseRevoked, At: at(4)}},
		"by its Vault token":    {logs{events: []auditlog.Event{issued(0, "a"), revocation(4, auditlog.Revocation{Accessor: "accessor-a"}), afterwards}}, end{By: EndTokenRevoked, At: at(4)}},
		"not by another token":  {logs{events: []auditlog.Event{issued(0, "a"), revocation(4, auditlog.Revocation{Accessor: "accessor-b"}), afterwards}}, end{By: EndExpired, At: at(10)}},
		"by the mount's prefix": {logs{events: []auditlog.Event{issued(0, "a"), revocation(4, auditlog.Revocation{LeasePrefix: "github"}), afterwards}}, end{By: EndPrefix, At: at(4)}},
		"by the role's prefix":  {logs{events: []auditlog.Event{issued(0, "a"), revocation(4, auditlog.Revocation{LeasePrefix: "github/token/api/"}), afterwards}}, end{By: EndPrefix, At: at(4)}},
		"by a prefix, in a wrapped response": {
			logs{events: []auditlog.Event{issued(0, "a", wrapped), revocation(4, auditlog.Revocation{LeasePrefix: "github/token"}), afterwards}}, end{By: EndPrefix, At: at(4)},
		},
		"not by another role's, in a wrapped response": {
			logs{events: []auditlog.Event{issued(0, "a", wrapped), revocation(4, auditlog.Revocation{LeasePrefix: "github/token/web"}), afterwards}}, end{By: EndExpired, At: at(60)},
		},
		"by a prefix that is a lease": {
			logs{events: []auditlog.Event{issued(0, "a"), revocation(4, auditlog.Revocation{LeasePrefix: "github/token/api/a"}), afterwards}}, end{By: EndPrefix, At: at(4)},
		},
		"not by a prefix that ends within a name": {
			logs{events: []auditlog.Event{issued(0, "a"), revocation(4, auditlog.Revocation{LeasePrefix: "github/token/ap"}), afterwards}}, end{By: EndExpired, At: at(10)},
		},
		"not by a revocation too late": {
			logs{events: []auditlog.Event{issued(0, "a"), revocation(11, auditlog.Revocation{LeaseID: "github/token/api/a"}), afterwards}}, end{By: EndExpired, At: at(10)},
		},
		"by the first of two revocations": {
			logs{events: []auditlog.Event{issued(0, "a"), revocation(4, auditlog.Revocation{Accessor: "accessor-a"}), revocation(5, auditlog.Revocation{LeasePrefix: "github"}), afterwards}},
			end{By: EndTokenRevoked, At: at(4)},
		},
		"later, renewed": {logs{events: []auditlog.Event{issued(0, "a"), renewal(8, "a", 0), afterwards}}, end{By: EndExpired, At: at(18), Renewals: 1}},
		"later, renewed by an increment": {
			logs{events: []auditlog.Event{issued(0, "a"), renewal(8, "a", 5*time.Minute), afterwards}}, end{By: EndExpired, At: at(13), Renewals: 1},
		},
		"later, by no more than the TTL": {
			logs{events: []auditlog.Event{issued(0, "a"), renewal(8, "a", time.Hour), afterwards}}, end{By: EndExpired, At: at(18), Renewals: 1},
		},
		"never past GitHub's end": {
			logs{events: []auditlog.Event{issued(0, "a", func(r *auditlog.Request) { r.Grant.TTL = 3000 }), renewal(45, "a", 0), afterwards}}, end{By: EndExpired, At: at(60), Renewals: 1},
		},
		"when the server log says": {
			logs{events: []auditlog.Event{issued(0, "a"), afterwards}, server: []auditlog.ServerLine{line(7, auditlog.ServerRevoked, "a")}},
			end{By: EndExpired, At: at(7), Revoked: at(7)},
		},
		"by a hashed lease id": {
			logs{events: []auditlog.Event{issued(0, "a"), hashedLease, afterwards}, server: []auditlog.ServerLine{line(4.1, auditlog.ServerRevoked, "a")}},
			end{By: EndLeaseRevoked, At: at(4.1), Revoked: at(4.1)},
		},
		"by itself, long after a hashed lease id": {
			logs{events: []auditlog.Event{issued(0, "a"), hashedLease, afterwards}, server: []auditlog.ServerLine{line(9, auditlog.ServerRevoked, "a")}},
			end{By: EndExpired, At: at(9), Revoked: at(9)},
		},
		"in Vault, and not at GitHub": {
			logs{events: []auditlog.Event{issued(0, "a"), afterwards}, server: []auditlog.ServerLine{line(10, auditlog.ServerRevokeFailed, "a"), line(11, auditlog.ServerRevokeFailed, "a")}},
			end{By: EndExpired, At: at(10), Failures: 2},
		},
		"wrapped, as the server log says": {
			logs{events: []auditlog.Event{issued(0, "a", wrapped), afterwards}, server: []auditlog.ServerLine{
				{Time: at(0), Kind: auditlog.ServerIssued, RequestID: "a", HashedToken: "hash-a", TTL: 5 * time.Minute, ExpiresAt: at(60)},
			}},
			end{By: EndExpired, At: at(5)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := run(t, test.logs).accounts["a"]
			if a == nil {
				t.Fatal("no account")
			}
			got := end{a.EndedBy, a.Ended, a.Revoked, a.Renewals, a.Failures}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUsesJoinTheirToken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		logs   logs
		want   Usage
		joined bool
		strays int
	}{
		"within the lease, GitHub's log around it": {
			logs:   logs{events: []auditlog.Event{issued(1, "a"), afterwards}, uses: []auditlog.Use{use(0, "b"), use(2, "a"), push(5, "a"), use(30, "b")}},
			want:   Usage{Count: 2, First: at(2), Last: at(5), Clones: 1, Pushes: 1, Permissions: map[string]int{"contents=read": 1, "contents=write": 1}},
			joined: true, strays: 2,
		},
		"by GitHub's clock before the issuance": {
			logs: logs{events: []auditlog.Event{issued(3, "a"), afterwards}, uses: []auditlog.Use{use(1.5, "a")}},
			want: Usage{Count: 1, First: at(1.5), Last: at(1.5), Clones: 1, Permissions: map[string]int{"contents=read": 1}},
		},
		"after the end, within the skew": {
			logs: logs{events: []auditlog.Event{issued(0, "a"), afterwards}, uses: []auditlog.Use{use(11.5, "a")}},
			want: Usage{Count: 1, First: at(11.5), Last: at(11.5), Clones: 1, Permissions: map[string]int{"contents=read": 1}},
		},
		"after the end": {
			logs: logs{events: []auditlog.Event{issued(0, "a"), revocation(2, auditlog.Revocation{Accessor: "accessor-a"}), afterwards}, uses: []auditlog.Use{use(5, "a"), push(61, "a")}},
			want: Usage{
				Count: 2, First: at(5), Last: at(61), Clones: 1, Pushes: 1, AfterEnd: 2, WritesAfterEnd: 1, LastAfterEnd: at(61),
				Permissions: map[string]int{"contents=read": 1, "contents=write": 1},
			},
		},
		"of a wrapped issuance": {
			logs: logs{
				events: []auditlog.Event{issued(0, "a", wrapped), afterwards}, uses: []auditlog.Use{use(1, "a")},
				server: []auditlog.ServerLine{line(0, auditlog.ServerIssued, "a")},
			},
			want: Usage{Count: 1, First: at(1), Last: at(1), Clones: 1, Permissions: map[string]int{"contents=read": 1}},
		},
		"of a wrapped issuance, without the server log": {
			logs:   logs{events: []auditlog.Event{issued(0, "a", wrapped), afterwards}, uses: []auditlog.Use{use(1, "a")}},
			strays: 1,
		},
		"of a token without its response in the log": {
			logs: logs{
				events: []auditlog.Event{issued(0, "a", func(r *auditlog.Request) {
					r.Outcome, r.Answered, r.Grant = auditlog.Unanswered, time.Time{}, nil
				}), afterwards},
				uses: []auditlog.Use{use(1, "a")}, server: []auditlog.ServerLine{line(0, auditlog.ServerIssued, "a")},
			},
			want: Usage{Count: 1, First: at(1), Last: at(1), Clones: 1, Permissions: map[string]int{"contents=read": 1}},
		},
		"none, and GitHub's log covers the lease": {
			logs:   logs{events: []auditlog.Event{issued(1, "a"), afterwards}, uses: []auditlog.Use{use(0, "b"), use(30, "b")}},
			joined: true, strays: 2,
		},
		"none, and GitHub's log ends before the lease": {
			logs:   logs{events: []auditlog.Event{issued(1, "a"), afterwards}, uses: []auditlog.Use{use(0, "b"), use(5, "b")}},
			strays: 2,
		},
		"refused, which need nothing": {
			logs: logs{events: []auditlog.Event{issued(0, "a"), afterwards}, uses: []auditlog.Use{{Time: at(1), HashedToken: "hash-a", Action: "api.request", Method: "POST", Route: "/repos/{owner}/{repo}/issues", Status: 403, Repository: "acme/api"}}},
			want: Usage{Count: 1, First: at(1), Last: at(1), APIWrites: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, test.logs)
			a := r.accounts["a"]
			if a == nil {
				t.Fatal("no account")
			}
			ignored := cmpopts.IgnoreFields(Usage{}, "Repositories")
			if diff := cmp.Diff(test.want, a.Usage, ignored, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if a.Joined != test.joined || len(r.strays) != test.strays {
				t.Errorf("joined %v, %d strays; want %v, %d", a.Joined, len(r.strays), test.joined, test.strays)
			}
		})
	}
}

func TestAStrayMayPrecedeTheLogForAnHour(t *testing.T) {
	t.Parallel()
	r := run(t, logs{events: []auditlog.Event{issued(0, "a"), afterwards}, uses: []auditlog.Use{use(-30, "x"), use(61, "x"), use(63, "x")}})
	var got []bool
	for _, s := range r.strays {
		got = append(got, s.Before)
	}
	if diff := cmp.Diff([]bool{true, true, false}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAStrayMayFollowTheLog(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func() time.Time
		want []bool
	}{
		"that ends with its last event": {nil, []bool{false, true, true}},
		"that goes on":                  {func() time.Time { return at(200) }, []bool{false, false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []bool
			_, err := Run(Inputs{
				Events: each([]auditlog.Event{issued(0, "a"), issued(100, "b")}), Uses: each([]auditlog.Use{use(90, "x"), use(99, "x"), use(199, "x")}), VaultEnd: test.end,
			}, func(*Account) error { return nil }, func(s Stray) error { got = append(got, s.After); return nil })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALeaseIsNotOpenWhereTheLogGoesOn(t *testing.T) {
	t.Parallel()
	var by End
	_, err := Run(Inputs{Events: each([]auditlog.Event{issued(0, "a")}), VaultEnd: func() time.Time { return at(11) }},
		func(a *Account) error { by = a.EndedBy; return nil }, nil)
	if err != nil || by != EndExpired {
		t.Errorf("ended by %q, %v", by, err)
	}
}

func TestTheSummaryTellsWhatTheLogsCannot(t *testing.T) {
	t.Parallel()
	hash := "hmac-sha256:00"
	sum := run(t, logs{
		events: []auditlog.Event{
			issued(0, "a", func(r *auditlog.Request) { r.Grant.HashedToken = hash }), issued(1, "b", wrapped), issued(2, "c"),
			revocation(3, auditlog.Revocation{Unknown: true}),
		},
		uses: []auditlog.Use{use(2, "c"), use(4, "x")},
	}).sum
	want := Summary{
		Vault: Span{at(0), at(3)}, GitHub: Span{at(2), at(4)}, Requests: 3, Issued: 3, Wrapped: 1, HashedTokens: 1, Open: 3,
		Revocations: 1, HashedRevocations: 1, Uses: 2, JoinedUses: 1, Strays: 1, Held: 3,
	}
	if diff := cmp.Diff(want, sum, cmpopts.IgnoreFields(Summary{}, "Notes")); diff != "" {
		t.Error(diff)
	}
	notes := strings.Join(sum.Notes, "\n")
	for _, part := range []string{
		"vault secrets tune -audit-non-hmac-response-keys=hashed_token github/", "1 wrapped issuances", "1 revocations named",
		"3 leases were open", "does not cover 3 of 3", ".github/workflows",
	} {
		if !strings.Contains(notes, part) {
			t.Errorf("no note says %q:\n%s", part, notes)
		}
	}
}

func TestErrorsEndARun(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	fails := func(yield func(auditlog.Event, error) bool) {
		if yield(issued(0, "a"), nil) {
			yield(auditlog.Event{}, broken)
		}
	}
	none := func(*Account) error { return nil }
	if _, err := Run(Inputs{Events: fails}, none, nil); !errors.Is(err, broken) {
		t.Errorf("a log's error: got %v", err)
	}
	full := func(*Account) error { return broken }
	if _, err := Run(Inputs{Events: each([]auditlog.Event{issued(0, "a")})}, full, nil); !errors.Is(err, broken) {
		t.Errorf("an account's error: got %v", err)
	}
	stray := func(Stray) error { return broken }
	if _, err := Run(Inputs{Uses: each([]auditlog.Use{use(0, "a")})}, none, stray); !errors.Is(err, broken) {
		t.Errorf("a stray's error: got %v", err)
	}
}

// TestNoRequestIsLostOrDoubled draws logs at random, with clocks apart by less
// than the skew.
func TestNoRequestIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		l, wanted, uses := drawn(random)
		r := run(t, l)
		if len(r.accounts) != wanted {
			t.Fatalf("seed %d: %d accounts of %d requests", seed, len(r.accounts), wanted)
		}
		joined := 0
		for _, a := range r.accounts {
			joined += a.Usage.Count
			if a.Usage.AfterEnd > 0 {
				t.Errorf("seed %d: %s was used after its end", seed, a.ID)
			}
		}
		if joined != uses || len(r.strays) != 0 {
			t.Fatalf("seed %d: %d of %d uses joined, %d strays", seed, joined, uses, len(r.strays))
		}
	}
}

// drawn is logs in which every use is of a token that lives.
func drawn(random *rand.Rand) (l logs, requests, uses int) {
	requests = 1 + random.IntN(60)
	apart := 1.9 * (2*random.Float64() - 1) // minutes, of GitHub's clock
	l.uses, l.server = []auditlog.Use{}, []auditlog.ServerLine{}
	for i := range requests {
		minute, id := 300*random.Float64(), fmt.Sprint(i)
		switch random.IntN(4) {
		case 0:
			l.events = append(l.events, issued(minute, id, func(r *auditlog.Request) { r.Outcome, r.Grant = auditlog.Refused, nil }))
			continue
		case 1:
			l.events = append(l.events, issued(minute, id, wrapped))
			l.server = append(l.server, line(minute-0.001, auditlog.ServerIssued, id))
		default:
			l.events = append(l.events, issued(minute, id))
		}
		for range random.IntN(4) {
			l.uses = append(l.uses, use(minute+apart+10*random.Float64(), id))
			uses++
		}
		if random.IntN(2) == 0 {
			l.events = append(l.events, revocation(minute+10, auditlog.Revocation{Accessor: "accessor-" + id}))
		}
	}
	slices.SortFunc(l.events, func(a, b auditlog.Event) int { return a.Time.Compare(b.Time) })
	slices.SortFunc(l.uses, func(a, b auditlog.Use) int { return a.Time.Compare(b.Time) })
	slices.SortFunc(l.server, func(a, b auditlog.ServerLine) int { return a.Time.Compare(b.Time) })
	return l, requests, uses
}

// FuzzNoRequestIsLostOrDoubled reads logs in any order, of tokens that share
// their ids, hashes, leases and accessors: four bytes are an entry.
func FuzzNoRequestIsLostOrDoubled(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 1, 9, 1, 0, 5, 12, 1, 0})
	f.Add([]byte{0, 200, 1, 0, 0, 1, 1, 0, 4, 3, 0, 0, 3, 90, 1, 0, 2, 2, 1, 0, 6, 2, 1, 0, 7, 2, 1, 0})
	f.Fuzz(func(t *testing.T, program []byte) {
		l := logs{uses: []auditlog.Use{}, server: []auditlog.ServerLine{}}
		requests := 0
		for entry := range slices.Chunk(program, 4) {
			if len(entry) < 4 {
				break
			}
			minute, id := float64(entry[1]), fmt.Sprint(entry[2]%4)
			switch entry[0] % 8 {
			case 0, 1:
				requests++
				changes := [][]func(*auditlog.Request){nil, {wrapped}, {func(r *auditlog.Request) { r.Outcome, r.Grant = auditlog.Refused, nil }}}
				l.events = append(l.events, issued(minute, id, changes[entry[3]%3]...))
			case 2:
				l.events = append(l.events, renewal(minute, id, time.Duration(entry[3])*time.Second))
			case 3:
				l.events = append(l.events, revocation(minute, auditlog.Revocation{Accessor: "accessor-" + id}))
			case 4:
				l.events = append(l.events, revocation(minute, auditlog.Revocation{LeasePrefix: "github"}))
			case 5:
				l.uses = append(l.uses, use(minute, id))
			case 6:
				l.server = append(l.server, line(minute, auditlog.ServerIssued, id))
			case 7:
				l.server = append(l.server, line(minute, auditlog.ServerRevoked, id))
			}
		}
		accounts, joined, strays := 0, 0, 0
		sum, err := Run(Inputs{Events: each(l.events), Uses: each(l.uses), Server: each(l.server)},
			func(a *Account) error { accounts++; joined += a.Usage.Count; return nil },
			func(Stray) error { strays++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		if accounts != requests || joined+strays != len(l.uses) || sum.JoinedUses != joined {
			t.Errorf("%d accounts of %d requests; %d joined uses and %d strays of %d", accounts, requests, joined, strays, len(l.uses))
		}
	})
}

func longHash(i int) string { return fmt.Sprintf("47DEQpj8HBSaTImW5JCeuQeRkm5NMp%013d", i) }

// long is a stream of issuances, one a second, each used and revoked.
func long(n int) Inputs {
	second := func(i int) time.Time { return noon.Add(time.Duration(i) * time.Second) }
	return Inputs{
		Events: func(yield func(auditlog.Event, error) bool) {
			for i := range n {
				r := &auditlog.Request{
					ID: fmt.Sprintf("31c303b3-aff4-6253-6cce-%012d", i), Time: second(i), Answered: second(i), Outcome: auditlog.Issued,
					Mount: "github/", Role: "api", Accessor: fmt.Sprint("accessor-", i),
					Grant: &auditlog.Grant{HashedToken: longHash(i), ExpiresAt: second(i + 3600), TTL: 600, LeaseID: fmt.Sprint("github/token/api/", i)},
				}
				if !yield(auditlog.Event{Time: second(i), Request: r}, nil) {
					return
				}
				if i >= 300 && !yield(auditlog.Event{Time: second(i), Revocation: &auditlog.Revocation{Accessor: fmt.Sprint("accessor-", i-300)}}, nil) {
					return
				}
			}
		},
		Uses: func(yield func(auditlog.Use, error) bool) {
			for i := range n {
				u := auditlog.Use{Time: second(i + 10), HashedToken: longHash(i), Action: "api.request", Method: "POST", Route: "/repos/{owner}/{repo}/issues/{issue_number}/comments", Repository: "acme/api"}
				if !yield(u, nil) {
					return
				}
			}
		},
	}
}

func TestWhatIsHeldDoesNotGrowWithTheLog(t *testing.T) {
	t.Parallel()
	const n, skews = 20_000, 3 * 120 // issuances, one a second, and seconds that they are held longer
	revoked := func(yield func(auditlog.ServerLine, error) bool) {
		for i := range n {
			at := noon.Add(time.Duration(i+300) * time.Second)
			if !yield(auditlog.ServerLine{Time: at, Kind: auditlog.ServerRevoked, HashedToken: longHash(i)}, nil) {
				return
			}
		}
	}
	for name, test := range map[string]struct {
		change func(*Inputs)
		most   int
	}{
		"GitHub's log, until its end of the token":                           {func(*Inputs) {}, 3600 + skews},
		"all three, as long: it may be used though it is said to be revoked": {func(in *Inputs) { in.Server = revoked }, 3600 + skews},
		"no more than Vault's, until the lease ends":                         {func(in *Inputs) { in.Uses = nil }, 300 + skews},
		"without GitHub's, until the token is revoked":                       {func(in *Inputs) { in.Uses, in.Server = nil, revoked }, 300 + skews},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, accounts := long(n), 0
			test.change(&in)
			sum, err := Run(in, func(*Account) error { accounts++; return nil }, func(s Stray) error { return fmt.Errorf("stray: %+v", s) })
			if err != nil {
				t.Fatal(err)
			}
			if accounts != n || sum.Held > test.most+1 {
				t.Errorf("%d accounts, %d held at a time; want %d, at most %d", accounts, sum.Held, n, test.most+1)
			}
		})
	}
}

func BenchmarkRun(b *testing.B) {
	b.ReportAllocs()
	if _, err := Run(long(b.N), func(*Account) error { return nil }, func(Stray) error { return nil }); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "issuances/s")
}
