package auditlogtest

import (
	"fmt"
	"time"
)

// printf writes one line of Vault's audit log.
func (w *writer) printf(format string, args ...any) {
	w.truth.Lines++
	if _, err := fmt.Fprintf(w.vault, format+"\n", args...); err != nil {
		w.err = err
	}
}

const authJSON = `"auth":{"accessor":"%[1]s","client_token":"%[2]s","display_name":"jwt-acme/%[3]s","entity_id":"1f9a1361-95c0-4891-da8f-5e7896bb90c1",` +
	`"metadata":{"event_name":"push","ref":"refs/heads/main","repository":"acme/%[3]s","role":"ci","run_id":"%[4]d"},"policies":["default","github-%[5]s"],` +
	`"policy_results":{"allowed":true,"granting_policies":[{"type":""},{"name":"github-%[5]s","namespace_id":"root","type":"acl"}]},` +
	`"token_policies":["default","github-%[5]s"],"token_issue_time":"2026-06-01T00:00:00Z","token_ttl":900,"token_type":"service"}`

const requestJSON = `"request":{"client_id":"1f9a1361-95c0-4891-da8f-5e7896bb90c1","client_token":"%[1]s","client_token_accessor":"%[2]s",` +
	`"headers":{"user-agent":["vault-github/0.1.0"]},"id":"%[3]s","mount_accessor":"%[4]s_37c460fb","mount_class":"%[5]s","mount_is_external_plugin":true,` +
	`"mount_point":"%[6]s","mount_running_sha256":"0fa5fde02e0f4b4181f1e7019054898b8359877a46159431e741907a19d5b45e","mount_running_version":"v0.1.0",` +
	`"mount_type":"%[4]s","namespace":{"id":"root"},"operation":"%[7]s","path":"%[8]s","remote_address":"10.0.%[9]d.7","remote_port":55858}`

func (w *writer) auth(j job) string {
	return fmt.Sprintf(authJSON, j.accessor, w.hmac("client"), j.repository, j.run, j.role)
}

// entry is one of the two entries about a request for a token.
func (w *writer) entry(kind string, j job, at time.Time, failure, answer string) {
	request := fmt.Sprintf(requestJSON, w.hmac("client"), j.accessor, w.id(j.number), "vault-plugin-secrets-github", "secret", "github/", "read",
		"github/token/"+j.role, j.number%250)
	if failure != "" {
		failure = `"error":"1 error occurred:\n\t* ` + failure + `\n\n",`
	}
	if answer != "" {
		answer = `,"response":{"data":` + answer + `,"mount_accessor":"vault-plugin-secrets-github_37c460fb","mount_class":"secret","mount_is_external_plugin":true,` +
			`"mount_point":"github/","mount_type":"vault-plugin-secrets-github","secret":{"lease_id":"` + w.lease(j) + `"}}`
	}
	w.printf(`{%s,%s%s%s,"time":"%s","type":"%s"}`, w.auth(j), failure, request, answer, stamp(at), kind)
}

func (w *writer) lease(j job) string {
	return "github/token/" + j.role + "/" + fmt.Sprintf("%024d", j.number)
}

const answerJSON = `{"app":"%[1]s","expires_at":"%[2]s","hashed_token":"%[3]s=","installation_id":1008,"organization":"%[1]s",` +
	`"permissions":{"contents":"%[1]s","metadata":"%[1]s"},"repositories":["%[1]s"],"repository_ids":[%[4]d],"repository_selection":"%[1]s",` +
	`"role":"%[5]s","scope":"%[6]s","subject":"acme/%[7]s","token":"%[1]s","ttl":600,"run_id":"%[8]d","workflow_ref":"acme/%[7]s/.github/workflows/ci.yml@refs/heads/main"}`

func (w *writer) answer(j job, at time.Time) string {
	return fmt.Sprintf(answerJSON, w.hmac("value"), stamp(at.Add(time.Hour).Truncate(time.Second)), j.token, 1000+j.number%300, j.role, w.scope(j), j.repository, j.run)
}

func (w *writer) revokeSelf(j job, at time.Time) {
	id := w.id(-1 - j.number)
	request := fmt.Sprintf(requestJSON, w.hmac("client"), j.accessor, id, "token", "auth", "auth/token/", "update", "auth/token/revoke-self", j.number%250)
	for _, kind := range []string{"request", "response"} {
		w.printf(`{%s,%s,"time":"%s","type":"%s"}`, w.auth(j), request, stamp(at), kind)
	}
}

// other is an entry of another engine.
func (w *writer) other(at time.Time) {
	n := w.chance.IntN(1 << 30)
	request := fmt.Sprintf(requestJSON, w.hmac("client"), w.hmac("accessor"), w.id(1<<40+n), "kv", "secret", "secret/", "read", fmt.Sprintf("secret/data/app-%d", n%1000), n%250)
	w.printf(`{%s,%s,"time":"%s","type":"request"}`, w.auth(job{accessor: w.hmac("accessor"), repository: "web", run: n, role: "kv"}), request, stamp(at))
}

// use is an entry of GitHub's audit log.
func (w *writer) use(at time.Time, token string, j job, action string) {
	detail := `"transport_protocol_name":"http"`
	if action == "api.request" {
		detail = fmt.Sprintf(`"request_method":"POST","route":"/repos/{owner}/{repo}/issues","url_path":"/repos/acme/%s/issues","status_code":201`, j.repository)
	}
	w.truth.Uses++
	if _, err := fmt.Fprintf(w.github, `{"@timestamp":%d,"action":"%s","actor":"ci-tokens[bot]","org":"acme","repo":"acme/%s","hashed_token":"%s=","token_id":%d,`+
		`"programmatic_access_type":"GitHub App server-to-server token","user_agent":"git/2.47.1",%s}`+"\n",
		at.UnixMilli(), action, j.repository, token, j.number, detail); err != nil {
		w.err = err
	}
}

func (w *writer) serverLine(at time.Time, message, fields string) {
	if _, err := fmt.Fprintf(w.server, "%s [INFO]  secrets.vault-plugin-secrets-github.vault-plugin-secrets-github_37c460fb: %s: %s\n",
		at.UTC().Format("2006-01-02T15:04:05.000Z0700"), message, fields); err != nil {
		w.err = err
	}
}
