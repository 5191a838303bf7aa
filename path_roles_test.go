package githubsecrets

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/sdk/logical"
)

func TestRoleWriteIsRefused(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	many := make([]any, 501)
	for i := range many {
		many[i] = fmt.Sprintf("repo-%d", i)
	}
	permissions := map[string]any{}
	for i := range 201 {
		permissions[fmt.Sprintf("permission_%d", i)] = "read"
	}
	tests := map[string]struct {
		change map[string]any
		parts  []string
	}{
		"no account":                      {map[string]any{"organization": nil}, []string{"organization", "installation_id"}},
		"two accounts":                    {map[string]any{"installation_id": 5}, []string{"not both"}},
		"account with a slash":            {map[string]any{"organization": "acme/api"}, []string{`"acme/api"`}},
		"account with dots":               {map[string]any{"organization": ".."}, []string{`".."`}},
		"account in unicode":              {map[string]any{"organization": "аcme"}, []string{"organization"}},
		"account with NUL":                {map[string]any{"organization": "acme\x00"}, []string{"NUL"}},
		"no repositories":                 {map[string]any{"repositories": nil}, []string{"repository_selection=all"}},
		"empty repositories":              {map[string]any{"repositories": ""}, []string{`"repositories": the list is empty`}},
		"a list of null":                  {map[string]any{"repositories": []any{nil}}, []string{"item 1 is null"}},
		"an item with a comma":            {map[string]any{"repositories": []any{"a,b"}}, []string{`"a,b"`}},
		"an empty item":                   {map[string]any{"repositories": "api,,web"}, []string{"item 2 is empty"}},
		"a duplicate":                     {map[string]any{"repositories": "api,web,API"}, []string{`"API" is named twice`}},
		"a duplicate by its full name":    {map[string]any{"repositories": "api,acme/api"}, []string{`"acme/api" is named twice`}},
		"501 repositories":                {map[string]any{"repositories": many}, []string{"501 repositories are too many"}},
		"501 names and ids":               {map[string]any{"repositories": many[:500], "repository_ids": "7"}, []string{"501"}},
		"another owner's repository":      {map[string]any{"repositories": "evil/api"}, []string{`"evil/api" is not of the role's organization "acme"`}},
		"an owner without organization":   {map[string]any{"organization": nil, "installation_id": 5, "repositories": "acme/api"}, []string{"without its owner"}},
		"a name with two slashes":         {map[string]any{"repositories": "acme/api/x"}, []string{`"api/x"`}},
		"a name that is a parent":         {map[string]any{"repositories": ".."}, []string{`".."`}},
		"a name with NUL":                 {map[string]any{"repositories": []any{"a\x00b"}}, []string{`\x00`}},
		"a name of 300 characters":        {map[string]any{"repositories": strings.Repeat("a", 300)}, []string{"aaa…"}},
		"a name in unicode":               {map[string]any{"repositories": "аpi"}, []string{"is not the name of a repository"}},
		"a template":                      {map[string]any{"repositories": "{{x}}"}, []string{"{{x}}"}},
		"a glob":                          {map[string]any{"repositories": "*"}, []string{`"*"`}},
		"ids in octal":                    {map[string]any{"repository_ids": "010"}, []string{`"010" is not an id`}},
		"an id above all others":          {map[string]any{"repository_ids": []any{1e18}}, []string{"is not an id"}},
		"an id with a point":              {map[string]any{"repository_ids": []any{3.7}}, []string{`"3.7" is not an id`}},
		"a duplicate id":                  {map[string]any{"repository_ids": "7,7"}, []string{"7 is named twice"}},
		"all and some":                    {map[string]any{"repository_selection": "all"}, []string{"exclude each other"}},
		"another selection":               {map[string]any{"repository_selection": "some"}, []string{`"some" is neither`}},
		"no permissions":                  {map[string]any{"permissions": nil}, []string{"permissions are missing"}},
		"empty permissions":               {map[string]any{"permissions": ""}, []string{`"permissions"`, "empty"}},
		"an empty map":                    {map[string]any{"permissions": map[string]any{}}, []string{`"permissions"`, "empty"}},
		"a boolean level":                 {map[string]any{"permissions": map[string]any{"contents": true}}, []string{`"contents" is a boolean`}},
		"JSON in a text":                  {map[string]any{"permissions": `{"contents":"read"}`}, []string{"JSON inside a text"}},
		"an unknown level":                {map[string]any{"permissions": "contents=owner"}, []string{`"owner"`, "read, write or admin"}},
		"a level in capitals":             {map[string]any{"permissions": "contents=Read"}, []string{`"Read"`}},
		"a permission in capitals":        {map[string]any{"permissions": "Contents=read"}, []string{`"Contents"`}},
		"a permission in two spellings":   {map[string]any{"permissions": "pull-requests=read,pull_requests=write"}, []string{`"pull_requests" is named twice`}},
		"201 permissions":                 {map[string]any{"permissions": permissions}, []string{"201 are more than GitHub has"}},
		"a negative ttl":                  {map[string]any{"ttl": -1}, []string{`"-1" is negative`}},
		"a ttl of half a second":          {map[string]any{"ttl": "500ms"}, []string{"whole number of seconds"}},
		"a ttl of 100 hours":              {map[string]any{"ttl": "100h"}, []string{"1h, the life"}},
		"a max_ttl of 100 hours":          {map[string]any{"max_ttl": "100h"}, []string{"max_ttl", "1h, the life"}},
		"a ttl above max_ttl":             {map[string]any{"ttl": "10m", "max_ttl": "5m"}, []string{"ttl: 10m0s is more than max_ttl, 5m0s"}},
		"an App with a slash in its name": {map[string]any{"app": "a/b"}, []string{`"a/b" is not the name of an App`}},
		"10 MB of description":            {map[string]any{"description": strings.Repeat("a", 10<<20)}, []string{"longer than"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := map[string]any{"organization": "acme", "repositories": "api", "permissions": "contents=read"}
			for field, value := range test.change {
				data[field] = value
				if value == nil {
					delete(data, field)
				}
			}
			e.wantRefusal(logical.CreateOperation, "roles/refused", data, http.StatusBadRequest, test.parts...)
			if a := e.do(t.Context(), logical.ReadOperation, "roles/refused", nil); a.Response != nil {
				t.Error("the role was written all the same")
			}
		})
	}
}

