package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/githubtest"
	"vault-plugin-secrets-github/internal/oidctest"
)

// identifiedJob is a job that has logged in, and still holds its ID token.
type identifiedJob struct {
	*vaulttest.Client
	idToken string
}

// newIdentityWorld is a world whose engine verifies ID tokens. The role release
// is for pushes to main, for the repository that the job is of.
func newIdentityWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.writeJWTRole("ci", map[string]any{
		"bound_claims":   map[string]any{"repository_owner": "acme"},
		"claim_mappings": map[string]string{"ref": "ref", "event_name": "event_name", "run_id": "run_id"},
	})
	w.writeIssuer(nil)
	w.writeRole("release", map[string]any{
		"repositories": []string{"{{claims.repository}}"},
		"bound_claims": map[string]any{"ref": "refs/heads/main", "event_name": "push"},
	})
	return w
}

// writeIssuer lets the engine verify the ID tokens of the world's issuer.
func (w *world) writeIssuer(fields map[string]any) {
	w.t.Helper()
	issuer := map[string]any{
		"mount_accessor": w.accessor(), "user_claim": "repository",
		"oidc_discovery_url": w.issuer.URL, "bound_issuer": w.issuer.URL, "bound_audiences": "vault",
	}
	maps.Copy(issuer, fields)
	w.write(w.path("issuers/default"), issuer)
}

// accessor is the one of the auth mount.
func (w *world) accessor() string {
	w.t.Helper()
	accessor, _ := w.root.Get(w.t, "sys/auth/"+w.auth).Secret(w.t).Data["accessor"].(string)
	return accessor
}

// identify is login for a job that keeps its ID token.
func (w *world) identify(claims map[string]any) identifiedJob {
	w.t.Helper()
	idToken := w.issuer.Sign(oidctest.GitHubActionsClaims(claims))
	login := vault.Client("").Post(w.t, "auth/"+w.auth+"/login", map[string]any{"role": "ci", "jwt": idToken})
	return identifiedJob{vault.Client(login.Secret(w.t).Auth.ClientToken), idToken}
}

// present asks for a token of a role, and presents an ID token if there is one.
func (w *world) present(job identifiedJob, role, idToken string) vaulttest.Answer {
	w.t.Helper()
	body := map[string]any{}
	if idToken != "" {
		body["id_token"] = idToken
	}
	return job.Post(w.t, w.path("token/"+role), body)
}

// ofPullRequest are the claims in which a job of a pull request differs from one
// of a push to main.
func ofPullRequest(runID string) map[string]any {
	return map[string]any{
		"sub": "repo:acme/api:pull_request", "ref": "refs/pull/7/merge", "event_name": "pull_request", "run_id": runID,
	}
}

// Two jobs of one repository share an alias in Vault, whose metadata is what the
// last login wrote. Neither may be taken for the other.
func TestConfusedDeputy(t *testing.T) {
	t.Parallel()
	for name, issuer := range map[string]map[string]any{
		"claims unknown without ID token":   nil,
		"claims wrongly declared as stable": {"stable_claims": "ref,event_name,run_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newIdentityWorld(t)
			w.writeIssuer(issuer)
			const rounds = 100
			for round := range rounds {
				w.confuse(round)
			}
			w.wantMinted(rounds)
		})
	}
}

// confuse lets a job of main and one of a pull request log in, in turns one or
// the other last, and ask in every way that is open to them.
func (w *world) confuse(round int) {
	w.t.Helper()
	runID := fmt.Sprintf("main-%d", round)
	onMain := func() identifiedJob { return w.identify(map[string]any{"run_id": runID}) }
	onPullRequest := func() identifiedJob { return w.identify(ofPullRequest(fmt.Sprintf("pull-%d", round))) }
	var main, pull identifiedJob
	if round%2 == 0 {
		main, pull = onMain(), onPullRequest()
		w.wantAliasMetadata("pull_request")
	} else {
		pull, main = onPullRequest(), onMain()
		w.wantAliasMetadata("push")
	}
	wantError(w.t, w.present(pull, "release", ""), http.StatusForbidden, "event_name", "present the job's ID token")
	wantError(w.t, w.present(pull, "release", pull.idToken), http.StatusForbidden, "event_name", `"pull_request"`)
	wantError(w.t, w.present(main, "release", ""), http.StatusForbidden, "event_name", "present the job's ID token")

	answer := w.present(main, "release", main.idToken).Secret(w.t).Data
	for claim, want := range map[string]any{"ref": "refs/heads/main", "event_name": "push", "run_id": runID, "subject": "acme/api"} {
		if answer[claim] != want {
			w.t.Errorf("the job of main was seen with %s=%v, not %v", claim, answer[claim], want)
		}
	}
}

