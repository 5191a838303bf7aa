package auditlog

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"vault-plugin-secrets-github/internal/auditlog/auditlogtest"
)

// memory is a source that is held in memory.
func memory(name string, text []byte) Source {
	return Source{Name: name, Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(text)), nil
	}}
}

// generated is a log of so many requests.
func generated(t testing.TB, l auditlogtest.Log) (vault, github, server []byte, truth auditlogtest.Truth) {
	t.Helper()
	var v, g, s bytes.Buffer
	truth, err := l.Write(&v, &g, &s)
	if err != nil {
		t.Fatal(err)
	}
	return v.Bytes(), g.Bytes(), s.Bytes(), truth
}

// BenchmarkRead reads a log; MB/s beside BenchmarkLineCount's is the ratio that
// matters, whatever the machine.
func BenchmarkRead(b *testing.B) {
	for name, l := range map[string]auditlogtest.Log{
		"issuances": {Requests: 20_000},
		"mixed":     {Requests: 4_000, Others: 10},
	} {
		vault, _, _, truth := generated(b, l)
		for _, workers := range []int{1, 2} {
			b.Run(name+"/workers-"+string(rune('0'+workers)), func(b *testing.B) {
				b.SetBytes(int64(len(vault)))
				for b.Loop() {
					issued := 0
					for e, err := range NewReader([]Source{memory("log", vault)}, Options{Workers: workers}).All(context.Background()) {
						if err != nil {
							b.Fatal(err)
						}
						if e.Request != nil && e.Request.Outcome == Issued {
							issued++
						}
					}
					if issued != truth.Issued {
						b.Fatalf("%d issuances, want %d", issued, truth.Issued)
					}
				}
			})
		}
	}
}

func BenchmarkLineCount(b *testing.B) {
	vault, _, _, truth := generated(b, auditlogtest.Log{Requests: 20_000})
	path := filepath.Join(b.TempDir(), "log")
	if err := os.WriteFile(path, vault, 0o600); err != nil {
		b.Fatal(err)
	}
	buffer := make([]byte, 1<<20)
	b.SetBytes(int64(len(vault)))
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		lines := 0
		for {
			n, err := f.Read(buffer)
			lines += bytes.Count(buffer[:n], []byte("\n"))
			if err != nil {
				break
			}
		}
		_ = f.Close() // it was only read
		if lines != truth.Lines {
			b.Fatalf("%d lines, want %d", lines, truth.Lines)
		}
	}
}
