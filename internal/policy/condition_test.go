package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestConditionIsCheckedAtWrite(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ source, want string }{
		"an unknown variable":      {`claim.ref == "x"`, "line 1, column 1: undeclared reference to 'claim' (did you mean 'claims'?)"},
		"an unknown variable of a": {`request.tll > duration("1m")`, "line 1, column 8: undeclared reference to 'request.tll' (did you mean 'request.ttl'?)"},
		"the second line":          {"true &&\n  identity.groups == 1", "line 2, column 19: found no matching overload for '_==_' applied to '(list(string), int)'"},
		"a type that is wrong":     {`request.ttl < 600`, "line 1, column 13: found no matching overload for '_<_' applied to '(duration, int)'"},
		"a string":                 {`"main"`, `it is of type string, not bool; compare it with something, as in claims.ref == "refs/heads/main"`},
		"a claim, of any type":     {`claims.protected`, `it is of type dyn, not bool; compare it with something, as in claims.ref == "refs/heads/main"`},
		"an unknown function":      {`now() > 1`, "line 1, column 4: undeclared reference to 'now'"},
		"a duration that is none":  {`request.ttl <= duration("10x")`, "line 1, column 25: invalid duration argument"},
		"a timestamp that is none": {`now < timestamp("noon")`, "line 1, column 17: invalid timestamp argument"},
		"a pattern that is none":   {`"x".matches("(")`, "line 1, column 13: invalid matches argument"},
		"a source that is too long": {
			`claims.ref == "` + strings.Repeat("x", maxConditionLength) + `"`, "4112 bytes are too many: at most 4096",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := compileCondition(test.source)
			if err == nil || err.Error() != "condition: "+test.want {
				t.Errorf("got  %v\nwant condition: %s", err, test.want)
			}
		})
	}
}

func TestConditionShowsWhereTheSyntaxIsWrong(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"claims.ref = 'x'":                      "condition: line 1, column 12: Syntax error",
		"true &&":                               "condition: line 1, column 8: Syntax error",
		" ":                                     "condition: line 1, column 2: Syntax error",
		"\x00":                                  "condition: line 1, column 1: Syntax error",
		strings.Repeat("(", 2000):               "condition: expression recursion limit exceeded",
		strings.Repeat("[", 300) + " == 1":      "condition: expression recursion limit exceeded",
		strings.Repeat("a.", 1000) + "b == '1'": "condition: max recursion depth exceeded",
	} {
		if _, err := compileCondition(source); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q: %v", source, err)
		}
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{ // what is seen
		`claims.ref == "refs/heads/main"`:                                    "true",
		`claims["ref"] == "refs/heads/main"`:                                 "true",
		`claims.ref == "refs/heads/next"`:                                    `false with ref="refs/heads/main"`,
		`claims.ref.startsWith("refs/tags/") || claims.event_name != "push"`: `false with event_name="push", ref="refs/heads/main"`,
		`claims.sub == "x"`:                                                  "an error: no such key: sub",
		`claims.sub != "x"`:                                                  "an error: no such key: sub",
		`has(claims.sub)`:                                                    "false",
		`!has(claims.sub)`:                                                   "true",
		`claims.env.name == "prod"`:                                          "true",
		`claims.groups.exists(g, g == "ops")`:                                "true",
		`"ops" in claims.groups`:                                             "true",
		`claims.nothing == null`:                                             "true",
		`claims.ref > 5`:                                                     "an error: no such overload",
		`claims.protected == "true"`:                                         `false with protected=true`,
		`claims.protected == true`:                                           "true",
		`claims.whole == 5 && claims.whole + 1 == 6`:                         "true",
		`claims.float == 5`:                                                  "true",
		`claims.fraction == 5.25 && claims.fraction > 5`:                     "true",
		`claims.large == 9007199254740993 && claims.large > 9007199254740992`: "true",
		`claims.huge > 1`: "an error: the number 1e999 is out of bounds",
		`identity.entity_id == "entity-1" && identity.entity_name == "api"`:    "true",
		`identity.alias_name.startsWith("repo:acme/api:")`:                     "true",
		`"ci" in identity.groups && !("admins" in identity.groups)`:            "true",
		`identity.metadata.team == "core" && !has(identity.metadata.tier)`:     "true",
		`identity.metadata.tier == "prod"`:                                     "an error: no such key: tier",
		`request.remote_address == "192.0.2.7"`:                                "true",
		`request.ttl == duration("20m")`:                                       "true",
		`request.repositories == ["api", "web"]`:                               "true",
		`request.permissions == {"contents": "write", "issues": "read"}`:       "true",
		`now == timestamp("2026-03-02T12:00:00Z") && now.getDayOfWeek() == 1`:  "true",
		`claims.ref.lowerAscii().split("/")[2].replace("main", "x") == "x"`:    "true",
		`"a-b-c".replace("-", "", 1) == "ab-c" && "%s!".format(["a"]) == "a!"`: "true",
		`claims.ref.matches("^refs/(heads|tags)/.*$")`:                         "true",
		`"x".matches(claims.bad_pattern)`:                                      "an error: error parsing regexp: missing closing ): `(`",
		`1 / int(claims.zero) == 1`:                                            "an error: division by zero",
		`claims.groups[9] == "x"`:                                              "an error: index out of bounds: 9",
		`claims.ref == "x" || claims.groups[0] == "dev"`:                       "true",
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			caller := job(func(c *Caller) {
				for name, value := range decode(t, `{"env": {"name": "prod"}, "groups": ["dev", "ops"], "nothing": null, "protected": true, "whole": 5,
					"fraction": 5.25, "large": 9007199254740993, "huge": 1e999, "zero": 0, "bad_pattern": "("}`) {
					c.Claims[name] = value
				}
				c.Claims["float"] = 5.0
			})
			d := Decide(compile(t, spec(func(s *Spec) { s.Condition = source })), Limits{}, caller, Request{}, time.Hour, noon)
			c := d.Checks[0]
			if c.Seen != want || c.Pass != (want == "true") || c.Pass == (c.Remedy != "") {
				t.Errorf("passed %v, seen %s, want %s", c.Pass, c.Seen, want)
			}
		})
	}
}

