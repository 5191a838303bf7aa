package policy

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestGlobs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"repo:acme/api", "repo:acme/api", true},
		{"repo:acme/api", "repo:acme/api2", false},
		{"repo:acme/api", "xrepo:acme/api", false},
		{"repo:acme/*", "repo:acme/api:ref:refs/heads/main", true},
		{"repo:acme/*", "repo:acme/", true},
		{"repo:acme/*", "repo:acme-evil/api", false},
		{"repo:acme/*", "xrepo:acme/api", false},
		{"*:ref:refs/heads/main", "repo:acme/api:ref:refs/heads/main", true},
		{"*:ref:refs/heads/main", "repo:acme/api:ref:refs/heads/main2", false},
		{"repo:*:ref:refs/tags/v*", "repo:acme/api:ref:refs/tags/v1", true},
		{"repo:*:ref:refs/tags/v*", "repo:acme/api:pull_request", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"*ab*ab*", "xab", false},
		{"*ab*ab*", "xabyab", true},
		{"*", "", true},
		{"*", "anything\nat all", true},
		{"**", "x", true},
		{"", "", true},
		{"", "x", false},
		// Every other character is itself.
		{"main|evil", "main", false},
		{"main|evil", "evil", false},
		{"main|evil", "main|evil", true},
		{"v1.2", "v1x2", false},
		{"v?", "v1", false},
		{"[ab]", "a", false},
		{`\*`, `\anything`, true},
		{"^main$", "main", false},
		{"(main)", "main", false},
		{"ma+in", "maain", false},
		{"main", "Main", false},
		{"straße*", "STRASSE/x", false},
		{"\u212aelvin", "kelvin", false}, // the Kelvin sign folds to k
		{"caf\u00e9", "cafe\u0301", false},
	} {
		if got := matchAny([]string{test.pattern}, test.text); got != test.want {
			t.Errorf("%q matches %q: %v", test.pattern, test.text, got)
		}
	}
}

func TestAnyOfSeveralGlobsIsEnough(t *testing.T) {
	t.Parallel()
	globs := []string{"a*", "*z"}
	for text, want := range map[string]bool{"ab": true, "yz": true, "yy": false, "": false} {
		if got := matchAny(globs, text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if matchAny(nil, "a") {
		t.Error("no glob matches")
	}
}

// FuzzGlob holds globs to the regular expression that says what they mean.
func FuzzGlob(f *testing.F) {
	f.Add("repo:acme/*", "repo:acme/api")
	f.Add("main|evil", "evil")
	f.Add("*a*b*", "xaybz")
	f.Add("a*a", "a")
	f.Add("**", "\n")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			return // regular expressions are about characters, globs about bytes
		}
		parts := strings.Split(pattern, "*")
		for i, p := range parts {
			parts[i] = regexp.QuoteMeta(p)
		}
		want := regexp.MustCompile(`(?s)\A` + strings.Join(parts, ".*") + `\z`).MatchString(text)
		if got := matchAny([]string{pattern}, text); got != want {
			t.Errorf("%q matches %q: %v", pattern, text, got)
		}
	})
}
