package finding

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

// neverUsed finds roles whose tokens are asked for and not used.
type neverUsed struct {
	noStrays
	roles map[string]*usedCount
}

type usedCount struct{ joined, unused int }

func (r *neverUsed) account(a *ledger.Account) {
	if !a.Joined {
		return
	}
	if r.roles == nil {
		r.roles = map[string]*usedCount{}
	}
	role := roleOf(a)
	if r.roles[role] == nil {
		r.roles[role] = &usedCount{}
	}
	r.roles[role].joined++
	if a.Usage.Count == 0 {
		r.roles[role].unused++
	}
}

func (r *neverUsed) findings(time.Time, []string) []Finding {
	var all []Finding
	for _, role := range slices.Sorted(maps.Keys(r.roles)) {
		c := r.roles[role]
		if c.unused == 0 {
			continue
		}
		severity := Info
		if c.unused == c.joined {
			severity = Low
		}
		all = append(all, Finding{
			Rule: "never-used", Severity: severity, Role: role, Count: c.unused,
			Title:  fmt.Sprintf("%d of %d tokens were never used", c.unused, c.joined),
			Remedy: "Ask for a token only in the step that needs it. If GitHub's export leaves out git or API events, so does this count.",
		})
	}
	return all
}

// unusedScope finds permissions and repositories that a role grants and no token
// of it needed, and writes the narrower role.
type unusedScope struct {
	noStrays
	history int // tokens that must have been used before a narrower role is proposed
	roles   map[string]*scopeUse
}

// scopeUse is what tokens of one role were good for, and what for they were used.
type scopeUse struct {
	tokens, unclear int
	granted         map[string]string // permission: highest level
	needed          map[string]string
	repositories    map[string]bool // granted: owner/name, whether used
	all             bool            // tokens for every repository of an installation
	varies          bool            // the repositories differ from token to token: a template
	first           []string
}

func (r *unusedScope) account(a *ledger.Account) {
	if !a.Joined || a.Usage.Count == 0 {
		return // a token that was not used says nothing about what is needed
	}
	if r.roles == nil {
		r.roles = map[string]*scopeUse{}
	}
	role := roleOf(a)
	s := r.roles[role]
	if s == nil {
		s = &scopeUse{granted: map[string]string{}, needed: map[string]string{}, repositories: map[string]bool{}, first: a.Grant.Repositories}
		r.roles[role] = s
	}
	s.tokens++
	for name, level := range a.Grant.Permissions {
		s.granted[name] = higher(s.granted[name], level)
	}
	for need := range a.Usage.Permissions {
		name, level, ok := strings.Cut(need, "=")
		if !ok {
			s.unclear++
			continue
		}
		s.needed[name] = higher(s.needed[name], level)
	}
	s.addRepositories(a)
}

func (s *scopeUse) addRepositories(a *ledger.Account) {
	s.all = s.all || a.Grant.Selection == "all"
	// Where the uses do not tell all repositories, none is known to be unused.
	untold := a.Usage.Unplaced > 0 || len(a.Usage.Repositories) == ledger.MaxListed
	s.varies = s.varies || untold || !slices.Equal(s.first, a.Grant.Repositories)
	if s.all || s.varies || len(s.repositories) > mostGroups {
		return
	}
	for _, name := range a.Grant.Repositories {
		full := a.Grant.Organization + "/" + name
		s.repositories[full] = s.repositories[full] || slices.Contains(a.Usage.Repositories, full)
	}
}

var levels = []string{"", "read", "write", "admin"}

func higher(a, b string) string {
	if slices.Index(levels, b) > slices.Index(levels, a) {
		return b
	}
	return a
}

func (r *unusedScope) findings(time.Time, []string) []Finding {
	var all []Finding
	for _, role := range slices.Sorted(maps.Keys(r.roles)) {
		s := r.roles[role]
		if f, ok := s.permissions(role, r.history); ok {
			all = append(all, f)
		}
		if f, ok := s.unusedRepositories(role, r.history); ok {
			all = append(all, f)
		}
	}
	return all
}

// permissions compares what was granted with what was needed. metadata=read
// comes with every token.
func (s *scopeUse) permissions(role string, history int) (Finding, bool) {
	var excess, narrower []string
	for _, name := range slices.Sorted(maps.Keys(s.granted)) {
		level, needed := s.granted[name], s.needed[name]
		if needed != "" {
			narrower = append(narrower, name+"="+lower(level, needed))
		}
		if name != "metadata" && higher(needed, level) != needed {
			excess = append(excess, fmt.Sprintf("%s=%s (used: %s)", name, level, orNothing(needed)))
		}
	}
	if len(excess) == 0 {
		return Finding{}, false
	}
	f := Finding{
		Rule: "unused-permission", Severity: Medium, Role: role, Count: s.tokens,
		Title:  "permissions were granted and never used: " + strings.Join(excess, ", "),
		Remedy: fmt.Sprintf("In %d tokens that were used nobody needed them. Try the narrower role on the log first: vault-github audit replay.", s.tokens),
	}
	mount, name, ok := cutRole(role)
	switch {
	case s.unclear > 0:
		f.Severity = Low
		f.Remedy = fmt.Sprintf("%d uses do not tell which permission they took, so a narrower role is not proposed. %s", s.unclear, f.Remedy)
	case s.tokens < history:
		f.Severity = Low
		f.Remedy = fmt.Sprintf("In %d tokens that were used nobody needed them, which are too few to propose a narrower role.", s.tokens)
	case ok && len(narrower) > 0:
		f.Proposal = "vault write " + quoted(mount+"roles/"+name)
		for _, permission := range narrower {
			f.Proposal += " " + quoted("permissions="+permission)
		}
	}
	return f, true
}

func lower(a, b string) string {
	if slices.Index(levels, b) < slices.Index(levels, a) {
		return b
	}
	return a
}

func orNothing(level string) string {
	if level == "" {
		return "nothing"
	}
	return level
}

func (s *scopeUse) unusedRepositories(role string, history int) (Finding, bool) {
	if s.all || s.varies {
		return Finding{}, false
	}
	var unused, used []string
	for _, name := range slices.Sorted(maps.Keys(s.repositories)) {
		if s.repositories[name] {
			used = append(used, name[strings.LastIndexByte(name, '/')+1:])
		} else {
			unused = append(unused, name)
		}
	}
	if len(unused) == 0 || len(used) == 0 {
		return Finding{}, false // where nothing is told of any, the log does not name repositories
	}
	f := Finding{
		Rule: "unused-repository", Severity: Low, Role: role, Count: len(unused),
		Title:  "repositories were granted and never touched: " + shortened(unused),
		Remedy: fmt.Sprintf("In %d tokens that were used nobody touched them. Try the narrower role on the log first: vault-github audit replay.", s.tokens),
	}
	if mount, name, ok := cutRole(role); ok && s.tokens >= history {
		f.Proposal = "vault write " + quoted(mount+"roles/"+name) + " " + quoted("repositories="+strings.Join(used, ","))
	}
	return f, true
}

func shortened(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./=,:@%+-]+$`)

// quoted is a word for a shell. Names in a log are somebody else's text.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
