package audit

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAuditOfADay is the proof of the whole: a day of jobs and of thieves, written
// down by a real Vault and by the fake GitHub, is told by vault-github audit.
func TestAuditOfADay(t *testing.T) {
	s := tellStory(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *story)
	}{
		{"report tells every request, how it ended and what was done", testReport},
		{"any of the devices tells the same, and so do all together", testDevices},
		{"a token leads to the job that got it", testVerifyToken},
		{"findings tell what is wrong, and nothing else", testFindings},
		{"what is missing is said", testWithoutServerLog},
		{"a narrower role is tried, and written", testReplay},
		{"the HTML report holds it", testHTML},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

// theDay is what is told of each job, by the run_id of its login. A stranger has
// none.
var theDay = map[string][]string{
	"deploys":      {"issued self, acme: api: contents=write,metadata=read; vault token revoked; 1 clones, 1 pushes by git"},
	"reads":        {"issued api-read, acme: api: contents=read,metadata=read; 1 renewals; lease revoked; 1 reads by job"},
	"unwraps":      {"issued api-read, acme: api: contents=read,metadata=read; vault token revoked; 1 clones by git"},
	"uses-little":  {"issued bot, acme: api,web: contents=write,issues=write,metadata=read; vault token revoked; 1 reads by job"},
	"forgets":      {"issued api-read, acme: api: contents=read,metadata=read; expired; never used"},
	"does-nothing": {"issued bot, acme: api,web: contents=write,issues=write,metadata=read; revoked by prefix; never used"},
	"outlives":     {"issued self, acme: api: contents=write,metadata=read; lease revoked; 1 clones, 1 pushes, 2 after its end by git"},
	"branch":       slices.Repeat([]string{`refused self, policy: role "self": bound_claims ref: wanted "refs/heads/main", seen "refs/heads/feature"`}, 6),
	"greedy": {
		`refused api-read, policy: role "api-read": request permissions: wanted at most contents=read, seen contents=write`,
		`refused api-read, bad_request: unknown parameter "permision": this operation takes id_token, permissions, repositories, repository_ids, ttl`,
	},
	"leaves": {"refused api-read, unknown: rpc error: code = Canceled desc = context canceled"},
	"":       {"refused self, acl: permission denied"},
}

func testReport(t *testing.T, s *story) {
	if diff := cmp.Diff(theDay, s.report(t, devices[0].file)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// testDevices: each device hashes with its own salt, and by the hashed accessor it
// is known which leases end with a Vault token.
func testDevices(t *testing.T, s *story) {
	first := devices[0].file
	for name, files := range map[string][]string{
		"the second device":           {devices[1].file},
		"the socket":                  {devices[2].file},
		"all devices":                 {first, devices[1].file, devices[2].file},
		"compressed":                  {compressed(t, first)},
		"twice, once compressed":      {first, compressed(t, first)},
		"cut in the middle of a line": {first, cutOff(t, devices[1].file)},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(theDay, s.report(t, files...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func testVerifyToken(t *testing.T, s *story) {
	args := append([]string{"report", "--verify-token", "--format", "ndjson"}, s.logs(devices[0].file)...)
	for name, test := range map[string]struct{ token, run string }{
		"one that was in a wrapping": {tokenOf(s.wrapped), "unwraps"},
		"one that outlived":          {tokenOf(s.late), "outlives"},
	} {
		accounts := parse[account](t, s.audit(t, 0, test.token, args...))
		if len(accounts) != 1 || accounts[0].Login["run_id"] != test.run {
			t.Errorf("%s: it leads to %v", name, accounts)
		}
	}
	if accounts := parse[account](t, s.audit(t, 0, s.stolen, args...)); len(accounts) != 0 {
		t.Errorf("the stolen token leads to %v", accounts)
	}
}

// finding is what the tests look at of a finding.
type finding struct {
	Rule, Severity, Role, Subject string
	Count                         int
	Proposal                      string
}

func (s *story) findings(t *testing.T, status int, args ...string) []finding {
	t.Helper()
	return parse[finding](t, s.audit(t, status, "", append([]string{"findings", "--format", "ndjson"}, s.judged(t, args)...)...))
}

// judged lets findings judge a short day: one token is history enough, and Vault's
// log goes on while the thieves are at work, hours later by GitHub's clock.
func (s *story) judged(t *testing.T, args []string) []string {
	t.Helper()
	goesOn := filepath.Join(t.TempDir(), "goes-on.log")
	entry := fmt.Sprintf(`{"time":%q,"type":"request","request":{"id":"later","operation":"read","path":"secret/x","mount_type":"kv"}}`+"\n",
		time.Now().Add(4*time.Hour).UTC().Format(time.RFC3339Nano))
	if err := os.WriteFile(goesOn, []byte(entry), 0o600); err != nil {
		t.Fatal(err)
	}
	return append([]string{"--history", "1"}, append(slices.Clone(args), goesOn)...)
}

func testFindings(t *testing.T, s *story) {
	role := func(name string) string { return s.mount + "/" + name }
	write := "vault write " + s.mount + "/roles/" + roleBot
	want := []finding{
		{"unaccounted-token", "critical", "", "ci-broker[bot]", 2, ""},
		{"used-after-lease-end", "critical", role("self"), "", 1, ""},
		{"repeated-refusal", "medium", role("self"), "acme/api", 6, ""},
		{"unused-permission", "medium", role(roleBot), "", 1, write + " permissions=contents=read"},
		{"asked-for-more", "low", role("api-read"), "acme/api", 1, ""},
		{"unused-repository", "low", role(roleBot), "", 1, write + " repositories=api"},
		{"never-used", "info", role("api-read"), "", 1, ""},
		{"never-used", "info", role(roleBot), "", 1, ""},
	}
	logs := s.logs(devices[0].file)
	if diff := cmp.Diff(want, s.findings(t, 0, logs...)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.findings(t, statusFindings, append([]string{"--fail-on", "critical"}, logs...)...)

	out := string(s.audit(t, 0, "", append([]string{"findings"}, s.judged(t, logs)...)...))
	for _, evidence := range []string{strings.TrimRight(githubHash(s.stolen), "="), "contents/{path} acme/web", "used 2 × after"} {
		if !strings.Contains(out, evidence) {
			t.Errorf("the findings do not show %q:\n%s", evidence, out)
		}
	}
}

// testWithoutServerLog: the wrapped token's use is nobody's then, but is not said
// to be a thief's.
func testWithoutServerLog(t *testing.T, s *story) {
	args := []string{"--github-log", s.exportOfGitHub(), "--skew", "1s", devices[0].file}
	var rules []string
	for _, f := range s.findings(t, 0, args...) {
		rules = append(rules, fmt.Sprint(f.Rule, " ", f.Count))
	}
	for _, want := range []string{"unaccounted-token 2", "used-outside-log 1"} {
		if !slices.Contains(rules, want) {
			t.Errorf("no finding %q: %q", want, rules)
		}
	}
	out := s.audit(t, 0, "", append([]string{"findings", "--format", "json"}, s.judged(t, args)...)...)
	if !strings.Contains(string(out), "wrapped issuances show nothing of their token") {
		t.Errorf("it does not say that a token was wrapped:\n%s", out)
	}
}

// testReplay writes the role that findings propose, after it was tried; and one
// that would break what jobs do.
func testReplay(t *testing.T, s *story) {
	replay := func(status int, name string, change map[string]any) {
		t.Helper()
		role := vault.Root().Get(t, s.mount+"/roles/"+name).Secret(t).Data
		for field, value := range change {
			role[field] = value
		}
		s.audit(t, status, "", append([]string{"replay", "--role", asFile(t, role), "--name", name}, s.logs(devices[0].file)...)...)
	}
	replay(0, roleBot, map[string]any{"permissions": map[string]string{"contents": "read"}, "repositories": []string{"api"}})
	replay(statusFindings, "self", map[string]any{"permissions": map[string]string{"contents": "read"}})
	replay(statusFindings, "self", map[string]any{"bound_claims": map[string]any{"ref": "refs/heads/release"}})

	for _, f := range s.findings(t, 0, s.logs(devices[0].file)...) {
		if f.Proposal == "" {
			continue
		}
		if out, err := s.command("sh", "-c", f.Proposal).CombinedOutput(); err != nil {
			t.Fatalf("%s: %s", f.Proposal, out)
		}
	}
	job := s.run("after")
	if scope := job.token(roleBot, nil).Data["scope"]; scope != "acme: api: contents=read,metadata=read" {
		t.Errorf("the proposed role gives %s", scope)
	}
	s.expect(job.Post(t, "auth/token/revoke-self", nil))
}

func testHTML(t *testing.T, s *story) {
	file := filepath.Join(t.TempDir(), "report.html")
	s.audit(t, 0, "", append([]string{"report", "--format", "html", "-o", file}, s.logs(devices[0].file)...)...)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), "</html>") {
		t.Error("it is no whole page")
	}
	if leak := leaks.Find(content); leak != "" {
		t.Errorf("it shows %s", leak)
	}
}

// account is what the tests look at of a request in a report.
type account struct {
	Outcome, Role, Reason, Error string
	Login                        map[string]string
	Grant                        struct{ Scope string }
	Renewals                     int
	EndedBy                      string `json:"ended_by"`
	Usage                        struct {
		Clones, Pushes, Other int
		APIReads              int      `json:"api_reads"`
		APIWrites             int      `json:"api_writes"`
		AfterEnd              int      `json:"after_end"`
		UserAgents            []string `json:"user_agents"`
	}
}

// String is an account in a line, without what helps against a refusal.
func (a account) String() string {
	if a.Outcome != "issued" {
		message, _, _ := strings.Cut(a.Error, "; ")
		return fmt.Sprintf("%s %s, %s: %s", a.Outcome, a.Role, a.Reason, message)
	}
	parts := []string{fmt.Sprintf("%s %s, %s", a.Outcome, a.Role, a.Grant.Scope)}
	if a.Renewals > 0 {
		parts = append(parts, fmt.Sprintf("%d renewals", a.Renewals))
	}
	return strings.Join(append(parts, a.EndedBy, a.uses()), "; ")
}

func (a account) uses() string {
	var uses []string
	for _, use := range []struct {
		count int
		what  string
	}{
		{a.Usage.Clones, "clones"}, {a.Usage.Pushes, "pushes"}, {a.Usage.APIReads, "reads"}, {a.Usage.APIWrites, "writes"},
		{a.Usage.Other, "others"}, {a.Usage.AfterEnd, "after its end"},
	} {
		if use.count > 0 {
			uses = append(uses, fmt.Sprintf("%d %s", use.count, use.what))
		}
	}
	if len(uses) == 0 {
		return "never used"
	}
	agent, _, _ := strings.Cut(strings.Join(a.Usage.UserAgents, " "), "/")
	return strings.Join(uses, ", ") + " by " + agent
}

// report is what is told of each job, by the run_id of its login.
func (s *story) report(t *testing.T, auditLogs ...string) map[string][]string {
	t.Helper()
	out := s.audit(t, 0, "", append([]string{"report", "--format", "ndjson"}, s.logs(auditLogs...)...)...)
	told := map[string][]string{}
	for _, a := range parse[account](t, out) {
		if a.Login["run_id"] != "after" { // the day
			told[a.Login["run_id"]] = append(told[a.Login["run_id"]], a.String())
		}
	}
	return told
}

// logs are the arguments for all three logs. The clocks are one.
func (s *story) logs(auditLogs ...string) []string {
	return append([]string{"--github-log", s.exportOfGitHub(), "--server-log", vault.LogFile(), "--skew", "1s"}, auditLogs...)
}

// statusFindings is that of a finding, or a replay, that a pipeline should stop
// at.
const statusFindings = 3

// audit runs vault-github audit over this world's mount, and must end with a
// status. It needs no Vault, and shows no secret.
func (s *story) audit(t *testing.T, status int, stdin string, args ...string) []byte {
	t.Helper()
	cmd := s.command(built("vault-github"), append([]string{"audit"}, append(args, "--mount", s.mount)...)...)
	cmd.Env = []string{"HOME=" + cmd.Dir}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var said []byte
	if exit != nil {
		said = exit.Stderr
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Fatalf("vault-github audit %s: status %d, not %d\n%s%s", strings.Join(args, " "), got, status, out, said)
	}
	if leak := leaks.Find(append(out, said...)); leak != "" {
		t.Errorf("vault-github audit %s shows %s", args[0], leak)
	}
	return out
}

// parse reads an object from each line.
func parse[T any](t *testing.T, lines []byte) []T {
	t.Helper()
	var all []T
	for line := range strings.Lines(string(lines)) {
		var one T
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%s\n%s", err, line)
		}
		all = append(all, one)
	}
	return all
}

func compressed(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(file)+".gz")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := gzip.NewWriter(out)
	_, err = w.Write(content)
	if err := errors.Join(err, w.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// cutOff is a copy that ends as the file of a Vault does whose disk is full.
func cutOff(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(file))
	if err := os.WriteFile(path, content[:len(content)-100], 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func asFile(t *testing.T, object map[string]any) string {
	t.Helper()
	content, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "role.json")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
