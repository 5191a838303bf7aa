package main

import (
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parseURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestGitHasItsSettingsAfterThoseThatAreThere(t *testing.T) {
	t.Parallel()
	for there, want := range map[string][]string{
		"":     {"GIT_CONFIG_KEY_0", "GIT_CONFIG_KEY_1", "GIT_CONFIG_COUNT=2"},
		"3":    {"GIT_CONFIG_KEY_3", "GIT_CONFIG_KEY_4", "GIT_CONFIG_COUNT=5"},
		"none": {"GIT_CONFIG_KEY_0", "GIT_CONFIG_KEY_1", "GIT_CONFIG_COUNT=2"},
	} {
		settings := gitEnvironment(func(string) string { return there }, parseURL(t, "https://github.com"), "/s")
		for i, setting := range settings {
			if key, _, ok := strings.Cut(setting, "=credential.https://github.com.helper"); ok {
				settings[i] = key
			}
		}
		got := slices.DeleteFunc(settings, func(s string) bool {
			return strings.HasPrefix(s, "GIT_CONFIG_VALUE") || strings.HasPrefix(s, socketVariable)
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("GIT_CONFIG_COUNT=%s: %s", there, diff)
		}
	}
}

func TestTheTokensVariablesAreThoseOfTheServer(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]int{
		"https://github.com": 2, "https://acme.ghe.com": 2, "https://github.acme.example": 4, "https://notghe.com": 4,
	} {
		if got := tokenEnvironment(parseURL(t, server), "t"); len(got) != want {
			t.Errorf("%s: %q", server, got)
		}
	}
}

// TestWordsComeOutOfAShellAsTheyWentIn asks a shell.
func TestWordsComeOutOfAShellAsTheyWentIn(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"", "plain-1", "/a b/c", "it's", `$(id) "x" \ ;&|<>*?~#!`, "a\nb", "ü"} {
		out, err := exec.Command("sh", "-c", "printf %s "+shellQuote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q came out as %q, %v", word, out, err)
		}
	}
}

func TestCellsHoldNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain ü":            "plain ü",
		"a\nb\tc":            "a b c",
		"\x1b[31mred\x1b[0m": " [31mred [0m",
		"\u009b31m\x7f":      " 31m ",
	} {
		if got := oneLine(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
