package githubtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRepositoryAccessRules(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.installation = f.Install(f.app, "acme", InstallOptions{Permissions: map[string]string{"contents": "write", "issues": "write"}})
	scopes := map[string]string{
		"read api":   f.mint(t, `{"repositories":["api"],"permissions":{"contents":"read"}}`),
		"write api":  f.mint(t, `{"repositories":["api"],"permissions":{"contents":"write"}}`),
		"issues api": f.mint(t, `{"repositories":["api"],"permissions":{"issues":"read"}}`),
		"write all":  f.mint(t, `{"permissions":{"issues":"write"}}`),
		"dead":       "ghs_dead",
		"none":       "",
	}
	const file = `{"message":"Add","content":"aGk="}`
	tests := []struct {
		scope, method, path, body string
		status                    int
	}{
		{"read api", "GET", "/repos/acme/api", "", 200},
		{"read api", "GET", "/repos/ACME/Api", "", 200},
		{"read api", "GET", "/repos/acme/web", "", 404},
		{"read api", "GET", "/repos/acme/nope", "", 404},
		{"read api", "GET", "/repos/acme/api/contents/README.md", "", 200},
		{"read api", "GET", "/repos/acme/api/contents/nope.md", "", 404},
		{"read api", "GET", "/repos/acme/api/contents/README.md?ref=nope", "", 404},
		{"read api", "PUT", "/repos/acme/api/contents/a.txt", file, 403},
		{"read api", "GET", "/repos/acme/api/issues", "", 403},
		{"issues api", "GET", "/repos/acme/api/contents/README.md", "", 403},
		{"issues api", "GET", "/repos/acme/api/issues", "", 200},
		{"issues api", "POST", "/repos/acme/api/issues", `{"title":"a"}`, 403},
		{"write all", "POST", "/repos/acme/web/issues", `{"title":"a"}`, 201},
		{"write all", "POST", "/repos/acme/web/issues", `{}`, 422},
		{"write all", "POST", "/repos/acme/web/issues", `{`, 400},
		{"write api", "PUT", "/repos/acme/api/contents/README.md", file, 422}, // the file is there: sha is missing
		{"write api", "PUT", "/repos/acme/api/contents/dir/new.txt", file, 201},
		{"dead", "GET", "/repos/acme/api", "", 401},
		{"none", "GET", "/repos/acme/api", "", 401},
	}
	messages := map[int]string{401: "Bad credentials", 403: "Resource not accessible by integration", 404: "Not Found"}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.scope, " ", test.method, " ", test.path, " ", test.status), func(t *testing.T) {
			t.Parallel()
			got := f.call(t, test.method, test.path, scopes[test.scope], test.body)
			if got.status != test.status {
				t.Fatalf("%d %s, want %d", got.status, got.body, test.status)
			}
			if want, fixed := messages[test.status]; fixed && got.message() != want {
				t.Errorf("message %q, want %q", got.message(), want)
			}
		})
	}
}

func TestContentsAreReadAndWritten(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.mint(t, "")
	const path = "/repos/acme/api/contents/README.md"
	read := func() (content, sha string) {
		got := f.call(t, http.MethodGet, path, token, "")
		decoded, err := base64.StdEncoding.DecodeString(got.object["content"].(string))
		if err != nil {
			t.Fatal(err)
		}
		return string(decoded), got.object["sha"].(string)
	}
	content, sha := read()
	if content != "# api\n" {
		t.Fatalf("content %q", content)
	}
	update := `{"message":"Change","content":"bmV3","sha":"` + sha + `"}`
	if got := f.call(t, http.MethodPut, path, token, update); got.status != http.StatusOK {
		t.Fatalf("PUT: %d %s", got.status, got.body)
	}
	if content, _ = read(); content != "new" {
		t.Errorf("content %q after the PUT, want new", content)
	}
	if got := f.call(t, http.MethodPut, path, token, update); got.status != http.StatusConflict {
		t.Errorf("PUT with an old sha: %d, want 409", got.status)
	}
}

func TestInstallationRepositoriesAreTheTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tests := []struct {
		body, selection string
		want            []any
	}{
		{``, "all", []any{"acme/api", "acme/web"}},
		{`{"repositories":["web"]}`, "selected", []any{"acme/web"}},
	}
	for _, test := range tests {
		t.Run(test.selection, func(t *testing.T) {
			t.Parallel()
			got := f.call(t, http.MethodGet, "/installation/repositories", f.mint(t, test.body), "")
			var names []any
			for _, item := range got.object["repositories"].([]any) {
				names = append(names, item.(map[string]any)["full_name"])
			}
			if diff := cmp.Diff(test.want, names); diff != "" {
				t.Errorf("repositories (-want +got):\n%s", diff)
			}
			if got.object["repository_selection"] != test.selection || got.object["total_count"] != float64(len(test.want)) {
				t.Errorf("repository_selection %v, total_count %v", got.object["repository_selection"], got.object["total_count"])
			}
		})
	}
}

func TestDeletedRepositoryIsGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := f.mint(t, `{"repositories":["api"]}`)
	f.DeleteRepository(f.api)
	if got := f.call(t, http.MethodGet, "/repos/acme/api", token, ""); got.status != http.StatusNotFound {
		t.Errorf("status %d, want 404", got.status)
	}
	if again := f.AddRepository("acme", "api", nil); again.ID == f.api.ID {
		t.Error("the id was used again")
	}
	if got := f.call(t, http.MethodGet, "/repos/acme/api", token, ""); got.status != http.StatusNotFound {
		t.Errorf("a repository of the same name: status %d, want 404", got.status)
	}
}
