package cli

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// people are whom vault-github setup writes policies for. The job's is for the
// role api-read.
var people = []string{"job-api-read", "admin", "auditor"}

// rights are every path of the engine, as Vault's OpenAPI document has them, and
// some of Vault's own: who may do what there. Everything that is not named is
// nobody's. Vault lets whoever may list names list below each name, where the
// engine has nothing.
var rights = map[string]map[string][]string{
	"token/api-read":        {"GET": {"job-api-read"}, "POST": {"job-api-read"}},
	"token/self":            {},
	"check/api-read":        {"POST": {"job-api-read"}},
	"check/self":            {},
	"check-claims/api-read": {"POST": {"admin"}},
	"config":                {"GET": {"admin", "auditor"}, "LIST": {"admin", "auditor"}, "POST": {"admin"}, "DELETE": {"admin"}},
	"config/other":          {"GET": {"admin", "auditor"}, "LIST": {"admin", "auditor"}, "POST": {"admin"}, "DELETE": {"admin"}},
	"issuers":               {"LIST": {"admin", "auditor"}},
	"issuers/other":         {"GET": {"admin", "auditor"}, "LIST": {"admin", "auditor"}, "POST": {"admin"}, "DELETE": {"admin"}},
	"roles":                 {"LIST": {"admin", "auditor"}},
	"roles/other":           {"GET": {"admin", "auditor"}, "LIST": {"admin", "auditor"}, "POST": {"admin"}, "DELETE": {"admin"}},
	"limits":                {"GET": {"admin", "auditor"}, "POST": {"admin"}, "DELETE": {"admin"}},
	"status":                {"GET": {"admin", "auditor"}, "LIST": {"admin", "auditor"}},
	"status/default":        {"GET": {"admin", "auditor"}},
	"installations":         {"GET": {"admin", "auditor"}},
	"installations/default": {"GET": {"admin", "auditor"}},
	"info":                  {"GET": {"admin", "auditor"}},
	"metrics":               {"GET": {"admin", "auditor"}},
}

// names are the values of the parameters in the paths of Vault's OpenAPI
// document.
var names = map[string][]string{
	"token/": {"api-read", "self"}, "check/": {"api-read", "self"}, "check-claims/": {"api-read"},
	"config/": {"other"}, "issuers/": {"other"}, "roles/": {"other"},
	"status/": {"default"}, "installations/": {"default"},
}

// TestPoliciesOfSetup tries everything there is, as everybody.
func TestPoliciesOfSetup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	setup := w.command(t.Context(), []string{"VAULT_TOKEN=" + vault.RootToken, "GITHUB_ACTIONS=", "VAULT_GITHUB_AUTH_ROLE="},
		"setup", "--apply", "--roles", "api-read")
	if out, err := setup.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%s", err, out)
	}
	for _, path := range w.announcedPaths() {
		if _, known := rights[path]; !known {
			t.Errorf("the engine has a path %s: say here whose it is", path)
		}
	}
	for _, person := range people {
		client := vault.Client(w.tokenFor(w.mount + "-" + person))
		for _, path := range slices.Sorted(maps.Keys(rights)) {
			for _, method := range []string{"LIST", "GET", "POST", "PATCH", "DELETE"} {
				a := client.Do(t, method, w.mount+"/"+path, map[string]any{}, "Content-Type", "application/merge-patch+json")
				may := slices.Contains(rights[path][method], person)
				if denied := deniedByPolicy(a); denied == may {
					t.Errorf("%s, %s %s: denied is %t: %d %s", person, method, path, denied, a.Status, a.Body)
				}
			}
		}
	}
}

