package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestTemplatesThatAreIllFormedAreRefused(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"{{foo}}":               `"{{foo}}" is not {{claims.NAME}}, with letters, digits, '_' and '-' in NAME`,
		"{{}}":                  `"{{}}" is not {{claims.NAME}}, with letters, digits, '_' and '-' in NAME`,
		"{{claims.}}":           `"{{claims.}}" is not {{claims.NAME}}, with letters, digits, '_' and '-' in NAME`,
		"{{claims}}":            `"{{claims}}" is not {{claims.NAME}}, with letters, digits, '_' and '-' in NAME`,
		"{{claims.a.b}}":        `"{{claims.a.b}}" is not {{claims.NAME}}, with letters, digits, '_' and '-' in NAME`,
		"{{claims./a/b}}":       `"{{claims./a/b}}" is not {{claims.NAME}}, with letters, digits, '_' and '-' in NAME`,
		"{{ claims.a }}":        `"{{ claims.a }}" is not {{claims.NAME}}, with letters, digits, '_' and '-' in NAME`,
		"{{identity.a}}":        `"{{identity.a}}" is not {{claims.NAME}}, with letters, digits, '_' and '-' in NAME`,
		"{{{claims.a}}}":        `"{{{claims.a}}" is not {{claims.NAME}}, with letters, digits, '_' and '-' in NAME`,
		"{{claims.{{claims.a}}": `"{{claims.{{claims.a}}" is not {{claims.NAME}}, with letters, digits, '_' and '-' in NAME`,
		"{{claims.a":            `"{{claims.a" has {{ without }} after it`,
		"x{{":                   `"x{{" has {{ without }} after it`,
		"claims.a}}":            `"claims.a}}" has }} without {{ before it`,
		"{{claims.a}}}}":        `"{{claims.a}}}}" has }} without {{ before it`,
	} {
		if _, err := parseTemplate(source); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", source, err, want)
		}
	}
}

func TestTemplatesAreFilledIn(t *testing.T) {
	t.Parallel()
	claims := map[string]any{"owner": "acme", "n": json.Number("42"), "f": 42.0, "run-id": "7", "odd": "{x}"}
	for source, want := range map[string]string{
		"plain":                        "plain",
		"{{claims.owner}}":             "acme",
		"{{claims.owner}}-ci":          "acme-ci",
		"x-{{claims.owner}}":           "x-acme",
		"{{claims.owner}}{{claims.n}}": "acme42",
		"{{claims.f}}":                 "42",
		"{{claims.run-id}}":            "7",
		"{{claims.odd}}":               "{x}",
	} {
		tmpl, err := parseTemplate(source)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.expand(claims); got != want || err != nil {
			t.Errorf("%s: %q, %v", source, got, err)
		}
	}
}

// A claim's value is chosen outside: none may name more than a piece of a name.
func TestTemplateValuesThatAreNoNameAreRefused(t *testing.T) {
	t.Parallel()
	const holdsOdd = ", which holds white space, a control character or one beyond ASCII"
	for _, test := range []struct {
		value any
		want  string
	}{
		{nil, `claim "x" is null, neither a text nor a whole number`},
		{true, `claim "x" is true, neither a text nor a whole number`},
		{1.5, `claim "x" is 1.5, neither a text nor a whole number`},
		{1e300, `claim "x" is 1e+300, neither a text nor a whole number`},
		{json.Number("1.0"), `claim "x" is 1.0, neither a text nor a whole number`},
		{json.Number("1e3"), `claim "x" is 1e3, neither a text nor a whole number`},
		{[]any{"api"}, `claim "x" is ["api"], neither a text nor a whole number`},
		{map[string]any{}, `claim "x" is an object, neither a text nor a whole number`},
		{"", `claim "x" is empty`},
		{"a/b", `claim "x" is "a/b", which holds "/"`},
		{"..", `claim "x" is "..", which holds ".."`},
		{"a..b", `claim "x" is "a..b", which holds ".."`},
		{"{{claims.y}}", `claim "x" is "{{claims.y}}", which holds "{{"`},
		{"a}}", `claim "x" is "a}}", which holds "}}"`},
		{"a,b", `claim "x" is "a,b", which holds ","`},
		{"a b", `claim "x" is "a b"` + holdsOdd},
		{"a\x00", `claim "x" is "a\x00"` + holdsOdd},
		{"a\n", `claim "x" is "a\n"` + holdsOdd},
		{"a\x7f", `claim "x" is "a\x7f"` + holdsOdd},
		{"аpi", `claim "x" is "аpi"` + holdsOdd}, // Cyrillic
		{"a\u202eb", `claim "x" is "a\u202eb"` + holdsOdd},
		{"a\xff", `claim "x" is "a\xff"` + holdsOdd},
	} {
		role := compile(t, spec(func(s *Spec) { s.Organization = "{{claims.x}}" }))
		d := Decide(role, Limits{}, job(func(c *Caller) { c.Claims["x"] = test.value }), Request{}, time.Hour, noon)
		if c := d.Checks[0]; d.Allowed() || c.Seen != test.want {
			t.Errorf("%#v\nseen %s\nwant %s", test.value, c.Seen, test.want)
		}
	}
}

