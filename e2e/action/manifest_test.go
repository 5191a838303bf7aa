package action

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// directory is where the action is.
const directory = "../../action"

// manifest is action.yml.
type manifest struct {
	Inputs, Outputs fields
	Runs            struct {
		Using, Main, Post string
		PostIf            string `yaml:"post-if"`
	}
}

// fields are inputs or outputs, in the order of the file.
type fields []field

type field struct {
	Name        string
	Description string
	Required    bool
	Default     string
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (f *fields) UnmarshalYAML(node *yaml.Node) error {
	for i := 0; i < len(node.Content); i += 2 {
		one := field{Name: node.Content[i].Value}
		if err := node.Content[i+1].Decode(&one); err != nil {
			return err
		}
		*f = append(*f, one)
	}
	return nil
}

func (f fields) names() []string {
	var names []string
	for _, one := range f {
		names = append(names, one.Name)
	}
	return names
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	var m manifest
	if err := yaml.Unmarshal([]byte(readFile(t, filepath.Join(directory, "action.yml"))), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// The job may fail or be cancelled: post runs all the same.
func TestPostRunsWhateverHappens(t *testing.T) {
	t.Parallel()
	if runs := readManifest(t).Runs; runs.Using != "node24" || runs.Post == "" || runs.PostIf != "always()" {
		t.Errorf("runs: %+v", runs)
	}
}

// The list that main prints is the one that action.yml has.
func TestEveryInputOfTheManifestIsKnown(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	s := j.use(j.inputs(map[string]string{"surprise": "x"}))
	_, list, _ := strings.Cut(s.main.annotations("error"), "this action takes ")
	list, _, _ = strings.Cut(list, ". ")
	if known := strings.Split(list, ", "); !slices.Equal(known, j.manifest.Inputs.names()) {
		t.Errorf("main knows %q, action.yml describes %q", known, j.manifest.Inputs.names())
	}
}

func TestEveryOutputOfTheManifestIsSet(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	s := j.use(j.inputs(nil))
	for _, name := range j.manifest.Outputs.names() {
		if s.outputs[name] == "" {
			t.Errorf("the output %s is empty", name)
		}
	}
	if len(s.outputs) != len(j.manifest.Outputs) {
		t.Errorf("main set %d outputs, action.yml describes %d", len(s.outputs), len(j.manifest.Outputs))
	}
	j.end()
}
