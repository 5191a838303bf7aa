package flat

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func account() *ledger.Account {
	return &ledger.Account{
		Request: auditlog.Request{
			ID: "r1", Time: noon, Answered: noon.Add(time.Second), Outcome: auditlog.Issued, Mount: "github/", Role: "ci",
			Login: map[string]string{"repository": "acme/api", "ref": "of the login", "run_id": "1"},
			Grant: &auditlog.Grant{
				Repositories: []string{"api", "web"}, Permissions: map[string]string{"metadata": "read", "contents": "write"},
				Claims: map[string]string{"ref": "refs/heads/main", "run_id": "hmac-sha256:1"}, TTL: 600,
			},
		},
		Usage: ledger.Usage{Count: 2, First: noon, Last: noon},
	}
}

// TestTheColumnsAreThoseOfTheTags: CSV, JSON, Parquet and the documentation have
// the same columns in the same order.
func TestTheColumnsAreThoseOfTheTags(t *testing.T) {
	t.Parallel()
	row := reflect.TypeFor[Request]()
	var tags []string
	for i := range row.NumField() {
		name := row.Field(i).Tag.Get("json")
		if in, _, _ := strings.Cut(row.Field(i).Tag.Get("parquet"), ","); in != name {
			t.Errorf("%s is %s in JSON and %s in Parquet", row.Field(i).Name, name, in)
		}
		tags = append(tags, name)
	}
	if diff := cmp.Diff(tags, Columns()); diff != "" {
		t.Error(diff)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "audit-sql.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(tags, "needs", "actor", "route") {
		if !bytes.Contains(page, []byte("`"+name+"`")) {
			t.Errorf("docs/audit-sql.md does not document the column %s", name)
		}
	}
}

func TestARowIsTheAccount(t *testing.T) {
	t.Parallel()
	r := RequestOf(account())
	cells := map[string]string{}
	for i, name := range Columns() {
		cells[name] = r.Cells()[i]
	}
	for name, want := range map[string]string{
		"time": "2026-06-01T12:00:00Z", "answered": "2026-06-01T12:00:01Z", "ended": "", "outcome": "issued", "ttl": "600",
		"repositories": "api web", "permissions": "contents=write metadata=read", "uses": "2", "wrapped": "false",
		"job_ref":    "refs/heads/main", // of the ID token, before that of the login
		"job_run_id": "1",               // of the login, where Vault hashed that of the ID token
	} {
		if cells[name] != want {
			t.Errorf("%s is %q, want %q", name, cells[name], want)
		}
	}
}

func TestParquetHoldsWhatJSONDoes(t *testing.T) {
	t.Parallel()
	want := []Request{RequestOf(account()), RequestOf(&ledger.Account{Request: auditlog.Request{ID: "r2", Time: noon, Outcome: auditlog.Unanswered}})}
	var file bytes.Buffer
	w := parquet.NewGenericWriter[Request](&file)
	if _, err := w.Write(want); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := parquet.Read[Request](bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text(t, want), text(t, got)); diff != "" {
		t.Error(diff)
	}
}

func text(t *testing.T, rows []Request) string {
	t.Helper()
	encoded, err := json.MarshalIndent(rows, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}
