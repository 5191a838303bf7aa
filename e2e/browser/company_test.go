package browser

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/finding"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

// What the made-up company is: ten days of 300 repositories and 40 roles.
const (
	repositories = 300
	days         = 10
)

var (
	begin   = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	teams   = []string{"api", "web", "mobile", "billing", "search", "identity", "infra", "data", "docs", "edge"}
	kinds   = []string{"service", "client", "tools", "worker", "schema", "charts"}
	actions = []string{"read", "release", "deploy", "docs"}
	agents  = []string{"git/2.47.1", "git/2.39.5", "gh/2.81.0", "octokit.js/4.0.2", "renovate/41.2"}
	reasons = []string{"bound_claims", "bound_subjects", "condition", "repositories", "permissions", "permission denied", "github"}

	permissions = map[string]map[string]string{
		"read":    {"contents": "read", "metadata": "read"},
		"release": {"contents": "write", "metadata": "read", "packages": "write"},
		"deploy":  {"contents": "read", "deployments": "write", "metadata": "read", "statuses": "write"},
		"docs":    {"contents": "write", "metadata": "read", "pages": "write", "pull_requests": "write"},
	}
)

// company makes the logs of a company up, alike for the same seed.
type company struct{ *rand.Rand }

func newCompany(seed uint64) company { return company{rand.New(rand.NewPCG(seed, 1))} }

// account is the n-th of a number of requests.
func (c company) account(n, of int) *ledger.Account {
	team := min(c.IntN(len(teams)), c.IntN(len(teams))) // some are busier than others
	action := actions[min(c.IntN(len(actions)), c.IntN(len(actions)))]
	repository := c.repository(team)
	a := &ledger.Account{Request: auditlog.Request{
		ID: uuid([32]byte(c.bytes(32))), Time: c.when(n, of), Mount: "github/", Role: teams[team] + "-" + action,
		Login: map[string]string{
			"role": teams[team] + "-ci", "repository": "acme/" + repository, "ref": c.ref(), "event_name": "push",
			"run_id": strconv.Itoa(17_000_000_000 + n*37), "workflow": action + ".yml",
		},
		DisplayName: "jwt-acme/" + repository, EntityID: uuid(sha256.Sum256([]byte(repository))), Accessor: "hmac-sha256:" + hex.EncodeToString(c.bytes(32)),
		TokenType: "batch", RemoteAddr: fmt.Sprintf("10.4.%d.%d", c.IntN(16), c.IntN(256)), UserAgent: "vault-github/1.4.0",
		Asked: auditlog.Asked{Repositories: []string{repository}, TTL: "10m", IDToken: c.IntN(3) == 0},
	}}
	switch p := c.IntN(1000); {
	case p < 3:
		a.Outcome = auditlog.Unanswered
	case p < 45:
		c.refuse(a)
	default:
		c.issue(a, repository, action)
	}
	return a
}

// when spreads the requests over the days: most of them by day.
func (c company) when(n, of int) time.Time {
	at := begin.Add(time.Duration(n) * (days * 24 * time.Hour / time.Duration(of)))
	if hour := at.Hour(); (hour < 7 || hour > 19) && c.IntN(3) > 0 {
		at = at.Truncate(24 * time.Hour).Add(8*time.Hour + time.Duration(c.IntN(10*3600_000))*time.Millisecond)
	}
	return at
}

func (c company) refuse(a *ledger.Account) {
	a.Outcome, a.Answered = auditlog.Refused, a.Time.Add(3*time.Millisecond)
	a.Reason = reasons[min(c.IntN(len(reasons)), c.IntN(len(reasons)))]
	a.Error = fmt.Sprintf("1 error occurred:\n\t* role %q: %s: the claim ref is %q, and the role wants \"refs/heads/main\"", a.Role, a.Reason, a.Login["ref"])
}

func (c company) issue(a *ledger.Account, repository, action string) {
	a.Outcome, a.Answered = auditlog.Issued, a.Time.Add(time.Duration(90+c.IntN(300))*time.Millisecond)
	a.Grant = &auditlog.Grant{
		App: "acme-ci", InstallationID: 51234567, Organization: "acme", Selection: "selected",
		Repositories: []string{repository}, RepositoryIDs: []int64{900_000 + int64(len(repository))},
		Permissions: permissions[action], Scope: "acme: " + repository + ": contents=read",
		HashedToken: base64.RawStdEncoding.EncodeToString(c.bytes(32)), ExpiresAt: a.Time.Add(time.Hour).Truncate(time.Second), TTL: 600,
		LeaseID: "github/token/" + a.Role + "/" + base64.RawURLEncoding.EncodeToString(c.bytes(18)),
		Subject: "repo:acme/" + repository + ":ref:" + a.Login["ref"],
	}
	if a.Asked.IDToken {
		a.Grant.Claims = map[string]string{"run_id": a.Login["run_id"], "ref": a.Login["ref"], "event_name": "push",
			"workflow_ref": "acme/" + repository + "/.github/workflows/" + action + ".yml@" + a.Login["ref"]}
	}
	if c.IntN(50) == 0 {
		a.Grant.Organization = "hmac-sha256:" + hashOf("acme")
	}
	a.Ended, a.EndedBy, a.Joined = a.Answered.Add(10*time.Minute), ledger.EndExpired, true
	if c.IntN(10) < 7 {
		a.Ended, a.EndedBy = a.Answered.Add(time.Duration(20+c.IntN(400))*time.Second), ledger.EndLeaseRevoked
		a.Revoked = a.Ended.Add(200 * time.Millisecond)
	}
	if c.IntN(10) > 0 {
		a.Usage = c.usage(a, repository, action)
	}
}

