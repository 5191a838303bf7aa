package githubtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestViolationsOfGitHubsDescriptionAreReported(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		path, body string
		fault      Fault
		want       string // in the report; empty for none
	}{
		{"good request", "", `{"repositories":["api"],"permissions":{"contents":"read"}}`, Fault{}, ""},
		{"refused request in the right form", "", `{"repositories":["nope"]}`, Fault{}, ""},
		{"a permission that GitHub's description lacks", "", `{"permissions":{"brand_new":"read"}}`, Fault{}, ""},
		{"repositories that are no list", "", `{"repositories":"api"}`, Fault{}, "/repositories: value must be an array"},
		{"id in quotes", "", `{"repository_ids":["7"]}`, Fault{}, "/repository_ids/0: value must be an integer"},
		{"level that GitHub does not have", "", `{"permissions":{"contents":"owner"}}`, Fault{}, "/permissions/contents: value is not one of the allowed values"},
		{"id in the path that is no number", "/app/installations/acme/access_tokens", `{}`, Fault{}, `parameter "installation_id" in path`},
		{"mutated answer", "", `{}`, Fault{Mutate: func(answer map[string]any) { delete(answer, "token") }}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var reported violations
			f := newFixture(t, reported.option())
			f.Inject(test.fault)
			path := test.path
			if path == "" {
				path = f.mintPath()
			}
			f.call(t, http.MethodPost, path, f.app.JWT(), test.body)
			if got := reported.String(); (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
				t.Errorf("reported %q, want %q", got, test.want)
			}
		})
	}
}

func TestAnswersAreHeldToGitHubsDescription(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, pattern string
		status        int
		body          string
		want          string
	}{
		{"token without its expiry", MintToken, 201, `{"token":"ghs_a"}`, `property "expires_at" is missing`},
		{"App without an id", "GET /app", 200, `{}`, "is missing"},
		{"status that is not listed", "GET /app", 204, ``, "status is not supported"},
		{"error in GitHub's form", MintToken, 422, `{"message":"a","documentation_url":"b"}`, ""},
		{"error without a message", MintToken, 422, `{}`, `property "message" is missing`},
		{"unlisted error in GitHub's form", "GET /app", 401, `{"message":"a"}`, ""},
		{"unlisted error in another form", "GET /app", 401, `{"message":1}`, "/message: value must be a string"},
		{"unlisted error that is not JSON", "GET /app", 401, `<html>`, "invalid character"},
		{"endpoint that is none of the Apps'", "GET /repos/{owner}/{repo}", 200, `{}`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var reported violations
			s := New(t, reported.option())
			method, _, _ := strings.Cut(test.pattern, " ")
			r, err := http.NewRequestWithContext(t.Context(), method, s.APIURL, nil)
			if err != nil {
				t.Fatal(err)
			}
			header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
			s.checkAnswer(&request{Request: r, pattern: test.pattern}, test.status, header, []byte(test.body))
			if got := reported.String(); (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
				t.Errorf("reported %q, want %q", got, test.want)
			}
		})
	}
}

func TestViolationFailsTheTest(t *testing.T) {
	t.Parallel()
	watched := &recordingTB{TB: t}
	s := New(watched)
	app := s.AddApp("ci-broker", nil)
	s.call(t, http.MethodPost, "/app/installations/1/access_tokens", app.JWT(), `{"repositories":7}`)
	s.Close()
	if !strings.Contains(watched.failure, "/repositories") {
		t.Errorf("the test was told %q", watched.failure)
	}
}

// recordingTB keeps a failure instead of failing.
type recordingTB struct {
	testing.TB
	failure string
}

func (r *recordingTB) Errorf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
}

func TestWithoutValidationNothingIsReported(t *testing.T) {
	t.Parallel()
	f := newFixture(t, WithoutValidation())
	f.call(t, http.MethodPost, f.mintPath(), f.app.JWT(), `{"repositories":7}`)
}