// wantAliasMetadata checks whose claims Vault remembers: without this the test
// could not fail.
func (w *world) wantAliasMetadata(eventName string) {
	w.t.Helper()
	entity := w.root.Post(w.t, "identity/lookup/entity", map[string]any{
		"alias_name": "acme/api", "alias_mount_accessor": w.accessor(),
	}).Secret(w.t)
	metadata := entity.Data["aliases"].([]any)[0].(map[string]any)["metadata"].(map[string]any)
	if metadata["event_name"] != eventName {
		w.t.Fatalf("Vault remembers event_name=%v, not %s", metadata["event_name"], eventName)
	}
}

// Where the alias name is a composite subject, a claim that stands in it is the
// same for every job of the alias, and needs no ID token.
func TestClaimThatStandsInTheSubjectNeedsNoIDToken(t *testing.T) {
	t.Parallel()
	w := newIdentityWorld(t)
	w.writeJWTRole("ci", map[string]any{
		"user_claim": "sub", "claim_mappings": map[string]string{"ref": "ref", "event_name": "event_name"},
	})
	w.writeIssuer(map[string]any{"user_claim": "sub", "stable_claims": "ref,event_name"})
	w.writeRole("main", map[string]any{"bound_claims": map[string]any{"ref": "refs/heads/main"}})
	w.writeRole("push", map[string]any{"bound_claims": map[string]any{"event_name": "push"}})

	main, pull := w.identify(nil), w.identify(ofPullRequest("1"))
	if subject := w.present(main, "main", "").Secret(t).Data["subject"]; subject != "repo:acme/api:ref:refs/heads/main" {
		t.Errorf("subject: %v", subject)
	}
	wantError(t, w.present(pull, "main", ""), http.StatusForbidden, "bound_claims ref")
	wantError(t, w.present(main, "push", ""), http.StatusForbidden, "bound_claims event_name", "present the job's ID token")
	w.wantMinted(1)
}

func TestStolenIDTokenIsRefusedFromAnotherRepository(t *testing.T) {
	t.Parallel()
	w := newIdentityWorld(t)
	main := w.identify(nil)
	thief := w.identify(map[string]any{"sub": "repo:acme/web:pull_request", "repository": "acme/web", "event_name": "pull_request"})
	wantError(t, w.present(thief, "release", main.idToken), http.StatusForbidden, "not this caller's", `"acme/api"`, `"acme/web"`)
	w.wantMinted(0)
}

