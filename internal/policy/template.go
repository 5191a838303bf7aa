package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A claim's value is text that somebody outside chose, such as the name of a
// branch, and a template makes it part of the name of an account or a
// repository. It must not be able to name another one: values are filled in
// once, never parsed again, and hold nothing that separates names.

// claimPattern is what a claim's name may be in a template.
var claimPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,99}$`)

// template is a text in which {{claims.NAME}} stands for a claim's value.
type template struct {
	source string
	parts  []part
}

// part is literal text, or a claim to fill in.
type part struct{ text, claim string }

func parseTemplate(source string) (template, error) {
	t := template{source: source}
	for rest := source; rest != ""; {
		text, inside, opened := strings.Cut(rest, "{{")
		if strings.Contains(text, "}}") {
			return t, fmt.Errorf("%s has }} without {{ before it", quote(source))
		}
		if text != "" {
			t.parts = append(t.parts, part{text: text})
		}
		if !opened {
			break
		}
		var closed bool
		inside, rest, closed = strings.Cut(inside, "}}")
		if !closed {
			return t, fmt.Errorf("%s has {{ without }} after it", quote(source))
		}
		claim, ok := strings.CutPrefix(inside, "claims.")
		if !ok || !claimPattern.MatchString(claim) {
			return t, fmt.Errorf("%s is not {{claims.NAME}}, with letters, digits, '_' and '-' in NAME", quote("{{"+inside+"}}"))
		}
		t.parts = append(t.parts, part{claim: claim})
	}
	return t, nil
}

// literal reports whether there is nothing to fill in.
func (t template) literal() bool { return len(t.claims()) == 0 }

// whole reports whether the template is one claim and nothing else.
func (t template) whole() bool { return len(t.parts) == 1 && t.parts[0].claim != "" }

// claims names those that the template uses.
func (t template) claims() []string {
	var names []string
	for _, p := range t.parts {
		if p.claim != "" {
			names = append(names, p.claim)
		}
	}
	return names
}

// sample fills in a value that is good in any place, to see whether the rest can
// be good at all.
func (t template) sample() string {
	s, _ := t.fill(func(string) (string, error) { return "1", nil })
	return s
}

// expand fills in the claims' values.
func (t template) expand(claims map[string]any) (string, error) {
	return t.fill(func(name string) (string, error) {
		text, err := claimText(claims, name)
		if err != nil {
			return "", err
		}
		return text, checkValue(name, text)
	})
}

// expandRepository is expand for the name of a repository: a claim that is the
// whole of it may also be OWNER/NAME, as GitHub's claim repository is.
func (t template) expandRepository(claims map[string]any) (string, error) {
	if !t.whole() {
		return t.expand(claims)
	}
	name := t.parts[0].claim
	text, err := claimText(claims, name)
	if err != nil {
		return "", err
	}
	owner, repository, owned := strings.Cut(text, "/")
	if !owned {
		return text, checkValue(name, text)
	}
	if err := checkValue(name, owner); err != nil {
		return "", err
	}
	return text, checkValue(name, repository)
}

func (t template) fill(value func(claim string) (string, error)) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		text := p.text
		if p.claim != "" {
			var err error
			if text, err = value(p.claim); err != nil {
				return "", err
			}
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// errMissing is for a claim that the caller does not have.
var errMissing = errors.New("is missing")

// claimText is a claim's value as text.
func claimText(claims map[string]any, name string) (string, error) {
	value, ok := claims[name]
	if !ok {
		return "", fmt.Errorf("claim %q %w", name, errMissing)
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case json.Number:
		if _, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return v.String(), nil
		}
	case int:
		return strconv.Itoa(v), nil
	case float64:
		if i, ok := wholeNumber(v); ok {
			return strconv.FormatInt(i, 10), nil
		}
	}
	return "", fmt.Errorf("claim %q is %s, neither a text nor a whole number", name, describe(value))
}

// checkValue refuses a value that could be more than a piece of a name.
func checkValue(name, text string) error {
	if text == "" {
		return fmt.Errorf("claim %q is empty", name)
	}
	for _, bad := range []string{"/", "..", "{{", "}}", ","} {
		if strings.Contains(text, bad) {
			return fmt.Errorf("claim %q is %s, which holds %q", name, quote(text), bad)
		}
	}
	for _, c := range text {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("claim %q is %s, which holds white space, a control character or one beyond ASCII", name, quote(text))
		}
	}
	return nil
}