// Without its ID token a job has fewer claims; that must not help it to meet a
// condition about what it is not.
func TestConditionIsNotMetByLeavingTheIDTokenOut(t *testing.T) {
	t.Parallel()
	const dynamic = "a look at any claim, of which not all are known"
	for source, seen := range map[string]string{
		`!has(claims.head_ref)`:                                    "no such claim: head_ref",
		`!("head_ref" in claims)`:                                  "no such claim: head_ref",
		`claims.repository == "acme/api" || !has(claims.head_ref)`: "no such claim: head_ref",
		`!claims.exists(name, name == "head_ref")`:                 dynamic,
		`size(claims) < 3`:                                         dynamic,
		`claims.map(name, name).all(n, n != "x")`:                  dynamic,
		`!(claims.repository in claims)`:                           dynamic,
		`claims.repository == "acme/api"`:                          "true",
	} {
		role := compile(t, spec(func(s *Spec) { s.Condition = source }))
		c := Decide(role, Limits{}, job(unverified), Request{}, time.Hour, noon).Checks[0]
		if c.Seen != seen || c.Pass != (seen == "true") {
			t.Errorf("%s: passed %v, seen %s", source, c.Pass, c.Seen)
		}
	}
}

// request is what would be granted: asking for nothing must not evade a condition
// about what is asked for.
func TestConditionSeesWhatWouldBeGranted(t *testing.T) {
	t.Parallel()
	byID := func(s *Spec) { s.Repositories, s.RepositoryIDs = nil, []string{"7", "8"} }
	all := func(s *Spec) { s.Repositories, s.AllRepositories = nil, true }
	const (
		noNames = "an error: request.repositories is not known: the token would be for repositories that are not named"
		noIDs   = "an error: request.repository_ids is not known: the token would be for repositories without their ids"
	)
	for name, test := range map[string]struct {
		change  func(*Spec)
		source  string
		request Request
		want    string
	}{
		"the role's ttl":          {nil, `request.ttl <= duration("10m")`, Request{}, "false"},
		"less, by the request":    {nil, `request.ttl <= duration("10m")`, Request{TTL: 5 * time.Minute}, "true"},
		"the role's permissions":  {nil, `!("issues" in request.permissions)`, Request{}, "false"},
		"less than those":         {nil, `!("issues" in request.permissions)`, Request{Permissions: map[string]string{"contents": "read"}}, "true"},
		"the role's names":        {nil, `request.repositories.all(r, r == "api")`, Request{}, "false"},
		"less than those names":   {nil, `request.repositories.all(r, r == "api")`, Request{Repositories: []string{"acme/api"}}, "true"},
		"ids of names":            {nil, `request.repository_ids.all(id, id == 7)`, Request{}, noIDs},
		"the role's ids":          {byID, `request.repository_ids.all(id, id == 7)`, Request{}, "false"},
		"less than those ids":     {byID, `request.repository_ids.all(id, id == 7)`, Request{RepositoryIDs: []int64{7}}, "true"},
		"ids asked for by name":   {byID, `request.repository_ids.all(id, id == 7)`, Request{Repositories: []string{"api"}}, noIDs},
		"names of ids":            {byID, `request.repositories.all(r, r == "api")`, Request{}, noNames},
		"names of all":            {all, `request.repositories.all(r, r == "api")`, Request{}, noNames},
		"ids of all":              {all, `request.repository_ids.all(id, id == 7)`, Request{}, noIDs},
		"the role's spelling":     {nil, `!("web" in request.repositories)`, Request{Repositories: []string{"WEB"}}, "false"},
		"no spelling of a role's": {all, `!("vault" in request.repositories)`, Request{Repositories: []string{"Vault"}}, "false"},
		"names asked of all":      {all, `request.repositories.all(r, r == "api")`, Request{Repositories: []string{"api"}}, "true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spec(func(s *Spec) { s.Condition = test.source })
			if test.change != nil {
				test.change(&s)
			}
			d := Decide(compile(t, s), Limits{}, job(), test.request, time.Hour, noon)
			if c := d.Checks[len(d.Checks)-1]; c.Seen != test.want || c.Rule != "condition" {
				t.Errorf("%s: seen %s, want %s", c.Rule, c.Seen, test.want)
			}
		})
	}
}

