package idtoken

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestOnlyTheIssuersTokenForUsIsTaken(t *testing.T) {
	t.Parallel()
	i, other := newIssuer(t), newIssuer(t)
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	good := i.token(t, nil)
	header := func(name jose.HeaderKey, value any) string {
		return sign(t, jose.RS256, otherKey(), map[jose.HeaderKey]any{"kid": "k1", name: value}, i.claims(nil))
	}
	payload := func(format string, args ...any) string {
		return signBytes(t, jose.RS256, rsaKey(), kid("k1"), fmt.Appendf(nil, format, args...))
	}
	tests := map[string]struct {
		token string
		says  string // empty if it is taken
	}{
		"as the issuer makes it":  {good, ""},
		"without a kid":           {sign(t, jose.RS256, rsaKey(), nil, i.claims(nil)), ""},
		"for several audiences":   {i.token(t, map[string]any{"aud": []string{"other", "vault"}}), ""},
		"within the clocks' skew": {i.token(t, map[string]any{"nbf": at(clockLeeway / 2), "iat": at(clockLeeway / 2)}), ""},

		"for another audience":     {i.token(t, map[string]any{"aud": "other"}), `wanted one of ["vault"], seen ["other"]`},
		"for no audience":          {i.token(t, map[string]any{"aud": nil}), "aud"},
		"for an empty audience":    {i.token(t, map[string]any{"aud": ""}), "aud"},
		"for a long audience":      {i.token(t, map[string]any{"aud": strings.Repeat("a", 8000)}), "aud"},
		"under another's name":     {i.token(t, map[string]any{"iss": "https://evil.example"}), `seen "https://evil.example"`},
		"of no issuer":             {i.token(t, map[string]any{"iss": nil}), "iss"},
		"expired":                  {i.token(t, map[string]any{"iat": at(-time.Hour), "nbf": nil, "exp": at(-time.Minute)}), "expired"},
		"not yet valid":            {i.token(t, map[string]any{"nbf": at(time.Minute)}), "not yet valid"},
		"issued in the future":     {i.token(t, map[string]any{"iat": at(time.Minute)}), "future"},
		"without an end":           {i.token(t, map[string]any{"exp": nil}), "no exp claim"},
		"that ends at 0":           {i.token(t, map[string]any{"exp": 0}), "no exp claim"},
		"that ends before 1":       {i.token(t, map[string]any{"exp": 0.5}), "no exp claim"},
		"with a text for an end":   {i.token(t, map[string]any{"exp": "tomorrow"}), "refused"},
		"with an iss by two names": {payload(`{"iss":%q,"ISS":%q,"aud":"vault","exp":%d}`, i.URL, other.URL, at(time.Minute)), "ambiguous"},
		"with a claim twice":       {payload(`{"iss":%q,"aud":"vault","exp":%d,"ref":"a","ref":"b"}`, i.URL, at(time.Minute)), "duplicate object member name \"ref\""},
		"with a name twice inside": {payload(`{"iss":%q,"aud":"vault","exp":%d,"a":[{"b":1,"b":2}]}`, i.URL, at(time.Minute)), "duplicate object member name \"b\""},
		"with two payloads":        {payload(`{"iss":%q,"aud":"vault","exp":%d} {}`, i.URL, at(time.Minute)), "ambiguous"},
		"with a list for claims":   {payload(`[]`), "not a JSON object"},
		"with null for claims":     {payload(`null`), "not a JSON object"},

		"signed by another key":            {sign(t, jose.RS256, otherKey(), kid("k1"), i.claims(nil)), "no key of the issuer"},
		"signed by no known key":           {sign(t, jose.RS256, otherKey(), kid("k2"), i.claims(nil)), `no key of the issuer has signed it (key ID "k2")`},
		"of another issuer, same sub":      {sign(t, jose.RS256, otherKey(), kid("k1"), other.claims(nil)), "no key of the issuer"},
		"of another issuer, same key":      {other.token(t, nil), fmt.Sprintf("wanted %q, seen %q", i.URL, other.URL)},
		"with another algorithm":           {sign(t, jose.RS512, rsaKey(), kid("k1"), i.claims(nil)), `"RS512" is not one of [RS256]`},
		"with no algorithm":                {unsigned(`{"kid":"k1"}`, i.claims(nil), "x"), `"" is not one of`},
		"with no signature":                {unsigned(`{"alg":"none","kid":"k1"}`, i.claims(nil), ""), `"none" is not one of`},
		"with no signature, in capitals":   {unsigned(`{"alg":"NONE","kid":"k1"}`, i.claims(nil), "x"), "is not one of"},
		"with an empty signature":          {good[:strings.LastIndex(good, ".")+1], "no key of the issuer"},
		"with the public key as secret":    {sign(t, jose.HS256, []byte(publicPEM(t, &rsaKey().PublicKey)), kid("k1"), i.claims(nil)), `"HS256" is not one of`},
		"with two algorithms":              {unsigned(`{"alg":"RS256","alg":"none"}`, i.claims(nil), ""), "not a signed JWT"},
		"with its own key in it":           {header("jwk", jose.JSONWebKey{Key: &otherKey().PublicKey}), "no key of the issuer"},
		"with a URL of its own keys":       {header("jku", i.URL+"/evil"), "no key of the issuer"},
		"with a URL of a certificate":      {header("x5u", i.URL+"/evil"), "no key of the issuer"},
		"with a certificate in it":         {header("x5c", []string{base64.StdEncoding.EncodeToString(selfSigned(t))}), "no key of the issuer"},
		"with a critical extension":        {unsigned(`{"alg":"RS256","kid":"k1","crit":["exp"]}`, i.claims(nil), "x"), "critical"},
		"with a payload that is not coded": {sign(t, jose.RS256, rsaKey(), map[jose.HeaderKey]any{"kid": "k1", "b64": false, "crit": []string{"b64"}}, i.claims(nil)), "critical"},
		"changed after it was signed":      {tampered(good), "no key of the issuer"},

		"huge":       {i.token(t, map[string]any{"x": strings.Repeat("a", maxToken)}), "longer than"},
		"nothing":    {"", "three parts"},
		"two dots":   {"..", `"" is not one of`},
		"garbage":    {"a.b.c", "not a signed JWT"},
		"encrypted":  {"e30.e30.e30.e30.e30", "three parts"},
		"JSON":       {`{"payload":"","signatures":[]}`, "three parts"},
		"JSON, dots": {`{"protected":"a.b.c"}`, "not a signed JWT"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, _ := i.verifier(t, nil)
			claims, err := v.Verify(t.Context(), test.token)
			if test.says != "" {
				wantInvalid(t, err, test.says, test.token)
				return
			}
			if err != nil || claims["repository_id"] != json.Number("7") {
				t.Errorf("got %v, %v", claims, err)
			}
		})
	}
	t.Cleanup(func() {
		if n := i.strays.Load(); n != 0 {
			t.Errorf("%d requests to URLs of a token's header", n)
		}
	})
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

