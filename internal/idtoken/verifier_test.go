package idtoken

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSAKey(2048) })
var otherKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSAKey(2048) })

func newRSAKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// issuer is a CI whose key endpoints a test can break.
type issuer struct {
	*httptest.Server
	fetches atomic.Int32

	mu   sync.Mutex
	keys []jose.JSONWebKey
	// break, if set, answers instead of the keys.
	instead http.HandlerFunc
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{keys: []jose.JSONWebKey{{KeyID: "k1", Key: &rsaKey().PublicKey, Algorithm: "RS256", Use: "sig"}}}
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
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: i.keys})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) answer(instead http.HandlerFunc, keys ...jose.JSONWebKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.instead = instead
	if keys != nil {
		i.keys = keys
	}
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

func claimsOf(i *issuer, change map[string]any) map[string]any {
	now := time.Now()
	claims := map[string]any{
		"iss": i.URL, "aud": "vault", "sub": "repo:acme/api:ref:refs/heads/main", "repository_id": 7,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

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

func kid(id string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"kid": id} }

func publicPEM(t testing.TB, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func unsigned(header string, claims map[string]any, signature string) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode(payload) + "." + encode([]byte(signature))
}

func TestOnlyTheIssuersTokenForUsIsTaken(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	now := time.Now()
	good := func(change map[string]any) string {
		return sign(t, jose.RS256, rsaKey(), kid("k1"), claimsOf(i, change))
	}
	tests := map[string]struct {
		token string
		says  string // empty if it is taken
	}{
		"as the issuer makes it":         {good(nil), ""},
		"without a kid":                  {sign(t, jose.RS256, rsaKey(), nil, claimsOf(i, nil)), ""},
		"for several audiences":          {good(map[string]any{"aud": []string{"other", "vault"}}), ""},
		"for another audience":           {good(map[string]any{"aud": "other"}), `wanted one of ["vault"], seen "other"`},
		"for no audience":                {good(map[string]any{"aud": nil}), "aud"},
		"for an empty audience":          {good(map[string]any{"aud": ""}), "aud"},
		"of another issuer's name":       {good(map[string]any{"iss": "https://evil.example"}), `seen "https://evil.example"`},
		"of no issuer":                   {good(map[string]any{"iss": nil}), "iss"},
		"expired":                        {good(map[string]any{"iat": now.Add(-time.Hour).Unix(), "nbf": nil, "exp": now.Add(-time.Minute).Unix()}), "expired"},
		"not yet valid":                  {good(map[string]any{"nbf": now.Add(time.Minute).Unix()}), "not yet valid"},
		"issued in the future":           {good(map[string]any{"iat": now.Add(time.Minute).Unix()}), "future"},
		"without an end":                 {good(map[string]any{"exp": nil}), "exp"},
		"with a text for an end":         {good(map[string]any{"exp": "tomorrow"}), "refused"},
		"signed by another key":          {sign(t, jose.RS256, otherKey(), kid("k1"), claimsOf(i, nil)), "no key of the issuer"},
		"with another algorithm":         {sign(t, jose.RS512, rsaKey(), kid("k1"), claimsOf(i, nil)), `"RS512" is not one of RS256`},
		"with no signature":              {unsigned(`{"alg":"none","kid":"k1"}`, claimsOf(i, nil), ""), `"none" is not one of`},
		"with no signature, in capitals": {unsigned(`{"alg":"NONE","kid":"k1"}`, claimsOf(i, nil), "x"), "is not one of"},
		"with the public key as secret":  {sign(t, jose.HS256, []byte(publicPEM(t, &rsaKey().PublicKey)), kid("k1"), claimsOf(i, nil)), `"HS256" is not one of`},
		"with its own key in it":         {sign(t, jose.RS256, otherKey(), map[jose.HeaderKey]any{"kid": "k1", "jwk": jose.JSONWebKey{Key: &otherKey().PublicKey}}, claimsOf(i, nil)), "no key of the issuer"},
		"with a URL of its own keys":     {sign(t, jose.RS256, otherKey(), map[jose.HeaderKey]any{"kid": "k1", "jku": i.URL + "/evil"}, claimsOf(i, nil)), "no key of the issuer"},
		"with a critical extension":      {unsigned(`{"alg":"RS256","kid":"k1","crit":["exp"]}`, claimsOf(i, nil), "x"), "critical"},
		"with a claim twice":             {signBytes(t, jose.RS256, rsaKey(), kid("k1"), []byte(fmt.Sprintf(`{"iss":%q,"aud":"vault","exp":%d,"ref":"a","ref":"b"}`, i.URL, now.Add(time.Minute).Unix()))), `"ref" is there twice`},
		"with a list for claims":         {signBytes(t, jose.RS256, rsaKey(), kid("k1"), []byte(`[]`)), "not a JSON object"},
		"changed after it was signed":    {tampered(good(nil)), "no key of the issuer"},
		"huge":                           {good(map[string]any{"x": strings.Repeat("a", maxToken)}), "longer than"},
		"nothing":                        {"", "three parts"},
		"garbage":                        {"a.b.c", "header"},
		"five parts":                     {"a.b.c.d.e", "three parts"},
		"JSON":                           {`{"payload":"","signatures":[]}`, "three parts"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, _ := i.verifier(t, nil)
			claims, err := v.Verify(t.Context(), test.token)
			if test.says == "" {
				if err != nil || claims["repository_id"] != json.Number("7") {
					t.Errorf("got %v, %v", claims, err)
				}
				return
			}
			var invalid *InvalidError
			if !errors.As(err, &invalid) || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("error %v, want one with %q", err, test.says)
			}
			if len(test.token) > 20 && strings.Contains(err.Error(), test.token[:20]) {
				t.Error("the error holds the token")
			}
		})
	}
}

