package auditlog

import (
	"bytes"
	"context"
	"os"
	"testing"
)

// FuzzEntry: whatever stands in a line, reading it ends, and a line that the
// quick look takes for irrelevant is so when it is decoded.
func FuzzEntry(f *testing.F) {
	log, err := os.ReadFile("testdata/vault.log")
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(log) {
		f.Add(line)
	}
	d := newDecoder(nil)
	f.Fuzz(func(t *testing.T, line []byte) {
		_, what := d.decode(newScanner(), line)
		start := bytes.IndexByte(line, '{')
		if start >= 0 && what == irrelevant {
			e := &entry{}
			if newScanner().unmarshal(line[start:], e, false) && (e.Type == requestEntry || e.Type == responseEntry) && d.about(e) && !escaped(line) {
				t.Errorf("taken for irrelevant: %s", line)
			}
		}
		for _, err := range NewReader([]Source{memory("log", line)}, Options{Workers: 1}).All(context.Background()) {
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// escaped reports whether a line spells letters as \uXXXX or in another case,
// which Vault does not.
func escaped(line []byte) bool { return bytes.Contains(line, []byte(`\`)) }

// FuzzUse: whatever GitHub's export holds, reading it ends, in order.
func FuzzUse(f *testing.F) {
	f.Add([]byte(`{"@timestamp":1780315200123,"action":"git.push","hashed_token":"aGk="}`))
	f.Add([]byte(`[{"created_at":"2026-06-01T12:00:00Z","action":"api.request","hashed_token":"aGk","org":["a"]},{}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var last Use
		for u, err := range NewUseReader([]Source{memory("export", text)}, nil).All(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			if u.HashedToken == "" || u.Time.Before(last.Time) {
				t.Errorf("a use without a token, or out of order: %+v after %+v", u, last)
			}
			last = u
		}
	})
}

// FuzzServerLine: whatever stands in a line, reading it ends.
func FuzzServerLine(f *testing.F) {
	log, err := os.ReadFile("testdata/server.log")
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(log) {
		f.Add(line)
	}
	f.Add([]byte(`{"@message":"revoked a token","@timestamp":"2026-06-01T12:00:00Z","hashed_token":"aGk="}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if got, ok := parseServerLine(line); ok && (got.HashedToken == "" || got.Time.IsZero() && got.Kind == "") {
			t.Errorf("read %+v", got)
		}
	})
}
