package idtoken

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return newRSAKey(2048) })
	otherKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSAKey(2048) })
	weakKey  = sync.OnceValue(func() *rsa.PrivateKey { return newRSAKey(1024) })
)

func newRSAKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// issuer is a CI whose key endpoints a test can break. It signs with rsaKey,
// under the kid "k1".
type issuer struct {
	*httptest.Server
	fetches atomic.Int32 // of the keys
	strays  atomic.Int32 // requests that nobody should make

	mu   sync.Mutex
	keys []jose.JSONWebKey
	// instead, if set, answers instead of the keys.
	instead http.HandlerFunc
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{keys: []jose.JSONWebKey{{KeyID: "k1", Key: &rsaKey().PublicKey, Algorithm: "RS256", Use: "sig"}}}
	i.Server = httptest.NewServer(i.routes())
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/jwks"})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, r *http.Request) {
		i.fetches.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.instead != nil {
			i.instead(w, r)
			return
		}
		i.writeKeys(w)
	})
	mux.HandleFunc("GET /moved", func(w http.ResponseWriter, _ *http.Request) { i.writeKeys(w) })
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) { i.strays.Add(1) })
	return mux
}

func (i *issuer) writeKeys(w http.ResponseWriter) {
	_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: i.keys})
}

// publish replaces the keys.
func (i *issuer) publish(keys ...jose.JSONWebKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

// answer breaks the endpoint of the keys; nil mends it.
func (i *issuer) answer(instead http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.instead = instead
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// clock is a time that tests move.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

func (i *issuer) verifier(t testing.TB, change func(*Config)) (*Verifier, *clock) {
	t.Helper()
	c := &clock{}
	cfg := Config{DiscoveryURL: i.URL, Issuer: i.URL, Audiences: []string{"vault"}, Now: c.now}
	if change != nil {
		change(&cfg)
	}
	v, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v, c
}

// claims are those of a job, good for five minutes from now. A claim that the
// change sets to nil is left out.
func (i *issuer) claims(change map[string]any) map[string]any {
	return claimsAt(i.URL, time.Now(), change)
}

func claimsAt(issuer string, now time.Time, change map[string]any) map[string]any {
	claims := map[string]any{
		"iss": issuer, "aud": "vault", "sub": "repo:acme/api:ref:refs/heads/main", "repository_id": 7,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// token is one as the issuer makes it, but for the change.
func (i *issuer) token(t testing.TB, change map[string]any) string {
	t.Helper()
	return sign(t, jose.RS256, rsaKey(), kid("k1"), i.claims(change))
}

func kid(id string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"kid": id} }

func sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return signBytes(t, algorithm, key, header, payload)
}

func signBytes(t testing.TB, algorithm jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, payload []byte) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// unsigned is a token of any header and signature.
func unsigned(header string, claims map[string]any, signature string) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode(payload) + "." + encode([]byte(signature))
}

func publicPEM(t testing.TB, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// selfSigned is a certificate of rsaKey, DER.
func selfSigned(t *testing.T) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &rsaKey().PublicKey, rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func certificatePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// wantError fails the test unless the error says so, or, for "", unless there is
// none.
func wantError(t *testing.T, err error, says string) {
	t.Helper()
	if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
		t.Errorf("error %v, want one with %q", err, says)
	}
}

// wantInvalid fails the test unless the token was refused as its bearer's fault,
// by an error that says so, is not as long as the token may be, and does not
// hold it.
func wantInvalid(t *testing.T, err error, says, token string) {
	t.Helper()
	var invalid *InvalidError
	if !errors.As(err, &invalid) || !strings.Contains(err.Error(), says) {
		t.Fatalf("error %v, want one with %q", err, says)
	}
	if len(err.Error()) > 1000 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 20 && strings.Contains(err.Error(), part[:20]) {
			t.Errorf("the error holds the token: %v", err)
		}
	}
}

// wantUnavailable fails the test unless the error says that, and why, the keys
// cannot be had.
func wantUnavailable(t *testing.T, err error, parts ...string) {
	t.Helper()
	var unavailable *UnavailableError
	if !errors.As(err, &unavailable) {
		t.Fatalf("error %v, want one that the keys cannot be had", err)
	}
	for _, part := range parts {
		wantError(t, err, part)
	}
}
