package main

import (
	"cmp"
	"fmt"
	"strings"
)

// aclPolicy is one of Vault's ACL policies.
type aclPolicy struct{ name, text string }

// policiesFor are those of the three kinds of people who use an engine: jobs,
// administrators, auditors. Jobs have one policy for each role that is named, or
// one for all roles.
//
// Only a job's reaches a token. Every path is spelled out: one that a later
// version of the engine adds is nobody's until it is named here.
func policiesFor(mount string, roles []string) []aclPolicy {
	var policies []aclPolicy
	for _, role := range roles {
		policies = append(policies, jobPolicy(mount, role))
	}
	if len(roles) == 0 {
		policies = append(policies, jobPolicy(mount, ""))
	}
	return append(policies,
		policyOf(mount, "admin", "Administrators of the engine at MOUNT/: all of it, but no tokens", adminPaths),
		policyOf(mount, "auditor", "Auditors of the engine at MOUNT/: see it all, change nothing, and no tokens", auditorPaths))
}

// jobPolicy is for jobs that get tokens of a role; of every role, if it is empty.
func jobPolicy(mount, role string) aclPolicy {
	kind, whose := "job", "every role of MOUNT/: let the roles say which job they are for"
	if role != "" {
		kind, whose = "job-"+role, "the role "+role
	}
	return policyOf(mount, kind, "Jobs that get tokens of "+whose, strings.ReplaceAll(jobPaths, "ROLE", cmp.Or(role, "*")))
}

func policyOf(mount, kind, title, paths string) aclPolicy {
	text := fmt.Sprintf("# %s. As vault-github setup writes it.\n%s", title, paths)
	return aclPolicy{
		name: strings.ToLower(strings.ReplaceAll(mount, "/", "-") + "-" + kind), // as Vault names them
		text: strings.ReplaceAll(text, "MOUNT", mount),
	}
}

// jobPaths: update is for clients that send a body, e.g. with their ID token.
// Vault's own policy default lets a job renew its leases and revoke itself.
const jobPaths = `path "MOUNT/token/ROLE" { capabilities = ["read", "update"] }
path "MOUNT/check/ROLE" { capabilities = ["update"] }
`

const adminPaths = `path "MOUNT/config" { capabilities = ["create", "read", "update", "delete", "list"] }
path "MOUNT/config/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "MOUNT/issuers/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "MOUNT/roles/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "MOUNT/limits" { capabilities = ["create", "read", "update", "delete"] }
path "MOUNT/check-claims/*" { capabilities = ["update"] }
path "MOUNT/status" { capabilities = ["read", "list"] }
path "MOUNT/status/*" { capabilities = ["read"] }
path "MOUNT/installations" { capabilities = ["read"] }
path "MOUNT/installations/*" { capabilities = ["read"] }
path "MOUNT/info" { capabilities = ["read"] }
path "MOUNT/metrics" { capabilities = ["read"] }
`

// auditorPaths: audit-hash tells how an audit device hashes a value that the
// auditor has. Leases are looked up without what they hold; Vault wants sudo for
// listing them.
const auditorPaths = `path "MOUNT/config" { capabilities = ["read", "list"] }
path "MOUNT/config/*" { capabilities = ["read", "list"] }
path "MOUNT/issuers/*" { capabilities = ["read", "list"] }
path "MOUNT/roles/*" { capabilities = ["read", "list"] }
path "MOUNT/limits" { capabilities = ["read"] }
path "MOUNT/status" { capabilities = ["read", "list"] }
path "MOUNT/status/*" { capabilities = ["read"] }
path "MOUNT/installations" { capabilities = ["read"] }
path "MOUNT/installations/*" { capabilities = ["read"] }
path "MOUNT/info" { capabilities = ["read"] }
path "MOUNT/metrics" { capabilities = ["read"] }
path "sys/audit-hash/*" { capabilities = ["update"] }
path "sys/leases/count" { capabilities = ["read"] }
path "sys/leases/lookup" { capabilities = ["update"], allowed_parameters = { "lease_id" = ["MOUNT/*"] } }
path "sys/leases/lookup/MOUNT/*" { capabilities = ["list", "sudo"] }
`
