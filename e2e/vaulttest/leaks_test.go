package vaulttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLeakCheckFindsTokensAndKeys(t *testing.T) {
	t.Parallel()
	var check LeakCheck
	check.WatchFor("-----BEGIN RSA PRIVATE KEY-----\nfirst\nmiddle\nlast\n-----END RSA PRIVATE KEY-----\n")
	file := filepath.Join(t.TempDir(), "log")
	for line, want := range map[string]string{
		"nothing to hide, ghs_short":                          "",
		"short " + ghsToken(40):                               "line 2, holds a GitHub token",
		"long " + ghsToken(520):                               "line 2, holds a GitHub token",
		`{"key":"first\nmiddle\nlast"}`:                       "line 2, holds a private key",
		`{"hashed_token":"` + strings.Repeat("x", 43) + `="}`: "",
	} {
		if err := os.WriteFile(file, []byte("first\n"+line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := check.CheckFiles(file); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%.20s…: %q, want %q", line, got, want)
		}
	}
}

func ghsToken(length int) string { return "ghs_" + strings.Repeat("x", length-len("ghs_")) }