func TestForgedIDTokensAreRefused(t *testing.T) {
	t.Parallel()
	w := newIdentityWorld(t)
	job := w.identify(nil)
	foreign := oidctest.New(t) // its key has the same kid
	rotated := oidctest.New(t)
	rotated.RotateKey()
	payload := strings.Split(job.idToken, ".")[1]
	signed := func(issuer *oidctest.Issuer, claims map[string]any) string {
		all := oidctest.GitHubActionsClaims(nil)
		maps.Copy(all, claims)
		return issuer.Sign(all)
	}
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	for name, test := range map[string]struct{ idToken, says string }{
		"another audience":                {signed(w.issuer, map[string]any{"aud": "elsewhere"}), `"elsewhere"`},
		"no audience":                     {signed(w.issuer, map[string]any{"aud": nil}), "aud"},
		"expired":                         {signed(w.issuer, map[string]any{"iat": ago(time.Hour), "nbf": ago(time.Hour), "exp": ago(30 * time.Minute)}), "expired"},
		"not yet valid":                   {signed(w.issuer, map[string]any{"nbf": ago(-time.Hour), "exp": ago(-2 * time.Hour)}), "not before"},
		"never expires":                   {signed(w.issuer, map[string]any{"exp": nil}), "exp"},
		"another issuer, same sub":        {signed(foreign, nil), "no key of the issuer"},
		"another issuer under our name":   {signed(foreign, map[string]any{"iss": w.issuer.URL}), "no key of the issuer"},
		"our key, another issuer's name":  {signed(w.issuer, map[string]any{"iss": foreign.URL}), foreign.URL},
		"unknown kid":                     {signed(rotated, map[string]any{"iss": w.issuer.URL}), "no key of the issuer"},
		"alg none":                        {unsigned(payload), `"none"`},
		"HS256 with the public key":       {signedHS256(payload, w.issuer.PublicKeyPEM()), `"HS256"`},
		"payload under another signature": {grafted(job.idToken, signed(w.issuer, ofPullRequest("1"))), "no key of the issuer"},
		"not a JWT":                       {"x", "not a signed JWT"},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.in(t)
			wantError(t, w.present(job, "release", test.idToken), http.StatusForbidden, "id_token", test.says)
		})
	}
	w.wantMinted(0)
	if answer := w.present(job, "release", job.idToken); answer.Status != http.StatusOK {
		t.Errorf("the genuine one: %d %s", answer.Status, answer.Errors())
	}
}

// unsigned is a payload without a signature, as RFC 7515 has it for alg=none.
func unsigned(payload string) string { return jwtHeader("none") + "." + payload + "." }

// signedHS256 takes the issuer's public key for the secret of a MAC.
func signedHS256(payload, publicKey string) string {
	input := jwtHeader("HS256") + "." + payload
	mac := hmac.New(sha256.New, []byte(publicKey))
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func jwtHeader(algorithm string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":%q,"typ":"JWT","kid":"1"}`, algorithm))
}

// grafted has the payload of one ID token and the signature of another.
func grafted(payload, signature string) string {
	parts := strings.Split(payload, ".")
	return parts[0] + "." + parts[1] + "." + strings.Split(signature, ".")[2]
}

func TestIDTokenInAQueryStringIsRefused(t *testing.T) {
	t.Parallel()
	w := newIdentityWorld(t)
	job := w.identify(nil)
	for _, path := range []string{"token/release", "token/api-read"} {
		a := job.Get(t, w.path(path)+"?id_token="+job.idToken)
		wantError(t, a, http.StatusBadRequest, "query string", "audit log", "body of a write", "X-CI-Id-Token")
	}
	out := job.CLI(t, "read", w.path("token/release"), "id_token="+job.idToken)
	if out.Code != 2 || !strings.Contains(out.Stderr, "audit log") {
		t.Errorf("vault read ended with %d: %s", out.Code, out.Stderr)
	}
	w.wantMinted(0)
}

func TestIDTokenInAHeaderThatTheMountPasses(t *testing.T) {
	t.Parallel()
	const header = "X-CI-Id-Token"
	w := newIdentityWorld(t)
	main, pull := w.identify(nil), w.identify(ofPullRequest("1"))
	ask := func(idToken string, body any) vaulttest.Answer {
		method := http.MethodGet
		if body != nil {
			method = http.MethodPost
		}
		return main.Do(t, method, w.path("token/release"), body, header, idToken)
	}
	wantError(t, ask(main.idToken, nil), http.StatusForbidden, "present the job's ID token")

	w.write("sys/mounts/"+w.mount+"/tune", map[string]any{"passthrough_request_headers": []string{header}})
	if answer := ask(main.idToken, nil).Secret(t); answer.Data["event_name"] != "push" {
		t.Errorf("the ID token of the header was not used: %v", answer.Data)
	}
	wantError(t, ask(pull.idToken, nil), http.StatusForbidden, "event_name", `"pull_request"`)
	wantError(t, ask(main.idToken, map[string]any{"id_token": pull.idToken}), http.StatusBadRequest, "different ID tokens")
	for _, entry := range vault.Audit(t, w.path("token/release")) {
		if strings.Contains(fmt.Sprint(entry), main.idToken) {
			t.Error("the audit log holds the ID token")
		}
	}
}

func TestKillSwitchesActOnTheNextRequestAndOnRenewals(t *testing.T) {
	t.Parallel()
	for what, path := range map[string]string{"role": "roles/release", "issuer": "issuers/default", "App": "config"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newIdentityWorld(t)
			job := w.identify(nil)
			lease := map[string]any{"lease_id": w.present(job, "release", job.idToken).Secret(t).LeaseID}
			disable := func(yes bool) { w.write(w.path(path), map[string]any{"disabled": yes}) }

			disable(true)
			wantError(t, w.present(job, "release", job.idToken), http.StatusForbidden, what, "is disabled")
			renewal := job.Post(t, "sys/leases/renew", lease)
			wantError(t, renewal, renewal.Status, what, "is disabled", "cannot be renewed")
			if renewal.Status < http.StatusBadRequest {
				t.Errorf("the lease was renewed: %s", renewal.Body)
			}

			disable(false)
			w.present(job, "release", job.idToken).Secret(t)
			job.Post(t, "sys/leases/renew", lease).Secret(t)
			w.wantMinted(2)
		})
	}
}

