package htmlreport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/finding"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// account is a request with something in every field.
func account() *ledger.Account {
	return &ledger.Account{
		Request: auditlog.Request{
			ID: "3aa2acb3", Time: noon, Answered: noon.Add(time.Second), Outcome: auditlog.Issued,
			Namespace: "teams/", Mount: "github/", Role: "release", Reason: "none", Error: "none",
			Login: map[string]string{"repository": "acme/api", "ref": "refs/heads/main"}, DisplayName: "jwt-api",
			EntityID: "e1", Accessor: "hmac-sha256:0123456789abcdef", TokenType: "batch", RemoteAddr: "10.0.0.1", UserAgent: "vault-github",
			Asked: auditlog.Asked{Repositories: []string{"api"}, RepositoryIDs: []string{"7"}, Permissions: map[string]string{"contents": "write"}, TTL: "10m", IDToken: true},
			Grant: &auditlog.Grant{
				App: "default", InstallationID: 9, Organization: "acme", Selection: "selected", Repositories: []string{"api"}, RepositoryIDs: []int64{7},
				Permissions: map[string]string{"contents": "write"}, Scope: "acme: api: contents=write", HashedToken: "h", ExpiresAt: noon.Add(time.Hour),
				TTL: 600, LeaseID: "l", Subject: "repo:acme/api", Claims: map[string]string{"run_id": "42"}, Wrapped: true,
			},
		},
		Renewals: 2, Ended: noon.Add(time.Minute), EndedBy: ledger.EndLeaseRevoked, Revoked: noon.Add(61 * time.Second), Failures: 1, Joined: true,
		Usage: ledger.Usage{
			Count: 5, First: noon.Add(2 * time.Second), Last: noon.Add(50 * time.Second), Clones: 1, Pushes: 1, APIReads: 1, APIWrites: 1, Other: 1,
			AfterEnd: 1, LastAfterEnd: noon.Add(2 * time.Minute), UserAgents: []string{"git/2"}, Repositories: []string{"acme/api"}, Permissions: map[string]int{"contents=write": 1},
		},
	}
}

