package auditlog

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"vault-plugin-secrets-github/internal/auditlog/auditlogtest"
)

// told is every event of the sources, as text.
func told(t *testing.T, sources []Source, o Options) ([]string, Stats) {
	t.Helper()
	r := NewReader(sources, o)
	var events []string
	for e, err := range r.All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, line(e))
	}
	return events, r.Stats()
}

// line is what matters of an event, in one line.
func line(e Event) string {
	switch {
	case e.Renewal != nil:
		return "renewed " + e.Renewal.LeaseID
	case e.Revocation != nil:
		return strings.TrimSpace(fmt.Sprintf("revoked %s%s%s", e.Revocation.LeaseID, e.Revocation.LeasePrefix, short(e.Revocation.Accessor)))
	}
	r := e.Request
	text := fmt.Sprintf("%s %s%s by %s", r.Outcome, r.Mount, r.Role, r.DisplayName)
	if r.Reason != "" {
		text += " " + r.Reason + " " + short(r.Error)
	}
	if g := r.Grant; g != nil {
		text += fmt.Sprintf(" %s %s %s", g.Scope, g.HashedToken, g.LeaseID)
		if g.Wrapped {
			text += "wrapped"
		}
	}
	return text
}

func short(text string) string {
	if Hashed(text) {
		return text[:20]
	}
	return text
}

func TestARealVaultsLog(t *testing.T) {
	t.Parallel()
	sources, err := Files([]string{"testdata/vault.log"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	events, stats := told(t, sources, Options{})
	want, err := os.ReadFile("testdata/vault.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), strings.Join(events, "\n")+"\n"); diff != "" {
		t.Error(diff)
	}
	if len(stats.Warnings()) > 0 {
		t.Errorf("a whole log is said to lack something: %q", stats.Warnings())
	}
}

// TestWhateverTheFormTheEventsAreTheSame reads one log in many forms.
func TestWhateverTheFormTheEventsAreTheSame(t *testing.T) {
	t.Parallel()
	vault, _, _, _ := generated(t, auditlogtest.Log{Requests: 150, Others: 2})
	other, _, _, _ := generated(t, auditlogtest.Log{Requests: 150, Others: 2, Salt: "another device's"})
	plainEvents, _ := told(t, []Source{memory("log", vault)}, Options{})
	middle := bytes.IndexByte(vault[len(vault)/2:], '\n') + len(vault)/2 + 1
	tests := map[string]struct {
		sources []Source
		workers int
		stats   func(Stats) int64 // what is counted
		want    int64             // -1: some
		warning string
	}{
		"on one processor":               {sources: []Source{memory("log", vault)}, workers: 1},
		"gzip":                           {sources: []Source{memory("log.gz", gzipped(t, vault))}},
		"gzip of two members":            {sources: []Source{memory("log.gz", append(gzipped(t, vault[:middle]), gzipped(t, vault[middle:])...))}},
		"zstd":                           {sources: []Source{memory("log.zst", zstandard(t, vault))}},
		"rotated, the newest first":      {sources: []Source{memory("log", vault[middle:]), memory("log.1.gz", gzipped(t, vault[:middle]))}},
		"a prefix before each entry":     {sources: []Source{memory("log", bytes.ReplaceAll(vault, []byte("{\"auth\""), []byte("@cee: {\"auth\"")))}},
		"with carriage returns":          {sources: []Source{memory("log", bytes.ReplaceAll(vault, []byte("\n"), []byte("\r\n")))}},
		"standard input":                 {sources: []Source{{Name: "standard input", Once: true, Open: memory("", vault).Open}}},
		"a shipper that escapes slashes": {sources: []Source{memory("log", bytes.ReplaceAll(vault, []byte("/"), []byte(`\/`)))}},
		"two devices": {
			sources: []Source{memory("a", vault), memory("b", other)},
			stats:   func(s Stats) int64 { return s.Duplicates }, want: -1, warning: "two audit devices",
		},
		"rotations that overlap": {
			sources: []Source{memory("a", vault), memory("b", vault[middle:])},
			stats:   func(s Stats) int64 { return s.Duplicates }, want: -1, warning: "counted once",
		},
		"rubbish between the lines": {
			sources: []Source{memory("log", slices.Concat(vault[:middle], []byte("\x00\xff{not json\n\n{}\n[1]\n"), vault[middle:]))},
			stats:   func(s Stats) int64 { return s.Foreign }, want: 3, warning: "no entries of Vault's audit log",
		},
		"a line that is too long": {
			sources: []Source{memory("log", slices.Concat(vault[:middle], bytes.Repeat([]byte("x"), maxLine+chunkSize), []byte("\n"), vault[middle:]))},
			stats:   func(s Stats) int64 { return s.TooLong }, want: 1, warning: "16 MiB",
		},
		"a last line that is being written": {
			sources: []Source{memory("log", append(slices.Clone(vault), vault[:200]...))},
			stats:   func(s Stats) int64 { return s.Unfinished }, want: 1, warning: "in the middle of a line",
		},
		"a device of another format": {
			sources: []Source{memory("log", append(slices.Clone(vault), "<json:object name=\"auth\">\n"...))},
			stats:   func(s Stats) int64 { return s.JSONX }, want: 1, warning: "format=jsonx",
		},
		"a compressed log that breaks off": {
			sources: []Source{memory("log", vault), memory("b.gz", gzipped(t, vault)[:10_000])},
			stats:   func(s Stats) int64 { return int64(len(s.Broken)) }, want: 1, warning: "b.gz: unexpected EOF",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events, stats := told(t, test.sources, Options{Workers: test.workers})
			if diff := cmp.Diff(plainEvents, events); diff != "" {
				t.Error(diff)
			}
			if test.stats != nil {
				if got := test.stats(stats); got != test.want && (test.want != -1 || got == 0) {
					t.Errorf("counted %d, want %d: %+v", got, test.want, stats)
				}
			}
			if warnings := strings.Join(stats.Warnings(), "\n"); !strings.Contains(warnings, test.warning) || test.warning == "" && warnings != "" {
				t.Errorf("warnings are %q, want %q", warnings, test.warning)
			}
		})
	}
}

func gzipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t *testing.T, text []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(text, nil)
}

