package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// leaves are the values of an entry by their dotted paths. A list is one value.
func leaves(prefix string, value any) map[string]any {
	object, is := value.(map[string]any)
	if !is {
		return map[string]any{strings.TrimSuffix(prefix, "."): value}
	}
	found := map[string]any{}
	for key, below := range object {
		maps.Copy(found, leaves(prefix+key+".", below))
	}
	return found
}

// standsAs says whether Vault hashed a value.
func standsAs(value any) string {
	if list, is := value.([]any); is && len(list) > 0 {
		value = list[0]
	}
	if text, is := value.(string); is && strings.HasPrefix(text, "hmac-sha256:") {
		return hashed
	}
	return plain
}

// check holds a pair of entries to what the page says of a field.
func (f field) check(pair map[string]entry, tuned bool) error {
	for _, kind := range f.entries {
		seen := 0
		for path, value := range leaves("", map[string]any(pair[kind])) {
			if !f.matches(path) {
				continue
			}
			seen++
			if got := standsAs(value); got != f.as(tuned) {
				return fmt.Errorf("%s in the %s entry, tuned %t: it is %s, the page says %s", path, kind, tuned, got, f.as(tuned))
			}
		}
		if seen == 0 {
			return fmt.Errorf("%s is not in the %s entry, tuned %t", f.pattern, kind, tuned)
		}
	}
	return nil
}

// untune takes back what vault-github setup has tuned.
func (w *world) untune() {
	w.t.Helper()
	w.write("sys/mounts/"+w.mount+"/tune", map[string]any{"audit_non_hmac_response_keys": "", "audit_non_hmac_request_keys": ""})
}

// eachTuning runs a test in a world as set up, and in one whose mount nobody has
// tuned.
func eachTuning(t *testing.T, test func(t *testing.T, w *world, tuned bool)) {
	for _, tuned := range []bool{true, false} {
		t.Run(fmt.Sprintf("tuned %t", tuned), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if !tuned {
				w.untune()
			}
			test(t, w, tuned)
		})
	}
}

// pairs are the two entries of the newest request for a path, from each device.
func pairs(t *testing.T, path string) []map[string]entry {
	t.Helper()
	var all []map[string]entry
	for _, d := range devices {
		request, response := d.pair(t, path)
		all = append(all, map[string]entry{"request": request, "response": response})
	}
	return all
}

// TestEveryFieldOfAnIssuanceIsAsThePageSays holds the page to real entries, and
// real entries to the page: it names every field.
func TestEveryFieldOfAnIssuanceIsAsThePageSays(t *testing.T) {
	t.Parallel()
	var fields []field
	for _, cells := range tableOf(t, "fields: issuance") {
		fields = append(fields, parseField(t, cells))
	}
	eachTuning(t, func(t *testing.T, w *world, tuned bool) {
		w.job(nil).token("self", map[string]any{
			"repositories": "api", "permissions": map[string]string{"contents": "read"}, "ttl": "5m",
		})
		for _, pair := range pairs(t, w.mount+"/token/self") {
			for _, f := range fields {
				if err := f.check(pair, tuned); err != nil {
					t.Error(err)
				}
			}
			for _, kind := range []string{"request", "response"} {
				for path := range leaves("", map[string]any(pair[kind])) {
					if !slices.ContainsFunc(fields, func(f field) bool { return f.matches(path) }) {
						t.Errorf("the page does not name %s", path)
					}
				}
			}
		}
	})
}

// TestDevicesHashAlikeWithinOneAndNotAcross is why hashed values of two devices
// cannot be compared.
func TestDevicesHashAlikeWithinOneAndNotAcross(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	j := w.job(nil)
	seen := map[string]string{}
	for range 2 {
		j.token("api-read", nil)
		for _, d := range devices {
			request, response := d.pair(t, w.mount+"/token/api-read")
			accessor := response.text("auth", "accessor")
			if accessor == "" || accessor != request.text("request", "client_token_accessor") {
				t.Errorf("%s: the accessor is %q in one place and %q in another", d.path, accessor, request.text("request", "client_token_accessor"))
			}
			if other, known := seen[accessor]; known && other != d.path {
				t.Errorf("%s and %s hash alike", d.path, other)
			}
			seen[accessor] = d.path
		}
	}
	if len(seen) != len(devices) {
		t.Errorf("%d devices have %d hashes of one accessor", len(devices), len(seen))
	}
}

// others are the requests that do not end with a token in the log, as the page
// names them; each returns the path that was asked for.
var others = map[string]func(w *world) (path string){
	"a rule refuses": func(w *world) string {
		w.job(map[string]any{"ref": "refs/heads/feature"}).ask("self", nil)
		return w.mount + "/token/self"
	},
	"the request is wrong": func(w *world) string {
		w.job(nil).ask("self", map[string]any{"permision": "contents=read"})
		return w.mount + "/token/self"
	},
	"Vault's policy denies": func(w *world) string {
		w.writeJWTRole("default")
		w.job(nil).ask("self", nil)
		return w.mount + "/token/self"
	},
	"the answer is wrapped": func(w *world) string {
		w.job(nil).Do(w.t, "GET", w.mount+"/token/api-read", nil, "X-Vault-Wrap-TTL", "60s").Secret(w.t)
		return w.mount + "/token/api-read"
	},
	"a query narrows": func(w *world) string {
		w.job(nil).Get(w.t, w.mount+"/token/api-read?repositories=api&permissions=contents%3Dread").Secret(w.t)
		return w.mount + "/token/api-read"
	},
	"a lease is renewed": func(w *world) string {
		j := w.job(nil)
		lease := j.token("api-read", map[string]any{"ttl": "60s"}).LeaseID
		w.expect(j.Post(w.t, "sys/leases/renew", map[string]any{"lease_id": lease, "increment": "60s"}))
		return "sys/leases/renew"
	},
	"a lease is revoked by a body": func(w *world) string {
		lease := w.job(nil).token("api-read", nil).LeaseID
		w.write("sys/leases/revoke", map[string]any{"lease_id": lease})
		return "sys/leases/revoke"
	},
	"a wrapped answer is unwrapped": func(w *world) string {
		wrapped := w.job(nil).Do(w.t, "GET", w.mount+"/token/api-read", nil, "X-Vault-Wrap-TTL", "60s").Secret(w.t)
		vault.Client(wrapped.WrapInfo.Token).Post(w.t, "sys/wrapping/unwrap", nil).Secret(w.t)
		return "sys/wrapping/unwrap"
	},
}

// TestEveryFieldOfOtherRequestsIsAsThePageSays is not parallel with itself: what
// is below sys/ is everybody's.
func TestEveryFieldOfOtherRequestsIsAsThePageSays(t *testing.T) {
	rows := map[string][]field{}
	for _, cells := range tableOf(t, "fields: others") {
		rows[cells[0]] = append(rows[cells[0]], parseField(t, cells[1:]))
	}
	for name := range rows {
		if others[name] == nil {
			t.Errorf("the page tells of a request when %q, which is not tried here", name)
		}
	}
	for name, do := range others {
		if rows[name] == nil {
			t.Errorf("the page does not tell of a request when %q", name)
		}
		for _, tuned := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, tuned %t", name, tuned), func(t *testing.T) {
				w := newWorld(t)
				if !tuned {
					w.untune()
				}
				path := do(w)
				for _, pair := range pairs(t, path) {
					for _, f := range rows[name] {
						if err := f.check(pair, tuned); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
	}
}