// tampered changes the payload and keeps the signature.
func tampered(token string) string {
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		panic(err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), "acme/api", "acme/web", 1)))
	return strings.Join(parts, ".")
}

func TestEveryAllowedAlgorithmVerifies(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := newIssuer(t)
	for algorithm, keys := range map[jose.SignatureAlgorithm][2]any{
		jose.RS256: {rsaKey(), &rsaKey().PublicKey}, jose.PS256: {rsaKey(), &rsaKey().PublicKey},
		jose.ES256: {ec, &ec.PublicKey}, jose.EdDSA: {private, public},
	} {
		v, _ := i.verifier(t, func(c *Config) {
			c.DiscoveryURL, c.PublicKeys, c.Algorithms = "", []string{publicPEM(t, keys[1])}, []string{string(algorithm)}
		})
		if _, err := v.Verify(t.Context(), sign(t, algorithm, keys[0], nil, claimsOf(i, nil))); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
}

func TestConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*Config)
		says   string
	}{
		"no keys":               {func(c *Config) { c.DiscoveryURL = "" }, "exactly one of"},
		"two ways to keys":      {func(c *Config) { c.JWKSURL = "https://ci.example/jwks" }, "exactly one of"},
		"no issuer":             {func(c *Config) { c.Issuer = "" }, "bound_issuer"},
		"no audience":           {func(c *Config) { c.Audiences = nil }, "bound_audiences"},
		"an empty audience":     {func(c *Config) { c.Audiences = []string{""} }, "bound_audiences"},
		"no algorithm":          {func(c *Config) { c.Algorithms = []string{"none"} }, `"none"`},
		"a MAC":                 {func(c *Config) { c.Algorithms = []string{"RS256", "HS256"} }, `"HS256"`},
		"http elsewhere":        {func(c *Config) { c.DiscoveryURL = "http://ci.example" }, "use https"},
		"another scheme":        {func(c *Config) { c.DiscoveryURL = "file:///etc/passwd" }, "host"},
		"a password in the URL": {func(c *Config) { c.DiscoveryURL = "https://a:b@ci.example" }, "user information"},
		"a CA that is none":     {func(c *Config) { c.CAPEM = "no" }, "ca_pem"},
		"a key that is none":    {func(c *Config) { c.DiscoveryURL, c.PublicKeys = "", []string{"no"} }, "jwt_validation_pubkeys: item 1"},
		"a private key": {func(c *Config) {
			c.DiscoveryURL, c.PublicKeys = "", []string{"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}
		}, "not a public key"},
		"a key of 1024 bits": {func(c *Config) { c.DiscoveryURL, c.PublicKeys = "", []string{publicPEM(t, &newRSAKey(1024).PublicKey)} }, "1024 bits"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{DiscoveryURL: "https://ci.example", Issuer: "https://ci.example", Audiences: []string{"vault"}}
			test.change(&cfg)
			if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want one with %q", err, test.says)
			}
		})
	}
}

