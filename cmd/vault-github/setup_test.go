package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheReadmeTunesTheMountAsSetupDoes keeps the one list that others are
// copies of.
func TestTheReadmeTunesTheMountAsSetupDoes(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(readme))
	for _, tuned := range tuning {
		want := tuned.key + "=" + strings.Join(tuned.values, ",")
		if !strings.Contains("\n"+strings.Join(words, "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("README.md does not tune %s", want)
		}
	}
}

// TestNoCredentialIsTunedToBePlain: what a mount's lists name stands in the audit
// log for whoever reads it.
func TestNoCredentialIsTunedToBePlain(t *testing.T) {
	t.Parallel()
	for _, tuned := range tuning {
		for _, value := range tuned.values {
			switch value {
			case "token", "id_token", "private_key", "jwt", "data":
				t.Errorf("%s: %s would stand in the audit log in plaintext", tuned.key, value)
			}
		}
	}
}

// TestScriptRunsNothingThatMightTakeSomethingAway looks at every line that is no
// comment.
func TestScriptRunsNothingThatMightTakeSomethingAway(t *testing.T) {
	t.Parallel()
	tuning := func(what string) []tuneChange {
		return []tuneChange{{Key: "allowed_response_headers", flag: "allowed-response-headers", What: what, Error: "no\nvault write x y=z", Wants: []string{"it's", "X-Other"}}}
	}
	policy := func(what string, removed ...string) []policyChange {
		return []policyChange{{Name: "github-job", What: what, Error: "no", Removed: removed, Policy: "path \"x\" {}\n"}}
	}
	written := []string{"vault policy write github-job - <<'EOF'", `path "x" {}`, "EOF"}
	for name, test := range map[string]struct {
		plan plan
		want []string // after set -eu
	}{
		"a list that is known": {plan{Mount: "github", Tuning: tuning(planUpdate)}, []string{
			`vault secrets tune \`, `  -allowed-response-headers='it'\''s' \`, `  -allowed-response-headers=X-Other \`, `  github`,
		}},
		"a list that is not known": {plan{Mount: "github", Tuning: tuning(planUnknown)}, nil},
		"a policy that is new":     {plan{Mount: "github", Policies: policy(planCreate)}, written},
		"a policy to overwrite":    {plan{Mount: "github", Policies: policy(planUpdate, "vault\rdelete x")}, written},
		"somebody's policy":        {plan{Mount: "github", Policies: policy(planRefuse, "vault delete x")}, nil},
		"a policy not known":       {plan{Mount: "github", Policies: policy(planUnknown)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for line := range strings.Lines(test.plan.commands()) {
				if line = strings.TrimRight(line, "\n"); line != "" && !strings.HasPrefix(line, "#") && line != "set -eu" {
					got = append(got, line)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