// An evaluation ends soon and in bounds, whatever the condition and the claims.
func TestConditionIsBounded(t *testing.T) {
	t.Parallel()
	const (
		cost   = "an error: operation cancelled: actual cost limit exceeded"
		memory = "an error: operation cancelled: memory limit exceeded"
	)
	list := "[" + strings.Repeat("1,", 30) + "1]"
	double := strings.Repeat(".map(x, x + x)", 14)
	for name, test := range map[string]struct{ source, want string }{
		"nested loops":              {list + ".all(a, " + list + ".all(b, " + list + ".all(c, a + b + c > 0)))", cost},
		"a loop over a long claim":  {`claims.long.all(x, x == 1)`, memory},
		"a text that doubles":       {`["0123456789"]` + double + ".size() == 1", memory},
		"a text that is multiplied": {`claims.text.replace("", claims.text) != ""`, "an error: replace: the text would be longer than 40960 bytes"},
		"a list that is joined":     {`claims.list.join(claims.text) != ""`, cost},
		"a large pattern":           {`"x".matches(claims.pattern)`, "an error: regex program size 12002 exceeds limit of 2000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			long, texts := make([]any, 100_000), make([]any, 1000)
			for i := range long {
				long[i] = json.Number("1")
			}
			for i := range texts {
				texts[i] = "x"
			}
			caller := job(func(c *Caller) {
				c.Claims["long"], c.Claims["list"] = long, texts
				c.Claims["text"] = strings.Repeat("x", 5000)
				c.Claims["pattern"] = strings.Repeat("x{1000}", 12)
			})
			role := compile(t, spec(func(s *Spec) { s.Condition = test.source }))
			d := Decide(role, Limits{}, caller, Request{}, time.Hour, noon)
			if c := d.Checks[0]; c.Pass || c.Seen != test.want {
				t.Errorf("seen %s, want %s", c.Seen, test.want)
			}
		})
	}
}

// FuzzCondition looks for a condition that panics, hangs, or is met without
// being true.
func FuzzCondition(f *testing.F) {
	for _, source := range []string{
		`claims.ref == "refs/heads/main" && request.ttl <= duration("10m")`,
		`claims.groups.exists(g, g.startsWith("ops")) ? true : now > timestamp("2026-01-01T00:00:00Z")`,
		`has(claims.a.b) || claims["a"]["b"] in [1, 2.5, "x", null]`,
		`"%s".format([claims.ref]).replace("a", "bb").size() < 100`,
		`[1,2,3].map(x, [x, x]).all(y, y.size() == 2)`,
		`identity.metadata.team.matches("^[a-z]+$")`,
		`request.repositories.all(r, r in ["api"])`,
	} {
		f.Add(source, `{"ref": "refs/heads/main", "groups": ["ops"], "a": {"b": 1}}`)
	}
	f.Add(`claims.n > 5 && claims.n < 1e9`, `{"n": 123456789012345678901234567890}`)
	f.Fuzz(func(t *testing.T, source, text string) {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var claims map[string]any
		if decoder.Decode(&claims) != nil {
			return
		}
		c, err := compileCondition(source)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "condition: ") {
				t.Error(err)
			}
			return
		}
		caller, grant := job(func(c *Caller) { c.Claims = claims }), Grant{Repositories: []string{"api"}, TTL: time.Minute}
		start := time.Now()
		check := c.check(caller, grant, noon)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
		if again := c.check(caller, grant, noon); again.Pass != check.Pass {
			t.Errorf("first %s, then %s", check.Seen, again.Seen)
		}
		if check.Pass != (check.Seen == "true") {
			t.Errorf("%+v", check)
		}
	})
}