func write(t *testing.T, accounts []*ledger.Account, strays []ledger.Stray, findings []finding.Finding, notes ...string) string {
	t.Helper()
	var report bytes.Buffer
	w := New(&report, Meta{Generated: noon, Files: []string{"audit.log"}})
	for _, a := range accounts {
		if err := w.Account(a); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range strays {
		if err := w.Stray(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(findings, notes); err != nil {
		t.Fatal(err)
	}
	return report.String()
}

func TestEveryFieldOfAnAccountIsInTheReport(t *testing.T) {
	t.Parallel()
	want := []row{{
		"request_id": "3aa2acb3", "time": noon, "answered": noon.Add(time.Second), "outcome": "issued", "namespace": "teams/", "mount": "github/",
		"role": "release", "reason": "none", "error": "none", "login.repository": "acme/api", "login.ref": "refs/heads/main", "display_name": "jwt-api",
		"entity_id": "e1", "accessor": "hmac-sha256:0123456789ab", "token_type": "batch", "remote_address": "10.0.0.1", "user_agent": "vault-github",
		"asked.repositories": []any{"api"}, "asked.repository_ids": []any{"7"}, "asked.permissions": map[string]any{"contents": "write"},
		"asked.ttl": "10m", "asked.id_token": int64(1),
		"grant.app": "default", "grant.installation_id": int64(9), "grant.organization": "acme", "grant.repository_selection": "selected",
		"grant.repositories": []any{"api"}, "grant.repository_ids": []any{7.0}, "grant.permissions": map[string]any{"contents": "write"},
		"grant.scope": "acme: api: contents=write", "grant.hashed_token": "h", "grant.expires_at": noon.Add(time.Hour), "grant.ttl": int64(600),
		"grant.lease_id": "l", "grant.subject": "repo:acme/api", "grant.claims.run_id": "42", "grant.wrapped": int64(1),
		"renewals": int64(2), "ended": noon.Add(time.Minute), "ended_by": "lease revoked", "revoked": noon.Add(61 * time.Second),
		"revocation_failures": int64(1), "joined": int64(1),
		"usage.count": int64(5), "usage.first": noon.Add(2 * time.Second), "usage.last": noon.Add(50 * time.Second), "usage.clones": int64(1),
		"usage.pushes": int64(1), "usage.api_reads": int64(1), "usage.api_writes": int64(1), "usage.other": int64(1), "usage.after_end": int64(1),
		"usage.last_after_end": noon.Add(2 * time.Minute), "usage.user_agents": []any{"git/2"}, "usage.repositories": []any{"acme/api"},
		"usage.permissions": map[string]any{"contents=write": 1.0},
	}}
	if diff := cmp.Diff(want, rows(t, write(t, []*ledger.Account{account()}, nil, nil), "requests")); diff != "" {
		t.Errorf("the rows differ (-want +got):\n%s", diff)
	}
}

func TestRowsKeepTheirValuesAcrossBlocks(t *testing.T) {
	t.Parallel()
	var accounts []*ledger.Account
	var want []row
	for i := range 2*maxRows + 1 {
		a := &ledger.Account{Request: auditlog.Request{ID: fmt.Sprint(i), Time: noon.Add(time.Duration(i%7) * time.Minute), Mount: "github/"}}
		r := row{"request_id": a.ID, "time": a.Time, "mount": "github/"}
		if i%3 == 0 { // what some rows lack shifts no other
			a.Role, a.Ended = fmt.Sprint("role-", i%9), a.Time.Add(time.Hour)
			r["role"], r["ended"] = a.Role, a.Ended
		}
		if i%5 == 0 {
			a.Time = time.Time{}
			delete(r, "time")
		}
		accounts, want = append(accounts, a), append(want, r)
	}
	if diff := cmp.Diff(want, rows(t, write(t, accounts, nil, nil), "requests")); diff != "" {
		t.Errorf("the rows differ (-want +got):\n%s", diff)
	}
}

func TestStraysFindingsAndNotesAreInTheReport(t *testing.T) {
	t.Parallel()
	stray := ledger.Stray{Use: auditlog.Use{Time: noon, HashedToken: "h", Action: "git.clone", Status: 200}, Before: true}
	leak := finding.Finding{Rule: "leak", Severity: finding.Critical, Title: "leaked", Count: 1, Remedy: "replace the key"}
	report := write(t, nil, []ledger.Stray{stray}, []finding.Finding{leak}, "41 lines were cut off")

	want := []row{{"time": noon, "hashed_token": "h", "action": "git.clone", "status": int64(200), "before_log": int64(1)}}
	if diff := cmp.Diff(want, rows(t, report, "strays")); diff != "" {
		t.Errorf("the strays differ (-want +got):\n%s", diff)
	}
	var got about
	if err := json.Unmarshal([]byte(blocks(t, report, "about")[0]), &got); err != nil {
		t.Fatal(err)
	}
	wantAbout := about{Title: "Tokens issued by Vault", Generated: noon, Files: []string{"audit.log"}, Findings: []finding.Finding{leak}, Notes: []string{"41 lines were cut off"}}
	if diff := cmp.Diff(wantAbout, got); diff != "" {
		t.Errorf("what the page is told differs (-want +got):\n%s", diff)
	}
}

func TestTextOfTheLogsIsNeverMarkup(t *testing.T) {
	t.Parallel()
	attack := "</script><img src=x onerror=alert(1)>\u2028<!--"
	a := account()
	a.Role, a.Grant.Repositories, a.Login = attack, []string{attack}, map[string]string{attack: attack}
	var report bytes.Buffer
	w := New(&report, Meta{Title: attack, Files: []string{attack}})
	if err := errors.Join(w.Account(a), w.Stray(ledger.Stray{Use: auditlog.Use{UserAgent: attack}}),
		w.Close([]finding.Finding{{Title: attack, Proposal: attack}}, []string{attack})); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(report.String(), "<img") {
		t.Error("text of the logs is markup in the report")
	}
	if got := rows(t, report.String(), "requests")[0]["role"]; got != attack {
		t.Errorf("the role is %q, want it as it was: %q", got, attack)
	}
}

func TestAReportIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	accounts := []*ledger.Account{account(), {Request: auditlog.Request{Login: map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}}}}
	first := write(t, accounts, nil, nil)
	for range 20 {
		if write(t, accounts, nil, nil) != first {
			t.Fatal("two reports of the same differ")
		}
	}
}

func TestAccountsAreWrittenAsTheyCome(t *testing.T) {
	t.Parallel()
	var report bytes.Buffer
	w := New(&report, Meta{})
	begun := report.Len()
	add := func() {
		if err := w.Account(account()); err != nil {
			t.Fatal(err)
		}
	}
	for range maxRows - 1 {
		add()
	}
	if report.Len() != begun {
		t.Error("a block was written before it was full")
	}
	if add(); report.Len() == begun {
		t.Error("a full block was not written")
	}
	if w.requests.rows != 0 || len(w.requests.columns) != 0 {
		t.Error("what was written is still held")
	}
}

func TestABlockOfLongTextsIsWrittenEarly(t *testing.T) {
	t.Parallel()
	var report bytes.Buffer
	w := New(&report, Meta{})
	a := account()
	a.Error = strings.Repeat("x", maxText)
	if err := w.Account(a); err != nil {
		t.Fatal(err)
	}
	if w.requests.rows != 0 {
		t.Errorf("%d bytes of text are held", w.requests.text)
	}
}

func TestAnErrorOfWritingIsToldAndEndsIt(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	w := New(failing{full}, Meta{})
	if err := w.Account(account()); !errors.Is(err, full) {
		t.Errorf("Account returned %v, want %v", err, full)
	}
	if err := w.Close(nil, nil); !errors.Is(err, full) || err.Error() != "write the HTML report: no space left on device" {
		t.Errorf("Close returned %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// The page's script must not hold what would end its element, and every file of it
// must be among its parts.
func TestTheScriptIsWhole(t *testing.T) {
	t.Parallel()
	entries, err := scripts.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(parts) {
		t.Errorf("%d files are embedded, and %d are parts of the script", len(entries), len(parts))
	}
	for _, forbidden := range []string{"</script", "<!--", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "import("} {
		if strings.Contains(script(), forbidden) {
			t.Errorf("the script holds %q", forbidden)
		}
	}
	if strings.Contains(style, "</style") || strings.Contains(style, "url(") {
		t.Error("the style ends its element, or refers to a file")
	}
}

func FuzzAnyTextComesThrough(f *testing.F) {
	for _, seed := range []string{"", "acme/api", "</script><script>alert(1)</script>", "\u2028", "\xff\x00", "hmac-sha256:0123456789abcdef", `"\`, "{{title}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a := &ledger.Account{Request: auditlog.Request{
			Role: text, Login: map[string]string{"ref": text, text: "1"}, Asked: auditlog.Asked{Permissions: map[string]string{text: text}, Repositories: []string{text}},
		}}
		report := write(t, []*ledger.Account{a}, nil, []finding.Finding{{Title: text}}, text)
		if strings.Count(report, "<script") != 3 || strings.Count(report, "</script") != 3 {
			t.Fatal("the text is markup")
		}
		want := string([]rune(text)) // what is not UTF-8 is replaced
		if got := rows(t, report, "requests")[0]["role"]; text != "" && !auditlog.Hashed(text) && got != want {
			t.Errorf("the role is %q, want %q", got, want)
		}
	})
}

func BenchmarkAccount(b *testing.B) {
	w := New(io.Discard, Meta{})
	a := account()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a.ID, a.Grant.HashedToken = fmt.Sprint(i), fmt.Sprint(i)
		if err := w.Account(a); err != nil {
			b.Fatal(err)
		}
	}
}