func TestProbeSaysWhatFailed(t *testing.T) {
	t.Parallel()
	evil := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(evil.Close)
	weak := jose.JSONWebKey{KeyID: "weak", Key: &newRSAKey(1024).PublicKey}
	tests := map[string]struct {
		instead http.HandlerFunc
		keys    []jose.JSONWebKey
		change  func(*Config)
		says    string
	}{
		"an HTML page":           {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, nil, nil, "is not JSON"},
		"an error":               {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, nil, nil, "answered 503"},
		"an endless answer":      {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", maxDocument+1)) }, nil, nil, "longer than"},
		"a redirect elsewhere":   {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, evil.URL, http.StatusFound) }, nil, nil, "was not followed"},
		"no keys":                {nil, []jose.JSONWebKey{}, nil, "holds no key"},
		"keys for encryption":    {nil, []jose.JSONWebKey{{Key: &rsaKey().PublicKey, Use: "enc"}}, nil, "holds no key"},
		"keys that are too weak": {nil, []jose.JSONWebKey{weak}, nil, "holds no key"},
		"another issuer":         {nil, nil, func(c *Config) { c.Issuer = "https://ci.example" }, "not of bound_issuer"},
		"nobody":                 {nil, nil, func(c *Config) { c.DiscoveryURL = "http://127.0.0.1:1" }, "refused"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			i.answer(test.instead, test.keys...)
			if test.keys != nil && len(test.keys) == 0 {
				i.keys = nil
			}
			v, _ := i.verifier(t, test.change)
			if err := v.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want one with %q", err, test.says)
			}
		})
	}
}

func TestAnIssuerElsewhereCannotSendUsToThisMachine(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	var elsewhere *httptest.Server
	elsewhere = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": elsewhere.URL, "jwks_uri": i.URL + "/jwks"})
	}))
	t.Cleanup(elsewhere.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: elsewhere.Certificate().Raw}))
	v, _ := i.verifier(t, func(c *Config) { c.DiscoveryURL, c.Issuer, c.CAPEM = elsewhere.URL, elsewhere.URL, ca })
	if err := v.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "jwks_uri: it is not https") {
		t.Errorf("error %v", err)
	}
	if n := i.fetches.Load(); n != 0 {
		t.Errorf("fetched %d times", n)
	}
}

