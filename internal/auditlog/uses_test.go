package auditlog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vault-plugin-secrets-github/internal/auditlog/auditlogtest"
)

func usesOf(t *testing.T, sources ...Source) ([]Use, UseStats) {
	t.Helper()
	r := NewUseReader(sources, nil)
	var uses []Use
	for u, err := range r.All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		uses = append(uses, u)
	}
	return uses, r.Stats()
}

func TestUsesComeInOrderWhateverTheForm(t *testing.T) {
	t.Parallel()
	_, github, _, truth := generated(t, auditlogtest.Log{Requests: 300})
	lines := strings.Split(strings.TrimSpace(string(github)), "\n")
	newestFirst := slices.Clone(lines)
	slices.Reverse(newestFirst)
	want, _ := usesOf(t, memory("export", github))
	if len(want) != truth.Uses {
		t.Fatalf("%d uses, want %d", len(want), truth.Uses)
	}
	for i := range want[1:] {
		if want[i+1].Time.Before(want[i].Time) {
			t.Fatalf("use %d comes before the one before it", i+1)
		}
	}
	for name, text := range map[string]string{
		"newest first":                 strings.Join(newestFirst, "\n"),
		"an array":                     "[" + strings.Join(lines, ",") + "]",
		"an array over lines":          "[\n  " + strings.Join(lines, ",\n  ") + "\n]\n",
		"objects without a line break": strings.Join(lines, " "),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, stats := usesOf(t, memory("export", []byte(text)))
			if len(got) != len(want) || stats.Foreign > 0 {
				t.Fatalf("%d uses, %d foreign, want %d", len(got), stats.Foreign, len(want))
			}
			for i := range want {
				if !got[i].Time.Equal(want[i].Time) {
					t.Fatalf("use %d is of %s, want %s", i, got[i].Time, want[i].Time)
				}
			}
		})
	}
}

func TestAUseIsReadAsGitHubWritesIt(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1780315200123).UTC()
	tests := map[string]struct {
		entry string
		want  []Use
	}{
		"git": {`{"@timestamp":1780315200123,"action":"git.push","actor":"ci[bot]","org":"acme","repo":"acme/api","hashed_token":"aGk=","programmatic_access_type":"GitHub App server-to-server token","user_agent":"git/2"}`,
			[]Use{{Time: at, HashedToken: "aGk", Action: "git.push", Access: installationToken, Actor: "ci[bot]", Org: "acme", Repository: "acme/api", UserAgent: "git/2"}}},
		"the API": {`{"created_at":1780315200123,"action":"api.request","hashed_token":"aGk","request_method":"GET","route":"/repos/{owner}/{repo}","url_path":"/repos/a/b","status_code":200}`,
			[]Use{{Time: at, HashedToken: "aGk", Action: "api.request", Method: "GET", Route: "/repos/{owner}/{repo}", Path: "/repos/a/b", Status: 200}}},
		"a time as text":            {`{"created_at":"2026-06-01T12:00:00.123Z","action":"git.clone","hashed_token":"aGk"}`, []Use{{Time: at, HashedToken: "aGk", Action: "git.clone"}}},
		"a list of organizations":   {`{"@timestamp":1780315200123,"action":"git.clone","org":["acme","b"],"hashed_token":"aGk"}`, []Use{{Time: at, HashedToken: "aGk", Action: "git.clone", Org: "acme"}}},
		"not a person's token":      {`{"@timestamp":1780315200123,"action":"git.clone","hashed_token":"aGk","programmatic_access_type":"Fine-grained personal access token"}`, nil},
		"not what has no token":     {`{"@timestamp":1780315200123,"action":"repo.create"}`, nil},
		"not what has no time":      {`{"action":"git.clone","hashed_token":"aGk"}`, nil},
		"not what is no object":     {`[1,"x",null]`, nil},
		"what comes before rubbish": {`{"@timestamp":1780315200123,"action":"git.clone","hashed_token":"aGk"}{"@timest`, []Use{{Time: at, HashedToken: "aGk", Action: "git.clone"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _ := usesOf(t, memory("export", []byte(test.entry)))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMoreUsesThanFitInMemoryAreSorted(t *testing.T) {
	t.Parallel()
	s := newSorter(10)
	defer s.close()
	start := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for i := range 105 {
		n := i * 37 % 105
		if err := s.add(Use{Time: start.Add(time.Duration(n) * time.Second), Action: fmt.Sprint(n), Status: i % 2}); err != nil {
			t.Fatal(err)
		}
	}
	next := 0
	for use, err := range s.all() {
		if err != nil {
			t.Fatal(err)
		}
		if use.Action != fmt.Sprint(next) {
			t.Fatalf("use %d is %+v", next, use)
		}
		next++
	}
	if next != 105 {
		t.Errorf("%d uses, want 105", next)
	}
}

func TestServerLinesInBothFormats(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 1, 12, 0, 0, 500_000_000, time.UTC)
	issued := ServerLine{
		Time: at, Kind: ServerIssued, RequestID: "r1", Role: "ci", App: "default", Scope: "acme: api: contents=read",
		Subject: "a b=c", HashedToken: "aGk", TTL: 10 * time.Minute, ExpiresAt: at.Truncate(time.Second).Add(time.Hour),
	}
	tests := map[string]struct {
		line string
		want *ServerLine
	}{
		"standard":          {`2026-06-01T12:00:00.500Z [INFO]  secrets.vault-plugin-secrets-github.x: issued a token: request_id=r1 hashed_token="aGk=" role=ci app=default scope="acme: api: contents=read" subject="a b=c" ttl=10m0s expires_at=2026-06-01T13:00:00Z`, &issued},
		"json":              {`{"@level":"info","@message":"issued a token","@module":"secrets","@timestamp":"2026-06-01T12:00:00.500000Z","request_id":"r1","hashed_token":"aGk=","role":"ci","app":"default","scope":"acme: api: contents=read","subject":"a b=c","ttl":"10m0s","expires_at":"2026-06-01T13:00:00Z"}`, &issued},
		"another time zone": {`2026-06-01T14:00:00.500+0200 [INFO]  secrets.x: revoked a token: hashed_token=aGk role=ci app=default`, &ServerLine{Time: at, Kind: ServerRevoked, Role: "ci", App: "default", HashedToken: "aGk"}},
		"a failure":         {`2026-06-01T12:00:00.500Z [WARN]  secrets.x: could not revoke a token; Vault tries again: hashed_token=aGk error="GitHub answered 502"`, &ServerLine{Time: at, Kind: ServerRevokeFailed, HashedToken: "aGk", Error: "GitHub answered 502"}},
		"an expiry":         {`2026-06-01T12:00:00.500Z [INFO]  secrets.x: the token had expired before its lease was revoked: hashed_token=aGk`, &ServerLine{Time: at, Kind: ServerExpired, HashedToken: "aGk"}},
		"not a line of another module that quotes one": {`2026-06-01T12:00:00.500Z [INFO]  core: failed: error="x: revoked a token: hashed_token=aGk"`, nil},
		"not another line":    {`2026-06-01T12:00:00.500Z [INFO]  core: vault is unsealed`, nil},
		"not without a token": {`2026-06-01T12:00:00.500Z [INFO]  secrets.x: revoked a token: role=ci`, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := parseServerLine([]byte(test.line))
			switch {
			case ok != (test.want != nil):
				t.Errorf("read: %v, want %v", ok, test.want != nil)
			case ok:
				if diff := cmp.Diff(*test.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
