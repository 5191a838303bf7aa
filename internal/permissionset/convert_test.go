package permissionset

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parse reads a set as Vault's client gives it: numbers keep their digits.
func parse(t *testing.T, text string) Set {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var data map[string]any
	if err := decoder.Decode(&data); err != nil {
		t.Fatal(err)
	}
	s, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASetBecomesARoleThatGrantsTheSame(t *testing.T) {
	t.Parallel()
	read := map[string]string{"contents": "read"}
	for name, test := range map[string]struct {
		set     string
		meaning Meaning
		want    map[string]any
	}{
		"names": {
			`{"org_name":"acme","installation_id":0,"repositories":["api"],"repository_ids":null,"permissions":{"contents":"read"}}`, Meaning{},
			map[string]any{"organization": "acme", "repositories": []string{"api"}, "permissions": read},
		},
		"ids of an installation": {
			`{"org_name":"","installation_id":12345678901,"repositories":null,"repository_ids":[69857131],"permissions":{"contents":"read"}}`, Meaning{},
			map[string]any{"installation_id": int64(12345678901), "repository_ids": []any{int64(69857131)}, "permissions": read},
		},
		"the installation decides": {
			`{"org_name":"acme","installation_id":7,"repositories":["api"],"permissions":{"contents":"read"}}`, Meaning{},
			map[string]any{"installation_id": int64(7), "repositories": []string{"api"}, "permissions": read},
		},
		"everything, and it is meant": {
			`{"org_name":"acme"}`, Meaning{AllRepositories: true, Permissions: read},
			map[string]any{"organization": "acme", "repository_selection": "all", "permissions": read},
		},
		"a meaning is for what is left out only": {
			`{"org_name":"acme","repositories":["api"],"permissions":{"issues":"write"}}`, Meaning{AllRepositories: true, Permissions: read, Organization: "other"},
			map[string]any{"organization": "acme", "repositories": []string{"api"}, "permissions": map[string]string{"issues": "write"}},
		},
		"of a version that knew one installation": {
			`{"repository_ids":[1],"permissions":{"contents":"read"}}`, Meaning{Organization: "acme"},
			map[string]any{"organization": "acme", "repository_ids": []any{int64(1)}, "permissions": read},
		},
	} {
		r, unsaid := test.meaning.Convert(parse(t, test.set))
		if diff := cmp.Diff(test.want, r.Fields()); diff != "" || len(unsaid) > 0 {
			t.Errorf("%s: %v\n%s", name, unsaid, diff)
		}
	}
}

func TestWhatASetLeavesOutIsRefused(t *testing.T) {
	t.Parallel()
	for set, want := range map[string][]string{
		`{"org_name":"acme","repositories":[],"repository_ids":[],"permissions":{"contents":"read"}}`: {"no repositories"},
		`{"org_name":"acme","repositories":["api"],"permissions":{}}`:                                 {"no permissions"},
		`{"repositories":["api"],"permissions":{"contents":"read"}}`:                                  {"no installation"},
		`{}`: {"no installation", "no repositories", "no permissions"},
	} {
		_, unsaid := Meaning{}.Convert(parse(t, set))
		if len(unsaid) != len(want) {
			t.Errorf("%s: %q", set, unsaid)
			continue
		}
		for i, beginning := range want {
			if !strings.HasPrefix(unsaid[i], beginning) {
				t.Errorf("%s: %q does not begin with %q", set, unsaid[i], beginning)
			}
		}
	}
}

func TestARoleWithTemplatesIsSeenToSaySomethingElse(t *testing.T) {
	t.Parallel()
	old, err := ParseRole(map[string]any{"organization": "acme", "repository_ids": []any{"{{claims.repository_id}}", json.Number("12345678901")}})
	if err != nil {
		t.Fatal(err)
	}
	gone, _ := Diff(old, Role{Organization: "acme"})
	if diff := cmp.Diff([]string{"repository_ids=12345678901,{{claims.repository_id}}"}, gone); diff != "" {
		t.Error(diff)
	}
}

func TestDiffShowsWhatChangesAndNotTheOrder(t *testing.T) {
	t.Parallel()
	old := Role{Organization: "acme", Repositories: []string{"web", "api"}, Selection: "selected", Permissions: map[string]string{"contents": "read"}}
	same := Role{Organization: "acme", Repositories: []string{"api", "web"}, Permissions: map[string]string{"contents": "read"}}
	if gone, come := Diff(old, same); len(gone)+len(come) > 0 {
		t.Errorf("the same: %q %q", gone, come)
	}
	wider := same
	wider.Permissions = map[string]string{"contents": "write"}
	gone, come := Diff(old, wider)
	if diff := cmp.Diff([][]string{{"permissions=contents=read"}, {"permissions=contents=write"}}, [][]string{gone, come}); diff != "" {
		t.Error(diff)
	}
}