func TestRoleNames(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	for _, name := range []string{"api", ".github-release", "a.b_c-D", strings.Repeat("a", 256), "-", "7"} {
		e.mustWriteRole(name, nil)
		e.must(logical.ReadOperation, "token/"+name, nil)
	}
	for _, name := range []string{strings.Repeat("a", 257), "a..b", "..", ".", "a b", "a\x00", "ä", "a%2Fb", "a*"} {
		for _, path := range []string{"roles/", "token/"} {
			e.wantRefusal(logical.UpdateOperation, path+name, nil, http.StatusBadRequest, "is not the name of a role")
		}
	}
}

func TestRoleUpdateKeepsTheRest(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("api", map[string]any{"description": "for api", "max_ttl": "30m"})
	before := e.must(logical.ReadOperation, "roles/api", nil).Data
	e.must(logical.UpdateOperation, "roles/api", map[string]any{"ttl": "5m"})
	before["ttl"] = 300
	if diff := cmp.Diff(before, e.must(logical.ReadOperation, "roles/api", nil).Data); diff != "" {
		t.Error(diff)
	}
}

func TestRoleFieldsThatBelongTogetherAreWrittenTogether(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		update map[string]any
		want   map[string]any // nil: absent
	}{
		"ids replace names":        {map[string]any{"repository_ids": "7"}, map[string]any{"repositories": nil, "repository_ids": []any{json.Number("7")}, "repository_selection": "selected"}},
		"all replaces names":       {map[string]any{"repository_selection": "all"}, map[string]any{"repositories": nil, "repository_ids": nil, "repository_selection": "all"}},
		"selected changes nothing": {map[string]any{"repository_selection": "selected"}, map[string]any{"repositories": []string{"api"}, "repository_selection": "selected"}},
		"an id replaces the name":  {map[string]any{"installation_id": 5}, map[string]any{"organization": nil, "installation_id": int64(5)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.mustWriteRole("api", nil)
			e.must(logical.UpdateOperation, "roles/api", test.update)
			got := e.must(logical.ReadOperation, "roles/api", nil)
			for field, want := range test.want {
				if diff := cmp.Diff(want, got.data(field)); diff != "" {
					t.Errorf("%s: %s", field, diff)
				}
			}
		})
	}
}

func TestRoleReadCanBeWrittenBack(t *testing.T) {
	t.Parallel()
	tests := map[string]map[string]any{
		"names":        nil,
		"full names":   {"repositories": "acme/api,web", "permissions": "pull-requests=write"},
		"ids":          {"repositories": nil, "repository_ids": "7,8"},
		"all":          {"repositories": nil, "repository_selection": "all"},
		"installation": {"organization": nil, "installation_id": 5},
		"everything":   {"app": "another", "max_ttl": "1h", "description": "a", "disabled": true},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newReadyEngine(t)
			e.mustWriteRole("a", change)
			read := e.must(logical.ReadOperation, "roles/a", nil).Data
			back := map[string]any{}
			for field, value := range read {
				back[field] = value
			}
			e.must(logical.CreateOperation, "roles/b", back)
			if diff := cmp.Diff(read, e.must(logical.ReadOperation, "roles/b", nil).Data); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRolesAreListedAndDeleted(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	for _, name := range []string{"b", "a", ".c"} {
		e.mustWriteRole(name, nil)
	}
	if diff := cmp.Diff([]string{".c", "a", "b"}, e.must(logical.ListOperation, "roles/", nil).Data["keys"]); diff != "" {
		t.Error(diff)
	}
	e.must(logical.ReadOperation, "token/a", nil) // now it is in the cache
	e.must(logical.DeleteOperation, "roles/a", nil)
	e.wantRefusal(logical.ReadOperation, "token/a", nil, http.StatusBadRequest, `unknown role "a"`, "vault list github/roles")
	if a := e.do(t.Context(), logical.ReadOperation, "roles/a", nil); a.Response != nil {
		t.Error("the role is still there")
	}
}
