package auditlog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestMountsThatAreNamedAreThoseToTellOf: others may be another team's.
func TestMountsThatAreNamedAreThoseToTellOf(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	for i, mount := range []struct{ point, plugin string }{
		{"github/", "vault-plugin-secrets-github"}, {"team/github/", "vault-plugin-secrets-github"}, {"tokens/", "our-own-name"},
	} {
		for second, kind := range []string{"request", "response"} {
			fmt.Fprintf(&log, `{"type":%q,"time":"2026-06-01T12:0%d:0%dZ","request":{"id":"%d","operation":"read","path":%q,"mount_point":%q,"mount_type":%q}}`+"\n",
				kind, i, second, i, mount.point+"token/api", mount.point, mount.plugin)
		}
	}
	for name, test := range map[string]struct{ named, want []string }{
		"none":              {nil, []string{"github/", "team/github/"}},
		"one of two":        {[]string{"team/github"}, []string{"team/github/"}},
		"by its other name": {[]string{"tokens/"}, []string{"tokens/"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var told []string
			for e, err := range NewReader([]Source{memory("log", []byte(log.String()))}, Options{Mounts: test.named}).All(context.Background()) {
				if err != nil {
					t.Fatal(err)
				}
				told = append(told, e.Request.Mount)
			}
			if !slices.Equal(told, test.want) {
				t.Errorf("it tells of %q, want %q", told, test.want)
			}
		})
	}
}