func TestKeysAreFetchedOnceAndAgainWhenTheyChange(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, clock := i.verifier(t, nil)
	token := sign(t, jose.RS256, rsaKey(), kid("k1"), claimsOf(i, nil))
	var jobs sync.WaitGroup
	for range 20 {
		jobs.Go(func() {
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	jobs.Wait()
	if n := i.fetches.Load(); n != 1 {
		t.Errorf("fetched %d times, want once", n)
	}
	i.answer(nil, jose.JSONWebKey{KeyID: "k2", Key: &otherKey().PublicKey})
	clock.advance(fetchPause)
	if _, err := v.Verify(t.Context(), sign(t, jose.RS256, otherKey(), kid("k2"), claimsOf(i, nil))); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	if _, err := v.Verify(t.Context(), token); err == nil {
		t.Error("a key that was withdrawn is still taken")
	}
}

func TestUnknownKidsDoNotFloodTheIssuer(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, clock := i.verifier(t, nil)
	for n := range 100 {
		token := sign(t, jose.RS256, rsaKey(), kid(fmt.Sprint("made-up-", n)), claimsOf(i, nil))
		if _, err := v.Verify(t.Context(), token); err == nil {
			t.Fatal("a key that the issuer does not name was taken")
		}
	}
	clock.advance(fetchPause)
	_, _ = v.Verify(t.Context(), sign(t, jose.RS256, rsaKey(), kid("made-up"), claimsOf(i, nil)))
	if n := i.fetches.Load(); n != 2 {
		t.Errorf("fetched %d times, want twice: at first and after the pause", n)
	}
}

func TestAnOutageOfTheIssuerIsBridgedUntilTheKeysAreTooOld(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, clock := i.verifier(t, nil)
	ask := func() error {
		claims := claimsOf(i, map[string]any{"iat": clock.now().Unix(), "nbf": clock.now().Unix(), "exp": clock.now().Add(time.Minute).Unix()})
		_, err := v.Verify(t.Context(), sign(t, jose.RS256, rsaKey(), kid("k1"), claims))
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	i.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	clock.advance(maxAge - time.Minute)
	if err := ask(); err != nil {
		t.Errorf("within the keys' age: %v", err)
	}
	clock.advance(2 * time.Minute)
	var unavailable *UnavailableError
	if err := ask(); !errors.As(err, &unavailable) || !strings.Contains(err.Error(), "503") {
		t.Errorf("after it: error %v, want one that the keys cannot be had", err)
	}
	i.answer(nil)
	clock.advance(fetchPause)
	if err := ask(); err != nil {
		t.Errorf("once the issuer is back: %v", err)
	}
}

func TestACallerWhoLeavesDoesNotSpoilTheFetch(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := i.verifier(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	token := sign(t, jose.RS256, rsaKey(), kid("k1"), claimsOf(i, nil))
	_, _ = v.Verify(ctx, token)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
}

func TestPresets(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, baseURL, issuer, err string }{
		{"github-actions", "", "https://token.actions.githubusercontent.com", ""},
		{"github-actions", "https://ghes.example/", "https://ghes.example/_services/token", ""},
		{"gitlab", "", "https://gitlab.com", ""},
		{"gitlab", "https://gitlab.example", "https://gitlab.example", ""},
		{"buildkite", "", "https://agent.buildkite.com", ""},
		{"circleci", "https://oidc.circleci.com/org/1", "https://oidc.circleci.com/org/1", ""},
		{"circleci", "", "", "needs base_url"},
		{"jenkins", "", "", "not one of github-actions"},
	}
	for _, test := range tests {
		got, err := PresetFor(test.name, test.baseURL)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: error %v, want one with %q", test.name, err, test.err)
			}
			continue
		}
		if err != nil || got.Issuer != test.issuer || got.DiscoveryURL != test.issuer || got.UserClaim == "" {
			t.Errorf("%s: %+v, %v; want issuer %s", test.name, got, err, test.issuer)
		}
	}
}

func TestClaimsThatVaryBetweenJobs(t *testing.T) {
	t.Parallel()
	for _, claim := range []string{"ref", "sha", "event_name", "environment", "workflow_ref", "job_workflow_ref", "run_id", "actor", "head_ref", "pipeline_source", "build_branch", "aud", "oidc.circleci.com/vcs-ref", "job_of_a_new_kind"} {
		if !Varies(claim) {
			t.Errorf("%s is not known to vary", claim)
		}
	}
	for _, claim := range []string{"repository", "repository_id", "repository_owner", "project_id", "organization_slug", "pipeline_slug", "oidc.circleci.com/project-id"} {
		if Varies(claim) {
			t.Errorf("%s is said to vary", claim)
		}
	}
}

func FuzzVerify(f *testing.F) {
	i := newIssuer(f)
	v, _ := i.verifier(f, func(c *Config) { c.DiscoveryURL, c.PublicKeys = "", []string{publicPEM(f, &rsaKey().PublicKey)} })
	f.Add(sign(f, jose.RS256, otherKey(), kid("k1"), claimsOf(i, nil)))
	f.Add("a.b.c")
	f.Add(unsigned(`{"alg":"none"}`, nil, ""))
	f.Add(unsigned(`{"alg":"RS256","crit":[]}`, nil, "x"))
	f.Fuzz(func(t *testing.T, token string) {
		var invalid *InvalidError
		if _, err := v.Verify(t.Context(), token); !errors.As(err, &invalid) {
			t.Errorf("a token that the issuer did not sign: %v", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	i := newIssuer(b)
	v, _ := i.verifier(b, nil)
	token := sign(b, jose.RS256, rsaKey(), kid("k1"), claimsOf(i, nil))
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
