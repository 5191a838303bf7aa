package action

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func readme(t *testing.T) string {
	t.Helper()
	return readFile(t, filepath.Join(directory, "README.md"))
}

// block is the first block of a language in the README.
func block(t *testing.T, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(readme(t), "```"+language+"\n")
	content, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatalf("README.md has no %s", language)
	}
	return content
}

// workflow is a workflow's file, as far as it matters here.
type workflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Steps []struct {
			ID, Uses, Run string
			With          map[string]string
			Env           map[string]string
		}
	}
}

// The README's step, with the README's policy, gets the token that it asks for.
func TestWorkflowOfTheReadmeRuns(t *testing.T) {
	t.Parallel()
	var w workflow
	if err := yaml.Unmarshal([]byte(block(t, "yaml")), &w); err != nil {
		t.Fatal(err)
	}
	if w.Permissions["id-token"] != "write" {
		t.Error("the job gets no ID token")
	}
	step := w.Jobs["notes"].Steps[0]
	j := newWorld(t).newJob()
	j.writePolicy("%s", strings.ReplaceAll(block(t, "hcl"), "github/", j.mount+"/"))
	j.writeRole(step.With["role"], map[string]any{
		"permissions": map[string]string{"contents": "write", "pull_requests": "write"}, "ttl": "30m",
	})
	inputs := j.inputs(nil)
	for name, value := range step.With {
		if name != "vault-address" {
			inputs[name] = value
		}
	}
	s := j.use(inputs)
	if want := "acme: api,web: contents=read,metadata=read,pull_requests=write"; s.outputs["scope"] != want {
		t.Errorf("scope %q, want %q\n%s", s.outputs["scope"], want, s.main.annotations("error"))
	}
	s.post().wantSilent()
	if j.isLive(s.outputs["token"]) {
		t.Error("the optional policy does not let post wait for the revocation")
	}
	for _, match := range outputReference.FindAllStringSubmatch(block(t, "yaml"), -1) {
		if match[1] != step.ID || !slices.Contains(j.manifest.Outputs.names(), match[2]) {
			t.Errorf("the workflow uses %s, which the step does not set", match[0])
		}
	}
}

var outputReference = regexp.MustCompile(`steps\.(\w+)\.outputs\.([\w-]+)`)

func TestTablesOfTheReadmeAreTheManifests(t *testing.T) {
	t.Parallel()
	m := readManifest(t)
	var inputs, outputs strings.Builder
	for _, input := range m.Inputs {
		def := "`" + input.Default + "`"
		switch {
		case input.Required:
			def = "required"
		case input.Default == "":
			def = "none"
		}
		fmt.Fprintf(&inputs, "| `%s` | %s | %s |\n", input.Name, def, input.Description)
	}
	for _, output := range m.Outputs {
		fmt.Fprintf(&outputs, "| `%s` | %s |\n", output.Name, output.Description)
	}
	for head, table := range map[string]string{
		"| input | default | meaning |\n|---|---|---|\n": inputs.String(),
		"| output | meaning |\n|---|---|\n":              outputs.String(),
	} {
		if !strings.Contains(readme(t), head+table+"\n") {
			t.Errorf("README.md should have\n\n%s%s", head, table)
		}
	}
}
