package ledger

import (
	"bytes"
	"context"
	"io"
	"testing"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/auditlogtest"
)

func memory(text []byte) []auditlog.Source {
	return []auditlog.Source{{Name: "memory", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(text)), nil
	}}}
}

func TestAccountsAreWhatTheLogsTell(t *testing.T) {
	t.Parallel()
	var vault, github, server bytes.Buffer
	truth, err := auditlogtest.Log{Requests: 20_000, Seed: 7}.Write(&vault, &github, &server)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	uses := auditlog.NewUseReader(memory(github.Bytes()), nil)
	var got auditlogtest.Truth
	before := 0
	summary, err := Run(Inputs{
		Events: auditlog.NewReader(memory(vault.Bytes()), auditlog.Options{}).All(ctx),
		Uses:   uses.All(ctx),
		Server: auditlog.NewServerReader(memory(server.Bytes()), nil).All(ctx),
	}, func(a *Account) error {
		switch a.Outcome {
		case auditlog.Issued:
			got.Issued++
		case auditlog.Refused:
			got.Refused++
		case auditlog.Unanswered:
			got.Unanswered++
		}
		if a.EndedBy == EndTokenRevoked {
			got.Revoked++
		}
		if a.Usage.Count > 0 {
			got.Used++
		}
		got.Uses += a.Usage.Count
		got.AfterEnd += a.Usage.AfterEnd
		return nil
	}, func(s Stray) error {
		got.Strays++
		got.Uses++
		if s.Before {
			before++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got.Lines = truth.Lines
	if got != truth {
		t.Errorf("told %+v\nwant %+v", got, truth)
	}
	if before != 0 {
		t.Errorf("%d strays are said to be older than the log", before)
	}
	if summary.MostHeld > 500 { // one request in ten seconds, an hour and a bit
		t.Errorf("%d accounts were held at once", summary.MostHeld)
	}
}