func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := i.verifier(t, nil)
	const id = json.Number("9007199254740993") // no float64
	claims, err := v.Verify(t.Context(), i.token(t, map[string]any{"repository_id": id, "nested": map[string]any{"id": id}}))
	if err != nil {
		t.Fatal(err)
	}
	nested, _ := claims["nested"].(map[string]any)
	if claims["repository_id"] != id || nested["id"] != id {
		t.Errorf("claims are %v", claims)
	}
}

func TestEveryAllowedAlgorithmVerifies(t *testing.T) {
	t.Parallel()
	curve := func(c elliptic.Curve) *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	p256, p384, p521 := curve(elliptic.P256()), curve(elliptic.P384()), curve(elliptic.P521())
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[jose.SignatureAlgorithm][2]any{
		jose.ES256: {p256, &p256.PublicKey}, jose.ES384: {p384, &p384.PublicKey}, jose.ES512: {p521, &p521.PublicKey},
		jose.EdDSA: {private, public},
	}
	for _, algorithm := range rsaAlgorithms {
		keys[algorithm] = [2]any{rsaKey(), &rsaKey().PublicKey}
	}
	i := newIssuer(t)
	for _, algorithm := range asymmetric {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			v, _ := i.verifier(t, func(c *Config) {
				c.DiscoveryURL, c.PublicKeys, c.Algorithms = "", []string{publicPEM(t, keys[algorithm][1])}, []string{string(algorithm)}
			})
			if _, err := v.Verify(t.Context(), sign(t, algorithm, keys[algorithm][0], kid("any"), i.claims(nil))); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	only := func(keys ...string) func(*Config) {
		return func(c *Config) { c.DiscoveryURL, c.PublicKeys = "", keys }
	}
	good := publicPEM(t, &rsaKey().PublicKey)
	tests := map[string]struct {
		change func(*Config)
		says   string
	}{
		"no keys":               {func(c *Config) { c.DiscoveryURL = "" }, "exactly one of"},
		"two ways to keys":      {func(c *Config) { c.JWKSURL = "https://ci.example/jwks" }, "exactly one of"},
		"no issuer":             {func(c *Config) { c.Issuer = "" }, "bound_issuer"},
		"no audience":           {func(c *Config) { c.Audiences = nil }, "bound_audiences"},
		"an empty audience":     {func(c *Config) { c.Audiences = []string{""} }, "bound_audiences"},
		"no algorithm":          {func(c *Config) { c.Algorithms = []string{"none"} }, `jwt_supported_algs: "none"`},
		"a MAC":                 {func(c *Config) { c.Algorithms = []string{"RS256", "HS256"} }, `jwt_supported_algs: "HS256"`},
		"http elsewhere":        {func(c *Config) { c.DiscoveryURL = "http://ci.example" }, "oidc_discovery_url: http is allowed"},
		"keys by http":          {func(c *Config) { c.DiscoveryURL, c.JWKSURL = "", "http://ci.example" }, "jwks_url: http is allowed"},
		"no host":               {func(c *Config) { c.DiscoveryURL = "file:///etc/passwd" }, "oidc_discovery_url: it is not a URL with a host"},
		"another scheme":        {func(c *Config) { c.DiscoveryURL = "ftp://ci.example" }, `oidc_discovery_url: its scheme is "ftp"`},
		"a password in the URL": {func(c *Config) { c.DiscoveryURL = "https://a:b@ci.example" }, "user information"},
		"a query":               {func(c *Config) { c.DiscoveryURL = "https://ci.example?a=b" }, "query"},
		"a CA that is none":     {func(c *Config) { c.CAPEM = "no" }, "ca_pem"},
		"a key that is none":    {only("no"), "jwt_validation_pubkeys: item 1: it is not one PEM block"},
		"two keys in one":       {only(good + good), "item 1: it is not one PEM block"},
		"a damaged key":         {only(good, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), "item 2: it is damaged"},
		"a damaged certificate": {only(certificatePEM(nil)), "item 1: it is a damaged certificate"},
		"a private key":         {only("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "not a public key"},
		"a key of 1024 bits":    {only(publicPEM(t, &weakKey().PublicKey)), "1024 bits"},
		"a curve that is weak":  {only(publicPEM(t, &p224.PublicKey)), "it is not a public key of RSA, P-256"},
		"a key that fits no algorithm": {func(c *Config) {
			only(good)(c)
			c.Algorithms = []string{"ES256", "EdDSA"}
		}, "item 1: it is no key for [ES256 EdDSA]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{DiscoveryURL: "https://ci.example", Issuer: "https://ci.example", Audiences: []string{"vault"}}
			test.change(&cfg)
			_, err := New(cfg)
			wantError(t, err, test.says)
		})
	}
}

func FuzzVerify(f *testing.F) {
	i := newIssuer(f)
	v, _ := i.verifier(f, func(c *Config) { c.DiscoveryURL, c.PublicKeys = "", []string{publicPEM(f, &rsaKey().PublicKey)} })
	f.Add(sign(f, jose.RS256, otherKey(), kid("k1"), i.claims(nil)))
	f.Add(tampered(i.token(f, nil)))
	f.Fuzz(func(t *testing.T, token string) {
		_, err := v.Verify(t.Context(), token)
		var invalid *InvalidError
		if !errors.As(err, &invalid) {
			t.Fatalf("a token that the issuer did not sign: %v", err)
		}
		if len(token) > 100 && strings.Contains(err.Error(), token) {
			t.Error("the error holds the token")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	i := newIssuer(b)
	v, _ := i.verifier(b, nil)
	token := i.token(b, nil)
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
