package finding

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// issued is an account of a token that was used as it should be.
func issued(changes ...func(*ledger.Account)) *ledger.Account {
	a := &ledger.Account{
		Request: auditlog.Request{
			ID: "r1", Time: noon, Answered: noon, Outcome: auditlog.Issued, Mount: "github/", Role: "deploy",
			Login: map[string]string{"repository": "acme/api", "ref": "refs/heads/main", "workflow_ref": "acme/api/.github/workflows/ci.yml@refs/heads/main"},
			Grant: &auditlog.Grant{
				Organization: "acme", Selection: "selected", Repositories: []string{"api"}, Permissions: map[string]string{"contents": "write", "metadata": "read"},
				HashedToken: "hash", Subject: "acme/api", ExpiresAt: noon.Add(time.Hour), Scope: "acme: api: contents=write,metadata=read",
			},
		},
		Ended: noon.Add(time.Minute), EndedBy: ledger.EndTokenRevoked, Joined: true,
		Usage: ledger.Usage{
			Count: 1, First: noon, Last: noon, Pushes: 1, Actors: []string{"ci[bot]"},
			Repositories: []string{"acme/api"}, Permissions: map[string]int{"contents=write": 1},
		},
	}
	for _, change := range changes {
		change(a)
	}
	return a
}

func refused(message string) *ledger.Account {
	return &ledger.Account{Request: auditlog.Request{
		ID: "r2", Time: noon, Outcome: auditlog.Refused, Mount: "github/", Role: "deploy", Reason: auditlog.ReasonOf(message), Error: message,
		Login: map[string]string{"repository": "acme/api"},
	}}
}

func stray(actor string, before bool) ledger.Stray {
	return ledger.Stray{Use: auditlog.Use{Time: noon, HashedToken: "other", Action: "git.clone", Actor: actor, Repository: "acme/api"}, Before: before}
}

func repeated(n int, a *ledger.Account) []*ledger.Account {
	var many []*ledger.Account
	for i := range n {
		one := *a
		one.Time = a.Time.Add(time.Duration(i) * time.Minute)
		many = append(many, &one)
	}
	return many
}

