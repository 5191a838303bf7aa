package ledger

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"
	"testing"
	"time"

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
	truth, err := auditlogtest.Log{Requests: 5_000, Seed: 7}.Write(&vault, &github, &server)
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
	if summary.Held > 500 { // one request in ten seconds, an hour and a bit
		t.Errorf("%d accounts were held at once", summary.Held)
	}
}

// TestTheRevocationOfATokenIsNoUseOfIt: GitHub's log has it, by the token itself.
func TestTheRevocationOfATokenIsNoUseOfIt(t *testing.T) {
	t.Parallel()
	asked := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	issued := auditlog.Event{Time: asked, Request: &auditlog.Request{
		ID: "1", Time: asked, Answered: asked, Outcome: auditlog.Issued, Grant: &auditlog.Grant{HashedToken: "ours", TTL: 600},
	}}
	later := asked.Add(2 * time.Hour)
	end := func(token, route, path string) auditlog.Use {
		return auditlog.Use{Time: later, HashedToken: token, Action: "api.request", Method: "DELETE", Route: route, Path: path}
	}
	uses := []auditlog.Use{
		{Time: asked.Add(time.Minute), HashedToken: "ours", Action: "api.request", Method: "DELETE", Route: "/installation/token"},
		end("discarded", "/installation/token", ""),
		end("discarded", "", "/api/v3/installation/token"),
		end("stray", "/repos/{owner}/{repo}", "/repos/acme/api"),
	}
	var used []int
	var strays []string
	_, err := Run(Inputs{Events: of(issued), Uses: of(uses...)},
		func(a *Account) error { used = append(used, a.Usage.Count); return nil },
		func(s Stray) error { strays = append(strays, s.HashedToken); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(used, []int{0}) || !slices.Equal(strays, []string{"stray"}) {
		t.Errorf("uses of the token: %v, strays: %v", used, strays)
	}
}

func of[T any](values ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, value := range values {
			if !yield(value, nil) {
				return
			}
		}
	}
}
