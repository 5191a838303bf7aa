package githubsecrets

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/sdk/logical"
)

// writeTarget is a path that is written to, with a body that it takes.
type writeTarget struct {
	path string
	body map[string]any
	// readBack is whether what is read can be written.
	readBack bool
}

func writeTargets(e *engine) []writeTarget {
	return []writeTarget{
		{"roles/fuzzed", map[string]any{
			"organization": "acme", "repositories": "api", "permissions": "contents=read", "ttl": "10m",
		}, true},
		{"roles/fuzzed", map[string]any{
			"organization": "{{claims.repository_owner}}", "repository_ids": "{{claims.repository_id}}", "permissions": "contents=read",
			"bound_claims": map[string]any{"ref": "refs/heads/*"}, "bound_claims_type": "glob", "condition": `claims.ref == "x"`,
		}, true},
		{"config/fuzzed", map[string]any{
			"client_id": "Iv23", "private_key": e.app.PrivateKeyPEM(), "base_url": "https://github.example/api/v3",
		}, true},
		{"issuers/fuzzed", map[string]any{
			"mount_accessor": jwtAccessor, "user_claim": "repository", "stable_claims": "repository_id",
			"jwks_url": "https://ci.example/keys", "bound_issuer": "https://ci.example", "bound_audiences": "vault",
		}, true},
		{"limits", map[string]any{"max_ttl": "30m"}, true},
		{"check/ci", map[string]any{"repositories": "api", "permissions": "contents=read", "ttl": "5m"}, false},
		{"check-claims/ci", map[string]any{"claims": map[string]any{"ref": "x"}, "subject": "acme/api"}, false},
	}
}

// FuzzWrites gives every path that is written to, by an administrator or a job,
// bodies of which two fields are whatever JSON can be. None brings a 500, and what
// was taken can be read and written back without a change.
func FuzzWrites(f *testing.F) {
	for target := range uint8(7) {
		for i, value := range []string{`"a,b"`, `["a",null]`, `{"contents":"write"}`, `1e18`, `"500ms"`, `null`, `""`, `"{{claims.x}}"`, `true`} {
			f.Add(target, uint8(i), value, uint8(3*i+1), `"*"`)
		}
	}
	f.Fuzz(func(t *testing.T, which, first uint8, value string, second uint8, other string) {
		e := newReadyEngine(t)
		e.mustWriteRole("ci", nil)
		targets := writeTargets(e)
		target := targets[int(which)%len(targets)]
		body := maps.Clone(target.body)
		fields := slices.Sorted(maps.Keys(e.Route(target.path).Fields))
		for _, set := range []struct {
			field uint8
			json  string
		}{{first, value}, {second, other}} {
			var decoded any
			if json.Unmarshal([]byte(set.json), &decoded) != nil {
				t.Skip("not JSON")
			}
			body[fields[int(set.field)%len(fields)]] = decoded
		}
		if slices.Contains(fields, "verify") {
			body["verify"] = false // nothing is behind these URLs
		}
		e.fuzzWrite(target, body)
	})
}

func (e *engine) fuzzWrite(target writeTarget, body map[string]any) {
	e.t.Helper()
	a := e.do(e.t.Context(), logical.UpdateOperation, target.path, body)
	if a.status >= http.StatusInternalServerError || strings.Contains(e.log.String(), "panic") {
		e.t.Fatalf("%s %v: %d %s\n%s", target.path, body, a.status, a.err, e.log)
	}
	if a.status != http.StatusOK || !target.readBack {
		return
	}
	before := e.must(logical.ReadOperation, target.path, nil).Data
	back := maps.Clone(before)
	if slices.Contains(slices.Collect(maps.Keys(e.Route(target.path).Fields)), "verify") {
		back["verify"] = false
	}
	e.must(logical.UpdateOperation, target.path, back)
	after := e.must(logical.ReadOperation, target.path, nil).Data
	if diff := cmp.Diff(throughJSON(e.t, before), throughJSON(e.t, after)); diff != "" {
		e.t.Errorf("%s %v: written back, it changed:\n%s", target.path, body, diff)
	}
}
