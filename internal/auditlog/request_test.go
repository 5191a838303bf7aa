package auditlog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReasonOf(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"permission denied":                "acl",
		"permission denied; invalid token": "acl",
		`role "ci": bound_claims ref: wanted "refs/heads/main", seen "x"; run a job whose claims fit`:  "policy",
		`role "ci": request permissions: wanted at most contents=read, seen issues=read; ask for less`: "policy",
		`the role "ci" is disabled; an administrator enables it with disabled=false`:                   "policy",
		`this Vault token has no entity; log in through the auth mount of the issuer "default"`:        "policy",
		`role "ci", App "default" on acme: create an installation token: GitHub answered 422: no`:      "github",
		`role "ci", App "default" on acme: create an installation token: Post "…": EOF`:                "github",
		"GitHub could not be reached several times in a row, so it was not asked":                      "github",
		`unknown parameter "permisions": this operation takes permissions`:                             "bad_request",
		`unknown role "nope"; vault list github/roles shows those that exist`:                          "bad_request",
		"hmac-sha256:00": "bad_request",
		"what is this":   "unknown",
	} {
		if got := ReasonOf(message); got != want {
			t.Errorf("%s: %s, want %s", message, got, want)
		}
	}
}

func TestWhatWasAskedIsReadWhereItIsReadable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		data, uri string
		want      Asked
	}{
		"nothing":                 {"", "", Asked{}},
		"a body":                  {`{"repositories":["api","web"],"permissions":{"contents":"read"},"ttl":600,"id_token":"hmac-sha256:1"}`, "", Asked{Repositories: []string{"api", "web"}, Permissions: map[string]string{"contents": "read"}, TTL: "600", IDToken: true}},
		"texts with commas":       {`{"repositories":"api,web","permissions":"contents=read,issues=write","ttl":"10m"}`, "", Asked{Repositories: []string{"api", "web"}, Permissions: map[string]string{"contents": "read", "issues": "write"}, TTL: "10m"}},
		"a query beside hashes":   {`{"permissions":"hmac-sha256:1","ttl":"hmac-sha256:2"}`, "/v1/github/token/ci?permissions=issues%3Dread&ttl=5m", Asked{Permissions: map[string]string{"issues": "read"}, TTL: "5m"}},
		"a query with two values": {"", "/v1/github/token/ci?permissions=a%3Dread&permissions=b%3Dwrite", Asked{Permissions: map[string]string{"a": "read", "b": "write"}}},
		"ids":                     {`{"repository_ids":[7,8]}`, "", Asked{RepositoryIDs: []string{"7", "8"}}},
		"what is hashed":          {`{"ttl":"hmac-sha256:2"}`, "", Asked{TTL: "hmac-sha256:2"}},
		"no object":               {`[1]`, "", Asked{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &entry{}
			e.Request.Data, e.Request.URI = []byte(test.data), test.uri
			if diff := cmp.Diff(test.want, asked(e)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAScopeSaysWhatVaultHashed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		grant, want Grant
	}{
		"all that is hashed": {
			Grant{Scope: "acme: api,web: contents=read,metadata=read", Organization: "hmac-sha256:1", Repositories: []string{"hmac-sha256:2"}, Selection: "hmac-sha256:3", Permissions: map[string]string{"contents": "hmac-sha256:4"}},
			Grant{Scope: "acme: api,web: contents=read,metadata=read", Organization: "acme", Repositories: []string{"api", "web"}, Selection: "selected", Permissions: map[string]string{"contents": "read", "metadata": "read"}},
		},
		"all repositories": {
			Grant{Scope: "acme: *: contents=read"},
			Grant{Scope: "acme: *: contents=read", Organization: "acme", Selection: "all", Permissions: map[string]string{"contents": "read"}},
		},
		"not what is readable": {
			Grant{Scope: "acme: api: contents=read", Organization: "Acme", Selection: "selected", Repositories: []string{"API"}, Permissions: map[string]string{"contents": "read"}},
			Grant{Scope: "acme: api: contents=read", Organization: "Acme", Selection: "selected", Repositories: []string{"API"}, Permissions: map[string]string{"contents": "read"}},
		},
		"not of what is no scope": {Grant{Scope: "hmac-sha256:1"}, Grant{Scope: "hmac-sha256:1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.grant.FillFromScope()
			if diff := cmp.Diff(test.want, test.grant); diff != "" {
				t.Error(diff)
			}
		})
	}
}