func (c company) usage(a *ledger.Account, repository, action string) ledger.Usage {
	u := ledger.Usage{
		Clones: 1 + c.IntN(2), First: a.Answered.Add(2 * time.Second), UserAgents: []string{agents[c.IntN(len(agents))]},
		Repositories: []string{"acme/" + repository}, Permissions: map[string]int{"contents=read": 1},
	}
	if action != "read" && c.IntN(2) == 0 {
		u.Pushes, u.APIWrites = c.IntN(3), c.IntN(4)
		for name, level := range permissions[action] {
			if level == "write" && name != "pages" {
				u.Permissions[name+"="+level] = 1 + u.APIWrites
			}
		}
	}
	u.Count = u.Clones + u.Pushes + u.APIWrites
	u.Last = u.First.Add(time.Duration(u.Count) * 3 * time.Second)
	if c.IntN(2000) == 0 {
		u.AfterEnd, u.LastAfterEnd = 1, a.Ended.Add(7*time.Minute)
		u.Last = u.LastAfterEnd
	}
	return u
}

func (c company) stray(n int) ledger.Stray {
	repository := c.repository(c.IntN(len(teams)))
	return ledger.Stray{Before: n%5 > 0, Use: auditlog.Use{
		Time: begin.Add(time.Duration(n) * 7 * time.Minute), HashedToken: base64.RawStdEncoding.EncodeToString(c.bytes(32)),
		Action: "api.request", Actor: "acme-ci[bot]", Org: "acme", Repository: "acme/" + repository, UserAgent: "curl/8.5.0",
		Method: "GET", Route: "/repos/{owner}/{repo}/actions/secrets", Status: 200,
	}}
}

// findings are of some of the accounts.
func findings(accounts []*ledger.Account) []finding.Finding {
	evidence := func(text string, match func(*ledger.Account) bool) finding.Finding {
		var f finding.Finding
		for _, a := range accounts {
			if !match(a) {
				continue
			}
			if f.Count++; f.Count == 1 {
				f.First, f.Role, f.Subject = a.Time, a.Role, a.DisplayName
			}
			f.Last = a.Time
			if len(f.Evidence) < 5 {
				f.Evidence = append(f.Evidence, finding.Evidence{Time: a.Time, RequestID: a.ID, Text: text + " by " + a.DisplayName})
			}
		}
		return f
	}
	after := evidence("used 7 min after the lease's end", func(a *ledger.Account) bool { return a.Usage.AfterEnd > 0 })
	after.Rule, after.Severity, after.Title = "used-after-lease-end", finding.High, "Tokens were used after their lease ended"
	after.Remedy = "Find out where the job left its token, and revoke the lease at the job's end."
	unused := evidence("issued and not used", func(a *ledger.Account) bool {
		return a.Outcome == auditlog.Issued && a.Role == "docs-docs" && a.Usage.Permissions["pages=write"] == 0
	})
	unused.Rule, unused.Severity, unused.Title = "permission-never-used", finding.Medium, "docs-docs grants pages=write, which nobody used"
	unused.Remedy = "Write the narrower role."
	unused.Proposal = "vault write github/roles/docs-docs - <<'END'\n{\"permissions\": {\"contents\": \"write\", \"metadata\": \"read\", \"pull_requests\": \"write\"}}\nEND"
	refused := evidence("refused", func(a *ledger.Account) bool { return a.Outcome == auditlog.Refused && a.Role == "api-release" })
	refused.Rule, refused.Severity, refused.Title = "refused-again", finding.Low, "A job of api-release is refused again and again"
	refused.Remedy = "Correct the job, or the role's bound claims."
	leak := finding.Finding{Rule: "unaccounted-token", Severity: finding.Critical, Title: "GitHub saw tokens that Vault did not issue", Count: 120,
		First: begin, Last: begin.Add(14 * time.Hour), Remedy: "The App's private key has leaked: replace it at GitHub now.",
		Proposal: "vault write github/config/default private_key=@new.pem",
		Evidence: []finding.Evidence{{Time: begin, Text: "GET /repos/{owner}/{repo}/actions/secrets by curl/8.5.0"}}}
	return []finding.Finding{leak, after, unused, refused}
}

func (c company) repository(team int) string {
	return fmt.Sprintf("%s-%s-%d", teams[team], kinds[c.IntN(len(kinds))], c.IntN(repositories/len(teams)/len(kinds)))
}

func (c company) ref() string {
	if c.IntN(3) > 0 {
		return "refs/heads/main"
	}
	return fmt.Sprintf("refs/heads/feature/%d", c.IntN(900))
}

func uuid(b [32]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func (c company) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(c.Uint32())
	}
	return b
}

func hashOf(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}
