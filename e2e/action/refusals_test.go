package action

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-github/internal/githubtest"
)

// The job's author sees what Vault or the engine said, and what helps.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(*job)
		inputs  map[string]string
		says    []string
		asked   int // how often GitHub was asked for a token
	}{
		"no permission to ask for an ID token": {
			prepare: func(j *job) { delete(j.env, "ACTIONS_ID_TOKEN_REQUEST_URL") },
			says:    []string{"permissions: id-token: write"},
		},
		"no ID token": {
			prepare: func(j *job) { j.ci.fail(http.StatusForbidden) },
			says:    []string{"ID token", "GitHub answered 403"},
		},
		"a JWT role that does not exist": {
			inputs: map[string]string{"auth-role": "nobody"},
			says:   []string{"log in", "Vault answered 400", `role "nobody" could not be found`, "/role/nobody"},
		},
		"another audience": {
			inputs: map[string]string{"audience": "elsewhere"},
			says:   []string{"log in", "Vault answered 400", "audience", `for the audience "elsewhere"`},
		},
		"claims that the JWT role does not let in": {
			prepare: func(j *job) { j.ci.set(map[string]any{"repository_owner": "evil"}) },
			says:    []string{"log in", "Vault answered 400", `claim "repository_owner" does not match`},
		},
		"an auth method that is not there": {
			inputs: map[string]string{"auth-path": "nowhere"},
			says:   []string{"log in", "Vault answered 403: permission denied", "mounted at auth/nowhere/"},
		},
		"a policy that does not allow it": {
			prepare: func(j *job) { j.writePolicy(`path "%s/token/other" { capabilities = ["update"] }`, j.mount) },
			says:    []string{"No token of the role ci", "Vault answered 403: permission denied", "must allow update on", "/token/ci"},
		},
		"an engine that is not there": {
			prepare: func(j *job) { j.writePolicy(`path "nowhere/token/*" { capabilities = ["update"] }`) },
			inputs:  map[string]string{"mount": "nowhere"},
			says:    []string{"Vault answered 404", "mounted at nowhere/"},
		},
		"a role that does not exist": {
			inputs: map[string]string{"role": "nobody"},
			says:   []string{"No token of the role nobody", "Vault answered 400", `unknown role "nobody"`},
		},
		"a rule of the role": {
			prepare: func(j *job) {
				j.writeRole("ci", map[string]any{"bound_claims": map[string]any{"ref": "refs/heads/release"}})
			},
			says: []string{"Vault answered 403", `role "ci": bound_claims ref`, `"refs/heads/main"`, "/check/ci"},
		},
		"more than the role gives": {
			inputs: map[string]string{"permissions": "contents=write,issues=write"},
			says:   []string{"Vault answered 403", `role "ci": request`, "issues"},
		},
		"an engine without an issuer": {
			prepare: func(j *job) {
				if a := vault.Root().Delete(j.t, j.mount+"/issuers/default"); a.Status >= http.StatusBadRequest {
					j.t.Fatalf("delete the issuer: %d", a.Status)
				}
			},
			says: []string{"issuer", "present-id-token: false"},
		},
		"a repository that GitHub does not have": {
			prepare: func(j *job) { j.writeRole("ci", map[string]any{"repositories": "nowhere"}) },
			says:    []string{"Vault answered 400", "There is at least one repository that does not exist"},
			asked:   1,
		},
		"a key that GitHub has deleted": {
			prepare: func(j *job) { j.app.RotateKey(); j.app.RemoveKey() },
			says:    []string{"Vault answered 500", "the App's key was refused"},
			asked:   0,
		},
		"a token that cannot be handed over": {
			prepare: func(j *job) {
				j.github.Inject(githubtest.Fault{
					Mutate: func(answer map[string]any) { answer["permissions"].(map[string]any)["issues"] = "write" },
				}.On(githubtest.MintToken))
			},
			says:  []string{"Vault answered 424", "GitHub granted more than was asked", "not repeated"},
			asked: 1,
		},
		"a long rate limit": {
			prepare: func(j *job) {
				limit := githubtest.SecondaryRateLimit(http.StatusTooManyRequests, 10*time.Minute)
				j.github.Inject(limit.On(githubtest.MintToken))
			},
			says:  []string{"Vault answered 429", "rate limit", "Retry-After: "},
			asked: 1,
		},
		"a GitHub in trouble": {
			prepare: func(j *job) { j.github.Inject(githubtest.BadGateway().On(githubtest.MintToken)) },
			says:    []string{"Vault answered 502", "Run the job again later"},
			asked:   3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newWorld(t).newJob()
			if test.prepare != nil {
				test.prepare(j)
			}
			s := j.use(j.inputs(test.inputs))
			s.wantRefusal(test.says...)
			if asked := j.github.Requests(githubtest.MintToken); asked != test.asked {
				t.Errorf("GitHub was asked for a token %d times, not %d", asked, test.asked)
			}
			s.post().wantSilent()
			j.awaitLive(0)
			if token := s.state["vault-token"]; token != "" {
				wantVaultTokenGone(t, token)
			}
		})
	}
}

