package ledger

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vault-plugin-secrets-github/internal/auditlog"
)

func TestWhatAUseNeeds(t *testing.T) {
	t.Parallel()
	request := func(method, route string) auditlog.Use {
		return auditlog.Use{Action: "api.request", Method: method, Route: route}
	}
	both := map[string]string{"issues": "write", "pull_requests": "write"}
	for name, test := range map[string]struct {
		use     auditlog.Use
		granted map[string]string
		want    []string
	}{
		"a clone":                         {auditlog.Use{Action: "git.clone"}, nil, []string{"contents=read"}},
		"a fetch":                         {auditlog.Use{Action: "git.fetch"}, nil, []string{"contents=read"}},
		"a push":                          {auditlog.Use{Action: "git.push"}, nil, []string{"contents=write"}},
		"another action":                  {auditlog.Use{Action: "repo.create"}, nil, []string{"?"}},
		"an issue":                        {request("POST", "/repos/{owner}/{repo}/issues"), nil, []string{"issues=write"}},
		"issues listed":                   {request("GET", "/repos/{owner}/{repo}/issues"), both, []string{"issues=read"}},
		"by ids":                          {request("get", "/repositories/:repository_id/issues"), nil, []string{"issues=read"}},
		"a comment, both granted":         {request("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments"), both, []string{"issues=write", "pull_requests=write"}},
		"a comment, one granted":          {request("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments"), map[string]string{"pull_requests": "write"}, []string{"pull_requests=write"}},
		"a comment, the grant not known":  {request("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments"), nil, []string{"?"}},
		"what was not granted":            {request("POST", "/repos/{owner}/{repo}/issues"), map[string]string{"contents": "write"}, []string{"?"}},
		"a level that Vault hashed":       {request("POST", "/repos/{owner}/{repo}/issues"), map[string]string{"issues": "hmac-sha256:00"}, []string{"issues=write"}},
		"a repository":                    {request("GET", "/repos/{owner}/{repo}"), nil, []string{"metadata=read"}},
		"a repository changed":            {request("PATCH", "/repos/{owner}/{repo}"), nil, []string{"administration=write"}},
		"a longer path":                   {request("GET", "/repos/{owner}/{repo}/actions/secrets/public-key"), nil, []string{"secrets=read"}},
		"a merge":                         {request("PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/merge"), nil, []string{"contents=write"}},
		"the token's own end":             {request("DELETE", "/installation/token"), nil, []string{"metadata=read"}},
		"members":                         {request("GET", "/organizations/:organization_id/members"), nil, []string{"members=read"}},
		"a path where there is no route":  {auditlog.Use{Action: "api.request", Method: "GET", Path: "/api/v3/repos/acme/api/contents/a?ref=b"}, nil, []string{"contents=read"}},
		"a route that the table lacks":    {request("POST", "/repos/{owner}/{repo}/novelty"), nil, []string{"?"}},
		"GraphQL, which says nothing":     {request("POST", "/graphql"), nil, []string{"?"}},
		"no method":                       {request("", "/repos/{owner}/{repo}/issues"), nil, []string{"?"}},
		"a name that begins as another":   {request("GET", "/repos/{owner}/{repo}/issuesque"), nil, []string{"?"}},
		"nothing":                         {request("GET", ""), nil, []string{"?"}},
		"the id of a repository, nothing": {request("GET", "/repositories"), nil, []string{"?"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, needs(test.use, test.granted)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheTableIsWellFormed(t *testing.T) {
	t.Parallel()
	lines := 0
	line := regexp.MustCompile(`^(READ|WRITE|ANY) +(/[^ ]+) [a-z_]+(\|[a-z_]+)*(=(read|write))?$`)
	seen := map[string]bool{}
	for text := range strings.Lines(permissionTable) {
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		lines++
		part := line.FindStringSubmatch(text)
		if part == nil {
			t.Errorf("not of the form: %q", text)
			continue
		}
		if key := part[1] + part[2]; seen[key] {
			t.Errorf("twice: %q", text)
		} else {
			seen[key] = true
		}
	}
	if lines < 100 {
		t.Errorf("%d families", lines)
	}
}

func TestARepositoryIsKnownByNameOrPath(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		use   auditlog.Use
		want  string
		known bool
	}{
		"named":                 {auditlog.Use{Action: "git.clone", Repository: "acme/api"}, "acme/api", true},
		"of the path":           {auditlog.Use{Action: "api.request", Path: "/repos/acme/api/issues", Route: "/repositories/:repository_id/issues"}, "acme/api", true},
		"of none":               {auditlog.Use{Action: "api.request", Route: "/orgs/{org}/members"}, "", true},
		"of one not named":      {auditlog.Use{Action: "api.request", Route: "/repositories/:repository_id/issues"}, "", false},
		"a clone of nothing":    {auditlog.Use{Action: "git.clone"}, "", false},
		"a query may be of any": {auditlog.Use{Action: "api.request", Route: "/graphql"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, known := repositoryOf(test.use); got != test.want || known != test.known {
				t.Errorf("got %q, %v; want %q, %v", got, known, test.want, test.known)
			}
		})
	}
}