// The other side is often the reason for it, and may not answer.
func TestKillSwitchesWorkWhileTheOtherSideIsDown(t *testing.T) {
	t.Parallel()
	w := newIdentityWorld(t)
	job := w.identify(nil)
	w.present(job, "release", job.idToken).Secret(t)
	w.issuer.Close()
	w.github.Inject(githubtest.Fault{Match: "GET /app", Status: http.StatusServiceUnavailable})

	w.write(w.path("issuers/default"), map[string]any{"disabled": true})
	wantError(t, w.present(job, "release", job.idToken), http.StatusForbidden, "issuer", "is disabled")
	w.write(w.path("config"), map[string]any{"disabled": true})
	wantError(t, w.present(job, "api-read", ""), http.StatusForbidden, "App", "is disabled")
	w.wantMinted(1)
}

func TestLimitsBindRolesWrittenBeforeAndAfterThem(t *testing.T) {
	t.Parallel()
	w := newIdentityWorld(t)
	job := w.identify(nil)
	fields := map[string]any{
		"organization": "acme", "repositories": []string{"api"}, "permissions": map[string]string{"contents": "write"}, "ttl": "10m",
		"bound_claims": map[string]any{"repository": "acme/api"},
	}
	w.writeRole("before", fields)
	for name, limits := range map[string]map[string]any{
		"permissions":   {"permissions": map[string]string{"contents": "read", "issues": "write"}},
		"organizations": {"organizations": []string{"octocat"}},
		"repositories":  {"denied_repositories": []string{"acme/API"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.in(t)
			w.root.Delete(t, w.path("limits"))
			written := w.root.Post(t, w.path("limits"), limits).Secret(t)
			if len(written.Warnings) != 1 || !strings.Contains(written.Warnings[0], "before") {
				t.Errorf("no warning of the role that exceeds the limits: %q", written.Warnings)
			}
			wantError(t, w.present(job, "before", job.idToken), http.StatusForbidden, "limits "+name)
			wantError(t, w.root.Post(t, w.path("roles/after"), fields), http.StatusBadRequest, "limits "+name)
		})
	}
	w.wantMinted(0)

	w.root.Delete(t, w.path("limits"))
	w.write(w.path("limits"), map[string]any{"max_ttl": "2m", "require_id_token": true})
	wantError(t, w.present(job, "api-read", ""), http.StatusForbidden, "require_id_token")
	if lease := w.present(job, "before", job.idToken).Secret(t).LeaseDuration; lease > 120 {
		t.Errorf("the lease lasts %d s, longer than the limit of 120", lease)
	}
}

// A repository that is denied by its id must not be had by its name.
func TestRepositoryDeniedByIDCannotBeHadByName(t *testing.T) {
	t.Parallel()
	w := newIdentityWorld(t)
	w.write(w.path("limits"), map[string]any{"denied_repositories": []string{fmt.Sprint(w.repositories["api"].ID)}})
	wantError(t, w.job().Get(t, w.path("token/api-read")), http.StatusForbidden, "limits repositories", "api")
	w.awaitLiveTokens(0)
}