// TestAuditorsPolicyReachesLeasesOfTheMountAndTheHashFunction, and nothing else
// of Vault's that a token or another's lease could be got by.
func TestAuditorsPolicyReachesLeasesOfTheMountAndTheHashFunction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	setup := w.command(t.Context(), []string{"VAULT_TOKEN=" + vault.RootToken, "GITHUB_ACTIONS=", "VAULT_GITHUB_AUTH_ROLE="}, "setup", "--apply")
	if out, err := setup.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%s", err, out)
	}
	auditor := vault.Client(w.tokenFor(w.mount + "-auditor"))
	lease := vault.Root().Post(t, w.mount+"/token/api-read", nil).Secret(t).LeaseID
	for _, test := range []struct {
		method, path string
		body         map[string]any
		want         int
	}{
		{"LIST", "sys/leases/lookup/" + w.mount + "/token/api-read", nil, http.StatusOK},
		{"LIST", "sys/leases/lookup/auth/" + w.auth + "/login", nil, http.StatusForbidden},
		{"POST", "sys/leases/lookup", map[string]any{"lease_id": lease}, http.StatusOK},
		{"POST", "sys/leases/lookup", map[string]any{"lease_id": "auth/token/create/x"}, http.StatusForbidden},
		{"POST", "sys/leases/lookup/auth/token/create/x", map[string]any{"lease_id": lease}, http.StatusForbidden},
		{"GET", "sys/leases/count?type=irrevocable", nil, http.StatusOK},
		{"POST", "sys/audit-hash/file", map[string]any{"input": "a value"}, http.StatusOK},
		{"POST", "sys/leases/revoke", map[string]any{"lease_id": lease}, http.StatusForbidden},
		{"POST", "sys/leases/revoke-prefix/" + w.mount + "/token", nil, http.StatusForbidden},
		{"GET", "sys/audit", nil, http.StatusForbidden},
		{"POST", "sys/mounts/" + w.mount + "/tune", map[string]any{"audit_non_hmac_response_keys": []string{"token"}}, http.StatusForbidden},
	} {
		var body any
		if test.body != nil {
			body = test.body
		}
		if a := auditor.Do(t, test.method, test.path, body); a.Status != test.want {
			t.Errorf("%s %s %v: %d, want %d: %s", test.method, test.path, test.body, a.Status, test.want, a.Body)
		} else if strings.Contains(string(a.Body), "ghs_") {
			t.Errorf("%s %s shows a token", test.method, test.path)
		}
	}
	config := auditor.Get(t, w.mount+"/config").Secret(t)
	if _, shown := config.Data["private_key"]; shown || config.Data["fingerprint"] == nil {
		t.Errorf("the auditor sees of the App: %v", slices.Collect(maps.Keys(config.Data)))
	}
}

// tokenFor makes a Vault token that has one policy, without default.
func (w *world) tokenFor(policy string) string {
	w.t.Helper()
	created := vault.Root().Post(w.t, "auth/token/create", map[string]any{"policies": []string{policy}, "no_default_policy": true})
	return created.Secret(w.t).Auth.ClientToken
}

// deniedByPolicy tells a refusal of Vault's own ACL from those of the engine.
func deniedByPolicy(a vaulttest.Answer) bool {
	return a.Status == http.StatusForbidden && strings.Contains(a.Errors(), "permission denied")
}

var parameter = regexp.MustCompile(`\{\w+\}`)

// announcedPaths are the engine's, as Vault's OpenAPI document has them, with
// names in the place of their parameters.
func (w *world) announcedPaths() []string {
	w.t.Helper()
	var document struct{ Paths map[string]any }
	if err := json.Unmarshal(vault.Root().Get(w.t, "sys/internal/specs/openapi").Body, &document); err != nil {
		w.t.Fatal(err)
	}
	var paths []string
	for path := range document.Paths {
		below, ours := strings.CutPrefix(path, "/"+w.mount+"/")
		if !ours {
			below, ours = strings.CutPrefix(path, "/{"+w.mount+"_mount_path}/")
		}
		if !ours {
			continue
		}
		prefix := strings.TrimSuffix(parameter.ReplaceAllString(below, ""), "/")
		if !strings.Contains(below, "{") {
			paths = append(paths, prefix)
			continue
		}
		given := names[prefix+"/"]
		if given == nil {
			given = []string{"x"}
		}
		for _, name := range given {
			paths = append(paths, prefix+"/"+name)
		}
	}
	if len(paths) < 10 {
		w.t.Fatalf("Vault's OpenAPI document has only %q of the engine", paths)
	}
	return paths
}