// entryText is an entry about a request for a token.
func entryText(kind, id string, at time.Time, more string) string {
	return fmt.Sprintf(`{"auth":{"display_name":"jwt-a"},%s"request":{"id":%q,"operation":"read","path":"github/token/ci","mount_point":"github/","mount_type":"vault-plugin-secrets-github","namespace":{"id":"root"}},"time":%q,"type":%q}`+"\n",
		more, id, at.Format(time.RFC3339Nano), kind)
}

func TestRequestsArePairedWithTheirResponses(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	later := noon.Add(time.Hour)
	tests := map[string]struct {
		log  string
		want []string
	}{
		"with one":    {entryText("request", "1", noon, "") + entryText("response", "1", noon, ""), []string{"issued github/ci by jwt-a   "}},
		"without one": {entryText("request", "1", noon, ""), []string{"unanswered github/ci by jwt-a"}},
		"without one, told when it cannot come any more": {
			entryText("request", "1", noon, "") + entryText("request", "2", later, "") + entryText("response", "2", later, ""),
			[]string{"unanswered github/ci by jwt-a", "issued github/ci by jwt-a   "},
		},
		"a response alone":         {entryText("response", "1", noon, ""), []string{"issued github/ci by jwt-a   "}},
		"the response comes first": {entryText("response", "1", noon, "") + entryText("request", "1", noon, ""), []string{"issued github/ci by jwt-a   "}},
		"refused by Vault's policy": {
			entryText("request", "1", noon, `"error":"1 error occurred:\n\t* permission denied\n\n",`) + entryText("response", "1", noon, `"error":"1 error occurred:\n\t* permission denied\n\n",`),
			[]string{"refused github/ci by jwt-a acl permission denied"},
		},
		"another plugin of that name, which answers otherwise": {
			entryText("response", "1", noon, `"response":{"data":{"installation_id":"7","permissions":["x"],"ttl":{}},"secret":{"lease_id":"github/token/ci/1"}},`),
			[]string{"issued github/ci by jwt-a   github/token/ci/1"},
		},
		"a role whose name has a slash is none": {
			strings.ReplaceAll(entryText("request", "1", noon, ""), "token/ci", "token/ci/x"), nil,
		},
		"another engine's token path": {
			strings.ReplaceAll(entryText("request", "1", noon, ""), "vault-plugin-secrets-github", "kv"), nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events, _ := told(t, []Source{memory("log", []byte(test.log))}, Options{})
			if diff := cmp.Diff(test.want, events); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnEngineUnderAnotherNameIsFoundByItsMount(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	log := []byte(strings.ReplaceAll(entryText("response", "1", at, ""), "vault-plugin-secrets-github", "tokens"))
	for mount, want := range map[string]int{"github": 1, "/github/": 1, "other": 0} {
		if events, _ := told(t, []Source{memory("log", log)}, Options{Mounts: []string{mount}}); len(events) != want {
			t.Errorf("mount %s: %d events, want %d", mount, len(events), want)
		}
	}
}

func TestAReaderThatIsStoppedEarlyEnds(t *testing.T) {
	t.Parallel()
	vault, _, _, _ := generated(t, auditlogtest.Log{Requests: 1500})
	for range NewReader([]Source{memory("a", vault), memory("b", vault)}, Options{}).All(context.Background()) {
		break
	}
	ctx, cancel := context.WithCancel(context.Background())
	var last error
	for _, err := range NewReader([]Source{memory("a", vault)}, Options{}).All(ctx) {
		cancel()
		last = err
	}
	cancel()
	if !errors.Is(last, context.Canceled) {
		t.Errorf("a canceled reading ends with %v", last)
	}
}

func TestSourcesOfACommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"audit.log", "audit.log.1"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sources, err := Files([]string{dir, "-"}, strings.NewReader("in"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range sources {
		names = append(names, filepath.Base(s.Name))
	}
	if diff := cmp.Diff([]string{"audit.log", "audit.log.1", "standard input"}, names); diff != "" {
		t.Error(diff)
	}
	if _, err := Files([]string{filepath.Join(dir, "gone")}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Files([]string{t.TempDir()}, nil); err == nil || !strings.Contains(err.Error(), "no file is in this directory") {
		t.Errorf("an empty directory: %v", err)
	}
}

// TestALogIsReadAsFarAsItReached: one that grows while it is read ends.
func TestALogIsReadAsFarAsItReached(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	if err := os.WriteFile(path, []byte(entryText("response", "1", at, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	sources, err := Files([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, entryText("response", "2", at, "")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if events, _ := told(t, sources, Options{}); len(events) != 1 {
		t.Errorf("%d events, want the one that was there", len(events))
	}
}