func TestRequestsNarrowARoleByReadAndByWrite(t *testing.T) {
	t.Parallel()
	w := newIdentityWorld(t)
	w.writeRole("wide", map[string]any{
		"repositories": []string{"api", "web"},
		"permissions":  map[string]string{"contents": "write", "issues": "write"},
	})
	job := w.job()
	path := w.path("token/wide")
	query := url.Values{"repositories": {"web"}, "permissions": {"contents=read"}, "ttl": {"60s"}}
	for name, ask := range map[string]func() vaulttest.Answer{
		"read": func() vaulttest.Answer { return job.Get(t, path+"?"+query.Encode()) },
		"write": func() vaulttest.Answer {
			return job.Post(t, path, map[string]any{
				"repositories": []string{"web"}, "permissions": map[string]string{"contents": "read"}, "ttl": 60,
			})
		},
		"by id": func() vaulttest.Answer {
			return job.Post(t, path, map[string]any{
				"repository_ids": []int64{w.repositories["web"].ID}, "permissions": "contents=read", "ttl": "1m",
			})
		},
	} {
		secret := ask().Secret(t)
		if secret.Data["scope"] != "acme: web: contents=read,metadata=read" || secret.LeaseDuration != 60 {
			t.Errorf("%s: %s for %d s", name, secret.Data["scope"], secret.LeaseDuration)
		}
	}
	out := job.CLI(t, "read", "-field=scope", path, "repositories=web", "permissions=contents=read", "ttl=60s")
	if out.Stdout != "acme: web: contents=read,metadata=read" {
		t.Errorf("vault read: %s%s", out.Stdout, out.Stderr)
	}
	for outside, says := range map[string]string{
		"repositories=secret-plans":                  "secret-plans",
		"repositories=other/web":                     "other/web",
		"permissions=contents%3Dadmin":               "contents=admin",
		"permissions=pull_requests%3Dread":           "pull_requests=read",
		"ttl=1h":                                     "1h0m0s",
		"repositories=web&repositories=secret-plans": "secret-plans",
		fmt.Sprintf("repository_ids=%d", w.repositories["secret-plans"].ID): fmt.Sprint(w.repositories["secret-plans"].ID),
	} {
		a := job.Get(t, path+"?"+outside)
		if a.Status != http.StatusForbidden && a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", outside, a.Status)
		}
		wantError(t, a, a.Status, says)
	}
	w.awaitLiveTokens(4)
}

func TestTokenWithoutEntityIsRefusedForABoundRole(t *testing.T) {
	t.Parallel()
	w := newIdentityWorld(t)
	idToken := w.identify(nil).idToken
	root := identifiedJob{w.root, ""}
	wantError(t, w.present(root, "release", ""), http.StatusForbidden, "no entity")
	wantError(t, w.present(root, "release", idToken), http.StatusForbidden, "no entity")
	w.wantMinted(0)
}

func TestEntityThatLeavesItOpenWhoAsksIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(w *world, entityID string)
		says   string
	}{
		"entity disabled": {
			func(w *world, id string) { w.write("identity/entity/id/"+id, map[string]any{"disabled": true}) }, "permission denied",
		},
		"issuer of another mount": {
			func(w *world, _ string) { w.writeIssuer(map[string]any{"mount_accessor": "auth_jwt_00000000"}) }, "no alias",
		},
		"issuer deleted": {
			func(w *world, _ string) { w.root.Delete(w.t, w.path("issuers/default")) }, "not configured",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newIdentityWorld(t)
			job := w.identify(nil)
			self := job.Get(t, "auth/token/lookup-self").Secret(t)
			test.change(w, self.Data["entity_id"].(string))
			a := w.present(job, "release", job.idToken)
			if a.Status != http.StatusForbidden && a.Status != http.StatusBadRequest {
				t.Errorf("Vault answered %d", a.Status)
			}
			wantError(t, a, a.Status, test.says)
			w.wantMinted(0)
		})
	}
}

