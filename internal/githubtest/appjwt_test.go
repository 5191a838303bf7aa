package githubtest

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestAppJWTRules(t *testing.T) {
	t.Parallel()
	const (
		undecodable = "A JSON web token could not be decoded"
		badExpiry   = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
		tooFar      = "'Expiration time' claim ('exp') is too far in the future"
		badIssuedAt = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
	)
	c := newClock()
	f := newFixture(t, WithClock(c.Now))
	now := c.Now().Unix()
	stranger := &App{ID: f.app.ID, server: f.Server, keys: []*rsa.PrivateKey{keyNumber(7)}}
	sign := f.app.signJWT

	tests := []struct {
		name    string
		token   string
		status  int
		message string
	}{
		{"client ID", sign(object{"iss": f.app.ClientID, "iat": now, "exp": now + 600}), 200, ""},
		{"App ID as a number", sign(object{"iss": f.app.ID, "iat": now, "exp": now + 60}), 200, ""},
		{"App ID as a string", sign(object{"iss": strconv.FormatInt(f.app.ID, 10), "iat": now, "exp": now + 60}), 200, ""},
		{"unknown issuer", sign(object{"iss": "Iv1.unknown", "iat": now, "exp": now + 60}), 404, "Integration not found"},
		{"no issuer", sign(object{"iat": now, "exp": now + 60}), 401, "Missing 'issuer' claim ('iss') in assertion"},
		{"another's key", stranger.signJWT(object{"iss": f.app.ID, "iat": now, "exp": now + 60}), 401, undecodable},
		{"exp 601 s ahead", sign(object{"iss": f.app.ID, "iat": now, "exp": now + 601}), 401, tooFar},
		{"expired", sign(object{"iss": f.app.ID, "iat": now - 60, "exp": now}), 401, badExpiry},
		{"no exp", sign(object{"iss": f.app.ID, "iat": now}), 401, badExpiry},
		{"iat ahead", sign(object{"iss": f.app.ID, "iat": now + 1, "exp": now + 60}), 401, badIssuedAt},
		{"iat a fraction", sign(object{"iss": f.app.ID, "iat": float64(now) - 0.5, "exp": now + 60}), 401, badIssuedAt},
		{"iat a string", sign(object{"iss": f.app.ID, "iat": strconv.FormatInt(now, 10), "exp": now + 60}), 401, badIssuedAt},
		{"no iat", sign(object{"iss": f.app.ID, "exp": now + 60}), 401, badIssuedAt},
		{"HS256", hs256(t, `{"iss":"`+f.app.ClientID+`"}`), 401, undecodable},
		{"not a JWT", "ghs_abc", 401, undecodable},
		{"none", "", 401, undecodable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := f.call(t, http.MethodGet, "/app", test.token, "")
			if got.status != test.status || got.message() != test.message {
				t.Errorf("%d %q, want %d %q", got.status, got.message(), test.status, test.message)
			}
		})
	}
}

func hs256(t *testing.T, claims string) string {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestBothKeysAreGoodUntilOneIsRemoved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	status := func(token string) int { return f.call(t, http.MethodGet, "/app", token, "").status }
	oldPEM, old := f.app.PrivateKeyPEM(), f.app.JWT()
	f.app.RotateKey()
	if f.app.PrivateKeyPEM() == oldPEM || !strings.HasPrefix(oldPEM, "-----BEGIN RSA PRIVATE KEY-----") {
		t.Error("PrivateKeyPEM is not the new key in PKCS#1")
	}
	if status(old) != http.StatusOK || status(f.app.JWT()) != http.StatusOK {
		t.Error("after the rotation not both keys are good")
	}
	f.app.RemoveKey()
	if status(old) != http.StatusUnauthorized || status(f.app.JWT()) != http.StatusOK {
		t.Error("the removed key is good, or the new one is not")
	}
}

func TestAppsOfAServerHaveDifferentKeys(t *testing.T) {
	t.Parallel()
	s := New(t)
	if s.AddApp("one", nil).PrivateKeyPEM() == s.AddApp("two", nil).PrivateKeyPEM() {
		t.Error("two Apps have the same key")
	}
}

func TestAppTellsOfItself(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	got := f.call(t, http.MethodGet, "/app", f.app.JWT(), "")
	if got.object["slug"] != "ci-broker" || got.object["client_id"] != f.app.ClientID || got.object["id"] != float64(f.app.ID) {
		t.Errorf("GET /app: %s", got.body)
	}
}

func TestJWTDiesWithTheClock(t *testing.T) {
	t.Parallel()
	c := newClock()
	f := newFixture(t, WithClock(c.Now))
	token := f.app.JWT()
	c.advance(9 * time.Minute)
	if got := f.call(t, http.MethodGet, "/app", token, ""); got.status != http.StatusUnauthorized {
		t.Errorf("status %d for an expired JWT, want 401", got.status)
	}
}
