package policy

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"
)

// decode reads JSON as verification of ID tokens does.
func decode(t testing.TB, text string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var claims map[string]any
	if err := decoder.Decode(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// The meaning is that of Vault's JWT auth; where it is not, the case says so.
func TestBoundClaims(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		claim  string
		values string // JSON
		kind   string
		claims string // JSON
		want   string // what is seen, if refused
	}{
		"a text":                             {"ref", `["main"]`, "string", `{"ref": "main"}`, ""},
		"another text":                       {"ref", `["main"]`, "string", `{"ref": "main2"}`, `"main2"`},
		"another case":                       {"ref", `["main"]`, "string", `{"ref": "Main"}`, `"Main"`},
		"any of several values":              {"ref", `["main", "next"]`, "string", `{"ref": "next"}`, ""},
		"any element of a claim":             {"groups", `["ops"]`, "string", `{"groups": ["dev", "ops"]}`, ""},
		"any element, any value":             {"groups", `["ops", "qa"]`, "string", `{"groups": ["dev", "qa"]}`, ""},
		"no element of a claim":              {"groups", `["ops"]`, "string", `{"groups": ["dev", "opsy"]}`, `["dev", "opsy"]`},
		"an empty list":                      {"groups", `["ops"]`, "string", `{"groups": []}`, "[]"},
		"a list within a list":               {"groups", `["ops"]`, "string", `{"groups": [["ops"]]}`, "[a list]"},
		"a missing claim":                    {"ref", `["main"]`, "string", `{}`, "no such claim"},
		"null":                               {"ref", `["main"]`, "string", `{"ref": null}`, "null"},
		"null in a list":                     {"ref", `["main"]`, "string", `{"ref": [null]}`, "[null]"},
		"an object":                          {"ref", `["main"]`, "string", `{"ref": {"main": "main"}}`, "an object"},
		"an empty text":                      {"head_ref", `[""]`, "string", `{"head_ref": ""}`, ""},
		"an empty text is not absence":       {"head_ref", `[""]`, "string", `{}`, "no such claim"},
		"a star is a star":                   {"ref", `["ma*"]`, "string", `{"ref": "main"}`, `"main"`},
		"a number":                           {"id", `[5]`, "string", `{"id": 5}`, ""},
		"another number":                     {"id", `[5]`, "string", `{"id": 50}`, "50"},
		"a number is not cut":                {"id", `[5]`, "string", `{"id": 5.5}`, "5.5"},
		"a fraction":                         {"id", `[5.25]`, "string", `{"id": 5.25}`, ""},
		"one number in two spellings":        {"id", `[5]`, "string", `{"id": 5.0}`, ""}, // Vault: as the decoder has it
		"a number is not a text":             {"id", `["5"]`, "string", `{"id": 5}`, "5"},
		"a text is not a number":             {"id", `[5]`, "string", `{"id": "5"}`, `"5"`},
		"large numbers that are equal":       {"id", `[9007199254740993]`, "string", `{"id": 9007199254740993}`, ""},
		"large numbers that floats make one": {"id", `[9007199254740993]`, "string", `{"id": 9007199254740992}`, "9007199254740992"},
		"true":                               {"protected", `[true]`, "string", `{"protected": true}`, ""},
		"false is not absence":               {"protected", `[false]`, "string", `{}`, "no such claim"},
		"true is not a text":                 {"protected", `[true]`, "string", `{"protected": "true"}`, `"true"`}, // GitLab's are texts
		"a text is not true":                 {"protected", `["true"]`, "string", `{"protected": true}`, "true"},
		"an object's member":                 {"/env/name", `["prod"]`, "string", `{"env": {"name": "prod"}}`, ""},
		"an object's other member":           {"/env/name", `["prod"]`, "string", `{"env": {"names": "prod"}}`, "no such claim"},
		"a list's element by its number":     {"/jobs/1", `["b"]`, "string", `{"jobs": ["a", "b"]}`, ""},
		"beyond a list":                      {"/jobs/2", `["b"]`, "string", `{"jobs": ["a", "b"]}`, "no such claim"},
		"a list's element, misspelt":         {"/jobs/01", `["b"]`, "string", `{"jobs": ["a", "b"]}`, "no such claim"},
		"a text's member":                    {"/ref/x", `["b"]`, "string", `{"ref": "main"}`, "no such claim"},
		"null's member":                      {"/ref/x", `["b"]`, "string", `{"ref": null}`, "no such claim"},
		"a pointer's escapes":                {"/a~1b/m~0n", `["x"]`, "string", `{"a/b": {"m~n": "x"}}`, ""},
		"a name that is a URL":               {"https://acme.example/team", `["core"]`, "string", `{"https://acme.example/team": "core"}`, ""},
		"no type means string":               {"ref", `["m*"]`, "", `{"ref": "main"}`, `"main"`},
		"a glob":                             {"ref", `["refs/tags/v*"]`, "glob", `{"ref": "refs/tags/v1.2"}`, ""},
		"a glob is for all of the text":      {"ref", `["tags/v*"]`, "glob", `{"ref": "refs/tags/v1.2"}`, `"refs/tags/v1.2"`},
		"a glob for an element":              {"groups", `["op*"]`, "glob", `{"groups": [1, "ops"]}`, ""},
		"a glob for no number":               {"id", `["*"]`, "glob", `{"id": 5}`, "5"},
		"a glob for no boolean":              {"id", `["*"]`, "glob", `{"id": true}`, "true"},
		"a glob for no null":                 {"id", `["*"]`, "glob", `{"id": null}`, "null"},
		"a glob for no absence":              {"id", `["*"]`, "glob", `{}`, "no such claim"},
		"a lone star for an empty text":      {"id", `["*"]`, "glob", `{"id": ""}`, ""},
		"an empty glob for an empty text":    {"id", `[""]`, "glob", `{"id": ""}`, ""},
		"an empty glob for nothing else":     {"id", `[""]`, "glob", `{"id": "x"}`, `"x"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values := decode(t, `{"values": `+test.values+`}`)["values"].([]any)
			role := compile(t, spec(func(s *Spec) {
				s.BoundClaims, s.BoundClaimsType = map[string][]any{test.claim: values}, test.kind
			}))
			d := Decide(role, Limits{}, Caller{Verified: true, Claims: decode(t, test.claims)}, Request{}, time.Hour, noon)
			c := d.Checks[0]
			switch {
			case c.Pass != (test.want == ""), d.Allowed() != c.Pass:
				t.Errorf("passed %v, seen %s", c.Pass, c.Seen)
			case !c.Pass && c.Seen != test.want:
				t.Errorf("seen %s, want %s", c.Seen, test.want)
			case !c.Pass && c.Remedy == "":
				t.Error("there is no remedy")
			}
		})
	}
}

func TestBoundClaimsMustAllBeMet(t *testing.T) {
	t.Parallel()
	role := compile(t, spec(func(s *Spec) {
		s.BoundClaims = map[string][]any{"ref": {"refs/heads/main"}, "event_name": {"push"}}
	}))
	for event, allowed := range map[string]bool{"push": true, "pull_request_target": false} {
		caller := job(func(c *Caller) { c.Claims["event_name"] = event })
		if d := Decide(role, Limits{}, caller, Request{}, time.Hour, noon); d.Allowed() != allowed {
			t.Errorf("%s: %v", event, d.Refusal())
		}
	}
}

// What helps against a missing claim depends on whether all claims are known.
func TestMissingClaimHasItsRemedy(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Spec){
		"bound claim": func(s *Spec) { s.BoundClaims = map[string][]any{"environment": {"prod"}} },
		"template":    func(s *Spec) { s.Repositories = []string{"{{claims.environment}}"} },
		"condition":   func(s *Spec) { s.Condition = `claims.environment == "prod"` },
	} {
		role := compile(t, spec(change))
		const presentIt = "; present the job's ID token (id_token)"
		if got := refusal(Decide(role, Limits{}, job(unverified), Request{}, time.Hour, noon)); !strings.HasSuffix(got, presentIt) {
			t.Errorf("%s, no ID token: %s", name, got)
		}
		got := refusal(Decide(role, Limits{}, job(), Request{}, time.Hour, noon))
		if strings.HasSuffix(got, presentIt) || !strings.Contains(got, "administrator") {
			t.Errorf("%s, with an ID token: %s", name, got)
		}
	}
}

func TestNumbersAreComparedByValue(t *testing.T) {
	t.Parallel()
	equal := [][]any{
		{json.Number("5"), json.Number("5.0"), json.Number("50e-1"), json.Number("0.5E+1"), json.Number("5.000"), 5, 5.0},
		{json.Number("0"), json.Number("-0"), json.Number("0.0"), json.Number("0e9"), 0, 0.0, math.Copysign(0, -1)},
		{json.Number("-1.5"), json.Number("-15e-1"), -1.5},
		{json.Number("1e3"), json.Number("1000"), 1000},
		{json.Number("0.1"), 0.1},
		{json.Number("1000000000000000000000001")},
		{json.Number("1000000000000000000000002")},
		{json.Number("1e999999999")},
		{json.Number("1e99999999999999999999")},
		{json.Number("2e99999999999999999999")},
		{"5"}, {"true"}, {true}, {false},
	}
	for i, group := range equal {
		for j, other := range equal {
			a, _ := newScalar(group[0])
			for _, value := range other {
				if b, ok := newScalar(value); !ok || (a == b) != (i == j) {
					t.Errorf("%v (%T) and %v (%T): equal is %v", group[0], group[0], value, value, a == b)
				}
			}
		}
	}
}

func TestWhatCannotBeComparedIsNotEqual(t *testing.T) {
	t.Parallel()
	for _, value := range []any{nil, map[string]any{}, []any{}, math.NaN(), math.Inf(1), float64(1 << 53), struct{}{}} {
		if s, ok := newScalar(value); ok {
			t.Errorf("%v is %v", value, s)
		}
	}
}

// FuzzBoundClaims looks for a panic on any JSON, and for a match that Vault's JWT
// auth would not make.
func FuzzBoundClaims(f *testing.F) {
	f.Add(`{"ref": "refs/heads/main"}`, "ref", "refs/heads/*", true)
	f.Add(`{"ref": ["a", null, {"b": [1e5]}], "x": {"y": {"z": "w"}}}`, "/x/y/z", "w", false)
	f.Add(`{"a/b": {"m~n": ["x"]}}`, "/a~1b/m~0n/0", "x", false)
	f.Add(`{"id": 123456789012345678901234567890e-400}`, "id", "123", false)
	f.Fuzz(func(t *testing.T, text, name, value string, useGlob bool) {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var claims map[string]any
		if decoder.Decode(&claims) != nil {
			return
		}
		kind := boundClaimsString
		if useGlob {
			kind = boundClaimsGlob
		}
		bound, err := compileBoundClaims(map[string][]any{name: {value}}, kind)
		if err != nil {
			return
		}
		c := bound[0].check(Caller{Claims: claims})
		if c.Pass != (c.Remedy == "") || c.Seen == "" {
			t.Errorf("%+v", c)
		}
		if !c.Pass {
			return
		}
		claim, ok := lookUp(claims, bound[0].path)
		if !ok {
			t.Fatal("a missing claim matches")
		}
		elements, isList := claim.([]any)
		if !isList {
			elements = []any{claim}
		}
		for _, element := range elements {
			if s, ok := element.(string); ok && (s == value || useGlob && matchAny([]string{value}, s)) {
				return
			}
		}
		t.Errorf("%s does not match %q", describe(claim), value)
	})
}

// FuzzNumbers holds the comparison of numbers to exact arithmetic.
func FuzzNumbers(f *testing.F) {
	f.Add("5", "5.0")
	f.Add("-0", "0e5")
	f.Add("9007199254740993", "9007199254740992")
	f.Add("1.50e2", "150")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, okX := exact(a)
		y, okY := exact(b)
		if !okX || !okY {
			return
		}
		if same := canonical(a) == canonical(b); same != (x.Cmp(y) == 0) {
			t.Errorf("%s and %s: equal is %v", a, b, same)
		}
	})
}

// exact is the value of a JSON number that is not too large to be written out.
func exact(text string) (*big.Rat, bool) {
	var number json.Number
	if json.Unmarshal([]byte(text), &number) != nil || number.String() != text {
		return nil, false
	}
	if f, err := number.Float64(); err != nil || math.Abs(f) > 1e300 || len(text) > 100 || strings.Contains(strings.ToLower(text), "e-") {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}