// A job's policy names two paths. What it is not given, it cannot do.
func TestPolicyOfOneRole(t *testing.T) {
	t.Parallel()
	w := newIdentityWorld(t)
	w.restrictJobsTo("release")
	job := w.identify(nil)
	w.present(job, "release", job.idToken).Secret(t)
	if allowed := job.Post(t, w.path("check/release"), map[string]any{"id_token": job.idToken}).Secret(t).Data["allowed"]; allowed != true {
		t.Errorf("check/release: allowed=%v", allowed)
	}
	for _, path := range []string{"token/api-read", "check/api-read", "check-claims/release", "roles/release", "issuers/default", "limits", "config"} {
		wantError(t, job.Post(t, w.path(path), map[string]any{}), http.StatusForbidden, "permission denied")
		wantError(t, job.Get(t, w.path(path)), http.StatusForbidden, "permission denied")
	}
	w.wantMinted(1)
}

// restrictJobsTo lets jobs ask for tokens of one role, and why not.
func (w *world) restrictJobsTo(role string) {
	w.t.Helper()
	w.write("sys/policies/acl/"+w.auth, map[string]any{"policy": fmt.Sprintf(
		`path "%[1]s/token/%[2]s" { capabilities = ["read", "update"] }
		 path "%[1]s/check/%[2]s" { capabilities = ["update"] }`, w.mount, role)})
}

func TestCheckSaysWhyNotAndMakesNothing(t *testing.T) {
	t.Parallel()
	w := newIdentityWorld(t)
	w.restrictJobsTo("release")
	pull := w.identify(ofPullRequest("1"))
	path := w.path("check/release")
	out := pull.CLI(t, "write", path, "id_token="+pull.idToken)
	if out.Code != 0 {
		t.Fatalf("vault write %s ended with %d: %s", path, out.Code, out.Stderr)
	}
	for _, part := range []string{
		"allowed    false",
		`FAIL  bound_claims event_name: wanted "push", seen "pull_request"`,
		`FAIL  bound_claims ref: wanted "refs/heads/main", seen "refs/pull/7/merge"`,
		`pass  repositories: wanted {{claims.repository}}, seen "acme/api"`,
	} {
		if !strings.Contains(out.Stdout, part) {
			t.Errorf("the check does not say %q:\n%s", part, out.Stdout)
		}
	}
	if out := pull.CLI(t, "write", "-force", path); !strings.Contains(out.Stdout, "present the job's ID token") {
		t.Errorf("without its ID token the job is not told to present it:\n%s%s", out.Stdout, out.Stderr)
	}
	w.wantMinted(0)
}

func TestCheckOfClaimsIsForAdministrators(t *testing.T) {
	t.Parallel()
	w := newIdentityWorld(t)
	w.write("sys/policies/acl/"+w.auth+"-admin", map[string]any{
		"policy": fmt.Sprintf(`path "%s/check-claims/*" { capabilities = ["update"] }`, w.mount),
	})
	created := w.root.Post(t, "auth/token/create", map[string]any{"policies": []string{w.auth + "-admin"}}).Secret(t)
	admin := vault.Client(created.Auth.ClientToken)
	for event, allowed := range map[string]bool{"push": true, "pull_request": false} {
		claims := oidctest.GitHubActionsClaims(map[string]any{"event_name": event})
		decision := admin.Post(t, w.path("check-claims/release"), map[string]any{"claims": claims}).Secret(t).Data
		if decision["allowed"] != allowed {
			t.Errorf("%s: allowed=%v: %v", event, decision["allowed"], decision["report"])
		}
	}
	claims, err := json.Marshal(map[string]any{"claims": oidctest.GitHubActionsClaims(nil)})
	if err != nil {
		t.Fatal(err)
	}
	out := admin.CLIWithInput(t, string(claims), "write", "-field=github_request", w.path("check-claims/release"), "-")
	if diff := cmp.Diff(`{"repositories":["api"],"permissions":{"contents":"read"}}`, out.Stdout); diff != "" {
		t.Errorf("what GitHub would get (-want +got):\n%s%s", diff, out.Stderr)
	}
	wantError(t, w.identify(nil).Post(t, w.path("check-claims/release"), map[string]any{"claims": map[string]any{}}),
		http.StatusForbidden, "permission denied")
	w.wantMinted(0)
}
