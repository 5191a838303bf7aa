package githubsecrets

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheAPIReferenceNamesEveryField keeps docs/api.md complete.
func TestTheAPIReferenceNamesEveryField(t *testing.T) {
	t.Parallel()
	reference := readFile(t, "docs/api.md")
	for _, path := range newBackend(nil).Paths {
		for name := range path.Fields {
			if !isCapture(path, name) && !strings.Contains(reference, "`"+name+"`") {
				t.Errorf("%s: the parameter %s is not described", path.Pattern, name)
			}
		}
		for op, handler := range path.Operations {
			for _, responses := range handler.Properties().Responses {
				for name := range responses[0].Fields {
					if name != "keys" && !strings.Contains(reference, "`"+name+"`") {
						t.Errorf("%s %s: the field %s of the answer is not described", op, path.Pattern, name)
					}
				}
			}
		}
	}
}

// TestTheThreatModelNamesTestsThatExist keeps the last column of
// docs/security.md true.
func TestTheThreatModelNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	var tests strings.Builder
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			tests.WriteString(readFile(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(readFile(t, "docs/security.md"), -1)
	if len(named) == 0 {
		t.Error("it names no test")
	}
	for _, match := range named {
		if !strings.Contains(tests.String(), "func "+match[1]+"(") {
			t.Errorf("there is no %s", match[1])
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