func TestTemplatedScope(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		organization, repository string
		claims                   map[string]any
		want                     string // organization/repository, or why not
	}{
		"a bare name":                       {"acme", "{{claims.x}}", map[string]any{"x": "api"}, "acme/api"},
		"the job's own repository":          {"acme", "{{claims.x}}", map[string]any{"x": "acme/api"}, "acme/api"},
		"the owner in another case":         {"acme", "{{claims.x}}", map[string]any{"x": "ACME/api"}, "acme/api"},
		"all from claims":                   {"{{claims.o}}", "{{claims.x}}", map[string]any{"o": "acme", "x": "acme/api"}, "acme/api"},
		"an affix":                          {"acme", "{{claims.x}}-infra", map[string]any{"x": "api"}, "acme/api-infra"},
		"the owner written out":             {"{{claims.o}}", "{{claims.o}}/infra", map[string]any{"o": "acme"}, "acme/infra"},
		"a literal owner that is the claim": {"{{claims.o}}", "acme/infra", map[string]any{"o": "acme"}, "acme/infra"},
		"a literal owner that is not":       {"{{claims.o}}", "acme/infra", map[string]any{"o": "evil"}, `"acme/infra" is not of the role's organization "evil"`},
		"another owner":                     {"acme", "{{claims.x}}", map[string]any{"x": "evil/api"}, `"evil/api" is not of the role's organization "acme"`},
		"an owner that begins alike":        {"acme", "{{claims.x}}", map[string]any{"x": "acme-evil/api"}, `"acme-evil/api" is not of the role's organization "acme"`},
		"an owner with an affix":            {"acme", "{{claims.x}}-infra", map[string]any{"x": "acme/api"}, `claim "x" is "acme/api", which holds "/"`},
		"two slashes":                       {"acme", "{{claims.x}}", map[string]any{"x": "acme/api/../web"}, `claim "x" is "api/../web", which holds "/"`},
		"nothing after the slash":           {"acme", "{{claims.x}}", map[string]any{"x": "acme/"}, `claim "x" is empty`},
		"nothing before the slash":          {"acme", "{{claims.x}}", map[string]any{"x": "/api"}, `claim "x" is empty`},
		"up":                                {"acme", "{{claims.x}}", map[string]any{"x": "acme/.."}, `claim "x" is "..", which holds ".."`},
		"up, in two pieces":                 {"acme", "{{claims.x}}{{claims.x}}", map[string]any{"x": "."}, `".." is not the name of a repository: up to 100 letters, digits, '-', '_', '.'`},
		"braces, in two pieces":             {"acme", "{{claims.x}}{{claims.x}}o", map[string]any{"x": "{"}, `"{{o" is not the name of a repository: up to 100 letters, digits, '-', '_', '.'`},
		"a character GitHub does not take":  {"acme", "{{claims.x}}", map[string]any{"x": "a:b"}, `"a:b" is not the name of a repository: up to 100 letters, digits, '-', '_', '.'`},
		"a name that is too long":           {"acme", "{{claims.x}}", map[string]any{"x": strings.Repeat("a", 101)}, quote(strings.Repeat("a", 101)) + " is not the name of a repository: up to 100 letters, digits, '-', '_', '.'"},
		"an organization with a dot":        {"{{claims.o}}", "api", map[string]any{"o": "a.b"}, `"a.b" is not the name of a GitHub account: letters, digits and '-'`},
		"a missing claim":                   {"acme", "{{claims.x}}", nil, `claim "x" is missing`},
		"a missing claim beside a good one": {"acme", "{{claims.o}}{{claims.x}}", map[string]any{"o": "acme"}, `claim "x" is missing`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role := compile(t, spec(func(s *Spec) { s.Organization, s.Repositories = test.organization, []string{test.repository} }))
			d := Decide(role, Limits{}, Caller{Verified: true, Claims: test.claims}, Request{}, time.Hour, noon)
			if got := grantedOrSeen(d); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestTemplatedIDs(t *testing.T) {
	t.Parallel()
	const notAnID = " is not an id: a whole number from 1 to 9007199254740991, written without sign, point or leading zeros"
	for name, test := range map[string]struct {
		value any
		want  string
	}{
		"a text of digits":       {"700000001", "acme/700000001"},
		"a number":               {json.Number("700000001"), "acme/700000001"},
		"a float of JSON":        {700000001.0, "acme/700000001"},
		"the largest":            {"9007199254740991", "acme/9007199254740991"},
		"beyond the largest":     {"9007199254740992", `"9007199254740992"` + notAnID},
		"beyond a float's grasp": {9007199254740992.0, `claim "id" is 9.007199254740992e+15, neither a text nor a whole number`},
		"a leading zero":         {"07", `"07"` + notAnID},
		"a sign":                 {"+7", `"+7"` + notAnID},
		"negative":               {json.Number("-7"), `"-7"` + notAnID},
		"zero":                   {"0", `"0"` + notAnID},
		"hexadecimal":            {"0x10", `"0x10"` + notAnID},
		"a name":                 {"api", `"api"` + notAnID},
		"with its owner":         {"acme/7", `claim "id" is "acme/7", which holds "/"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role := compile(t, spec(func(s *Spec) { s.Repositories, s.RepositoryIDs = nil, []string{"{{claims.id}}"} }))
			d := Decide(role, Limits{}, Caller{Verified: true, Claims: map[string]any{"id": test.value}}, Request{}, time.Hour, noon)
			if got := grantedOrSeen(d); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// What a template adds to the role's own list may be on it already.
func TestTemplatesThatNameTheSameAreMerged(t *testing.T) {
	t.Parallel()
	role := compile(t, spec(func(s *Spec) {
		s.Repositories = []string{"api", "{{claims.a}}", "{{claims.b}}"}
		s.RepositoryIDs = []string{"7", "{{claims.id}}"}
	}))
	claims := map[string]any{"a": "API", "b": "acme/api", "id": "7"}
	d := Decide(role, Limits{}, Caller{Verified: true, Claims: claims}, Request{}, time.Hour, noon)
	if got := grantedOrSeen(d); got != "acme/api,7" {
		t.Error(got)
	}
}

// grantedOrSeen is the scope granted, as ORGANIZATION/REPOSITORY,…, or what the
// first check that failed has seen.
func grantedOrSeen(d Decision) string {
	for _, c := range d.Checks {
		if !c.Pass {
			return c.Seen
		}
	}
	items := append([]string(nil), d.Grant.Repositories...)
	for _, id := range d.Grant.RepositoryIDs {
		items = append(items, scope{ids: []int64{id}}.String())
	}
	return d.Grant.Organization + "/" + strings.Join(items, ",")
}

// FuzzTemplate looks for a value that gets out of its place.
func FuzzTemplate(f *testing.F) {
	f.Add("{{claims.x}}", "acme/api")
	f.Add("{{claims.x}}-ci", "..")
	f.Add("{{claims.x}}{{claims.x}}", "{{claims.x}}")
	f.Add("acme/{{claims.x}}", "a,b")
	f.Add("{{{claims.x}}}", "x")
	f.Fuzz(func(t *testing.T, source, value string) {
		role, err := Compile(spec(func(s *Spec) { s.Repositories = []string{source} }))
		if err != nil {
			return
		}
		d := Decide(role, Limits{}, Caller{Verified: true, Claims: map[string]any{"x": value}}, Request{}, time.Hour, noon)
		if !d.Allowed() {
			return
		}
		owner, want, owned := strings.Cut(strings.ReplaceAll(source, "{{claims.x}}", value), "/")
		if !owned {
			owner, want = "acme", owner
		}
		got := d.Grant.Repositories
		if len(got) != 1 || got[0] != want || !strings.EqualFold(owner, "acme") || checkRepository(got[0]) != nil {
			t.Errorf("%q with %q gives %q", source, value, got)
		}
	})
}