func TestFindings(t *testing.T) {
	t.Parallel()
	const wanted = `role "deploy": bound_claims ref: wanted "refs/heads/main", seen "refs/pull/%d/merge"; run a job whose claims fit`
	tests := map[string]struct {
		accounts []*ledger.Account
		strays   []ledger.Stray
		known    []string
		now      time.Time
		want     []string // severity rule count: a part of the title, or of what to do
	}{
		"nothing of what is well": {accounts: repeated(30, issued()), now: noon.Add(time.Hour)},
		"a token minted beside the broker": {
			accounts: []*ledger.Account{issued()}, strays: []ledger.Stray{stray("ci[bot]", false), stray("ci[bot]", false)},
			want: []string{"critical unaccounted-token 2: private key is used outside Vault"},
		},
		"a token of another App": {accounts: []*ledger.Account{issued()}, strays: []ledger.Stray{stray("renovate[bot]", false)}},
		"a token of an App that may be the broker's": {
			accounts: []*ledger.Account{refused("permission denied")}, strays: []ledger.Stray{stray("ci[bot]", false)},
			want: []string{"medium unaccounted-token 1: cannot be told"},
		},
		"a token from before the log": {
			accounts: []*ledger.Account{issued()}, strays: []ledger.Stray{stray("ci[bot]", true)},
			want: []string{"info used-outside-log 1: before Vault's log begins"},
		},
		"a token from after the log": {
			accounts: []*ledger.Account{issued()}, strays: []ledger.Stray{{Use: stray("ci[bot]", false).Use, After: true}},
			want: []string{"info used-outside-log 1: after it ends"},
		},
		"a token read with after its lease": {
			accounts: []*ledger.Account{issued(func(a *ledger.Account) {
				a.Usage.AfterEnd, a.Usage.Pushes = 2, 0
			})},
			want: []string{"high used-after-lease-end 1: after their lease had ended"},
		},
		"a token written with after its lease": {
			accounts: []*ledger.Account{issued(func(a *ledger.Account) { a.Usage.AfterEnd, a.Usage.WritesAfterEnd = 1, 1 })},
			want:     []string{"critical used-after-lease-end 1: after their lease had ended"},
		},
		"a revocation that never succeeded": {
			accounts: []*ledger.Account{issued(func(a *ledger.Account) { a.Failures = 6 })},
			want:     []string{"high not-revoked 1: irrevocable"},
		},
		"not one that did at last": {
			accounts: []*ledger.Account{issued(func(a *ledger.Account) { a.Failures, a.Revoked = 2, noon })},
		},
		"a request without a response": {
			accounts: []*ledger.Account{{Request: auditlog.Request{ID: "r3", Time: noon, Outcome: auditlog.Unanswered, Mount: "github/", Role: "deploy"}}},
			want:     []string{"medium unanswered 1: issued a token"},
		},
		"a job refused for the same reason": {
			accounts: []*ledger.Account{
				refused(fmt.Sprintf(wanted, 1)), refused(fmt.Sprintf(wanted, 2)), refused(fmt.Sprintf(wanted, 3)),
				refused(fmt.Sprintf(wanted, 4)), refused(fmt.Sprintf(wanted, 5)),
			},
			want: []string{`medium repeated-refusal 5: role "deploy": bound_claims ref`},
		},
		"not four times, nor GitHub's failures": {
			accounts: append(repeated(4, refused(fmt.Sprintf(wanted, 1))), repeated(9, refused("GitHub answered 502"))...),
		},
		"a request for more": {
			accounts: []*ledger.Account{refused(`role "deploy": request permissions: wanted at most contents=read, seen issues=read; ask for less`)},
			want:     []string{"low asked-for-more 1: more than the role gives"},
		},
		"a new workflow that writes": {
			accounts: append(repeated(30, issued()), issued(func(a *ledger.Account) {
				a.Login = map[string]string{"repository": "acme/api", "workflow_ref": "acme/api/.github/workflows/evil.yml@refs/heads/x"}
			})),
			want: []string{"medium unusual-claims 1: unlike those before"},
		},
		"not where the history is short": {
			accounts: append(repeated(5, issued()), issued(func(a *ledger.Account) { a.Login = map[string]string{"repository": "acme/api", "ref": "x"} })),
		},
		"tokens that nobody used": {
			accounts: repeated(3, issued(func(a *ledger.Account) { a.Usage = ledger.Usage{} })),
			want:     []string{"low never-used 3: 3 of 3 tokens were never used"},
		},
		"not where GitHub's log does not reach": {
			accounts: repeated(3, issued(func(a *ledger.Account) { a.Usage, a.Joined = ledger.Usage{}, false })),
		},
		"a permission that nobody needed": {
			accounts: repeated(20, issued(func(a *ledger.Account) { a.Usage.Permissions = map[string]int{"contents=read": 3} })),
			want:     []string{"medium unused-permission 20: vault write github/roles/deploy permissions=contents=read"},
		},
		"not proposed of a few tokens": {
			accounts: []*ledger.Account{issued(func(a *ledger.Account) { a.Usage.Permissions = map[string]int{"contents=read": 3} })},
			want:     []string{"low unused-permission 1: too few to propose"},
		},
		"not proposed where uses do not tell": {
			accounts: repeated(20, issued(func(a *ledger.Account) { a.Usage.Permissions = map[string]int{"contents=read": 3, "?": 1} })),
			want:     []string{"low unused-permission 20: a narrower role is not proposed"},
		},
		"a repository that nobody touched": {
			accounts: repeated(20, issued(func(a *ledger.Account) { a.Grant.Repositories = []string{"api", "web"} })),
			want:     []string{"low unused-repository 1: vault write github/roles/deploy repositories=api"},
		},
		"not where a use does not say of which repository it was": {
			accounts: []*ledger.Account{issued(func(a *ledger.Account) { a.Grant.Repositories, a.Usage.Unplaced = []string{"api", "web"}, 1 })},
		},
		"not where a template names the repository": {
			accounts: []*ledger.Account{issued(), issued(func(a *ledger.Account) { a.Grant.Repositories = []string{"web"} })},
		},
		"a role that nobody needs": {
			accounts: repeated(3, issued()), now: noon.Add(91 * 24 * time.Hour), known: []string{"github/old"},
			want: []string{
				"low unused-role 1: vault write github/roles/deploy disabled=true",
				"low unused-role 1: vault write github/roles/old disabled=true",
			},
		},
		"not in a short log": {accounts: repeated(3, issued()), known: []string{"github/old"}, now: noon.Add(24 * time.Hour)},
		"leases that jobs leave behind": {
			accounts: repeated(4, issued(func(a *ledger.Account) { a.EndedBy = ledger.EndExpired })),
			want:     []string{"info ended-by-ttl 4: 4 of 4 leases ended by their TTL"},
		},
		"what Vault hashed": {
			accounts: []*ledger.Account{issued(func(a *ledger.Account) {
				a.Grant.HashedToken, a.Joined, a.Usage = "hmac-sha256:1", false, ledger.Usage{}
			})},
			want: []string{"info hashed-values 1: vault secrets tune -audit-non-hmac-response-keys=hashed_token"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := New(Options{})
			for _, a := range test.accounts {
				f.Account(a)
			}
			for _, s := range test.strays {
				f.Stray(s)
			}
			now := test.now
			if now.IsZero() {
				now = noon.Add(2 * time.Hour)
			}
			check(t, f.Findings(now, test.known), test.want)
		})
	}
}

func check(t *testing.T, got []Finding, want []string) {
	t.Helper()
	var lines []string
	for i, f := range got {
		line := fmt.Sprintf("%s %s %d: ", f.Severity, f.Rule, f.Count)
		text := f.Title + "\n" + f.Remedy + "\n" + f.Proposal
		if i < len(want) {
			if start, part, ok := strings.Cut(want[i], ": "); ok && start+": " == line && strings.Contains(text, part) {
				line = want[i]
			} else {
				line += text
			}
		}
		lines = append(lines, line)
		if f.Remedy == "" || f.Title == "" {
			t.Errorf("%s says nothing, or not what to do", f.Rule)
		}
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

func TestSeverities(t *testing.T) {
	t.Parallel()
	for i, low := range severities {
		for j, high := range severities {
			if high.AtLeast(low) != (j >= i) {
				t.Errorf("%s at least %s: %v", high, low, high.AtLeast(low))
			}
		}
		if s, err := ParseSeverity(strings.ToUpper(string(low))); err != nil || s != low {
			t.Errorf("%s: %s, %v", low, s, err)
		}
	}
	if _, err := ParseSeverity("urgent"); err == nil || !strings.Contains(err.Error(), "info, low, medium") {
		t.Errorf("an unknown severity: %v", err)
	}
}
