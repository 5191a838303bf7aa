package oidctest_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"vault-plugin-secrets-github/internal/oidctest"
)

// fetch decodes the JSON of an answer and returns the status.
func fetch(t *testing.T, r *http.Request, into any) int {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode
}

func get(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// verify does what a relying party does: discovery, keys, signature.
func verify(t *testing.T, issuer *oidctest.Issuer, token string) map[string]any {
	t.Helper()
	var discovered struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	fetch(t, get(t, issuer.URL+"/.well-known/openid-configuration"), &discovered)
	if discovered.Issuer != issuer.URL {
		t.Errorf("discovery names the issuer %q, want %q", discovered.Issuer, issuer.URL)
	}
	var keys jose.JSONWebKeySet
	fetch(t, get(t, discovered.JWKSURI), &keys)
	for _, key := range keys.Keys {
		if !key.IsPublic() {
			t.Fatal("a private key is published")
		}
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := parsed.Claims(&keys, &claims); err != nil {
		t.Fatalf("the published keys do not verify the token: %v", err)
	}
	return claims
}

func TestSignFillsWhatIsNotGiven(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	before := time.Now().Unix()
	claims := verify(t, issuer, issuer.Sign(map[string]any{"sub": "job", "nbf": 7}))

	issued, _ := claims["iat"].(float64)
	if issued < float64(before) || claims["exp"] != issued+300 {
		t.Errorf("iat %v and exp %v, want now and five minutes later", claims["iat"], claims["exp"])
	}
	if claims["jti"] == "" || claims["iss"] != issuer.URL || claims["sub"] != "job" || claims["nbf"] != 7.0 {
		t.Errorf("claims are %v", claims)
	}
	if _, there := verify(t, issuer, issuer.Sign(map[string]any{"exp": nil}))["exp"]; there {
		t.Error("a claim that is nil was not left out")
	}
}

func TestTokensOfARotatedKeyStayGood(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	old, oldPEM := issuer.Sign(nil), issuer.PublicKeyPEM()
	issuer.RotateKey()
	verify(t, issuer, old)
	verify(t, issuer, issuer.Sign(nil))
	if issuer.PublicKeyPEM() == oldPEM {
		t.Error("the key is the same after the rotation")
	}
}

func TestPublicKeyPEMVerifies(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	block, _ := pem.Decode([]byte(issuer.PublicKeyPEM()))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(issuer.Sign(nil), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	if err := parsed.Claims(key.(*rsa.PublicKey), &map[string]any{}); err != nil {
		t.Error(err)
	}
}

func TestTokenURLSignsTheClaimsSent(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	tests := []struct {
		name, body string
		status     int
	}{
		{"claims", `{"sub":"job","project_id":12345678901234567}`, http.StatusOK},
		{"not an object", `[1]`, http.StatusBadRequest},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, issuer.TokenURL(), strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			var answer struct{ Value string }
			if status := fetch(t, r, &answer); status != test.status {
				t.Fatalf("status %d, want %d", status, test.status)
			}
			if test.status == http.StatusOK && verify(t, issuer, answer.Value)["sub"] != "job" {
				t.Error("the token lacks the claims sent")
			}
		})
	}
}

func TestActionsTokenURLGivesTheJobsToken(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	issuer.SetClaims(oidctest.GitHubActionsClaims(map[string]any{"ref": "refs/heads/dev", "actor": nil}))

	var answer struct{ Value string }
	r := get(t, issuer.ActionsTokenURL()+"&audience=other")
	if status := fetch(t, r, &answer); status != http.StatusUnauthorized {
		t.Errorf("status %d without a bearer token, want 401", status)
	}
	r.Header.Set("Authorization", "bearer anything")
	if status := fetch(t, r, &answer); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	claims := verify(t, issuer, answer.Value)
	got := map[string]any{"aud": claims["aud"], "ref": claims["ref"], "sub": claims["sub"], "actor": claims["actor"]}
	want := map[string]any{"aud": "other", "ref": "refs/heads/dev", "sub": "repo:acme/api:ref:refs/heads/main", "actor": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}