// wantRefusal checks that main failed with one error annotation that says all
// this, and set nothing.
func (s *step) wantRefusal(says ...string) {
	s.j.t.Helper()
	if s.main.code != 1 || len(s.outputs) > 0 {
		s.j.t.Errorf("main ended with %d and set %d outputs", s.main.code, len(s.outputs))
	}
	message := s.main.annotations("error")
	if strings.Count(s.main.stdout.String(), "::error ") != 1 {
		s.j.t.Errorf("not one error:\n%s", s.main.stdout.String())
	}
	for _, part := range says {
		if !strings.Contains(message, part) {
			s.j.t.Errorf("the error does not say %q:\n%s", part, message)
		}
	}
}

// A wrong input is found before anything is sent anywhere.
func TestWrongInputsAreRefusedBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct{ name, value, says string }{
		{"permision", "contents=read", `unknown input "permision"`},
		{"vault-address", "", "vault-address: it is empty"},
		{"vault-address", "http://vault.example:8200", "in the clear"},
		{"vault-address", "https://a:b@vault.example:8200", "user or password"},
		{"vault-address", "https://vault.example/v1", "more than a host and port"},
		{"repositories", "", "repositories: it is empty"},
		{"permissions", "", "permissions: it is empty"},
		{"permissions", "contents: read", "NAME=LEVEL"},
		{"ttl", "", "ttl: it is empty"},
		{"vault-ca", "/nowhere.pem", "vault-ca: it is neither"},
	} {
		t.Run(test.name+" "+test.value, func(t *testing.T) {
			j := w.in(t).newJob()
			s := j.use(j.inputs(map[string]string{test.name: test.value}))
			s.wantRefusal("Wrong input", test.says)
			j.end()
		})
	}
	if asked := len(w.ci.idTokens()); asked > 0 {
		t.Errorf("the CI was asked for %d ID tokens", asked)
	}
}

func TestPassingFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*job){
		"of the CI": func(j *job) { j.ci.fail(http.StatusServiceUnavailable, http.StatusBadGateway) },
		"of GitHub": func(j *job) { j.github.Inject(githubtest.BadGateway().On(githubtest.MintToken).Once()) },
		"a short rate limit": func(j *job) {
			limit := githubtest.SecondaryRateLimit(http.StatusTooManyRequests, time.Second)
			j.github.Inject(limit.On(githubtest.MintToken).Once())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newWorld(t).newJob()
			prepare(j)
			s := j.use(j.inputs(nil))
			if s.main.code != 0 || !j.isLive(s.outputs["token"]) {
				t.Errorf("main ended with %d:\n%s", s.main.code, strings.Join(s.main.printed(), "\n"))
			}
			if !strings.Contains(s.main.stdout.String(), "trying again in ") {
				t.Error("it does not say why it takes longer")
			}
			j.end()
			j.wantMinted(1)
		})
	}
}

// Without an issuer the engine trusts Vault's policy alone.
func TestIDTokenIsPresentedUnlessTheInputSaysNo(t *testing.T) {
	t.Parallel()
	j := newWorld(t).newJob()
	j.writeRole("strict", map[string]any{"require_id_token": true})
	s := j.use(j.inputs(map[string]string{"role": "strict"}))
	if s.main.code != 0 {
		t.Error(s.main.annotations("error"))
	}
	s = j.use(j.inputs(map[string]string{"role": "strict", "present-id-token": "false"}))
	s.wantRefusal("Vault answered 403", "require_id_token", "because of present-id-token: false")
	j.end()
}
