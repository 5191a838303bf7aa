// Package idtoken verifies the ID token (OIDC, JWT) of a CI job and returns its
// claims. It knows nothing of Vault.
//
// Whoever signs with the issuer's key is the issuer; so a key is taken only from
// where the configuration says, never from the token, and only for the
// algorithms that the configuration allows.
package idtoken

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/cap/jwt"
)

const (
	// maxToken is far above the few kilobytes of any CI's ID tokens.
	maxToken = 16 << 10
	// clockLeeway is how far our clock and the issuer's may be apart.
	clockLeeway = 30 * time.Second
)

// algorithms are those that can be allowed: no MAC, whose key would be public,
// and not "none".
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Config says whose ID tokens are taken. Exactly one of DiscoveryURL, JWKSURL
// and PublicKeys is given.
type Config struct {
	// DiscoveryURL is the URL below which /.well-known/openid-configuration
	// names the keys; JWKSURL that of the keys themselves.
	DiscoveryURL, JWKSURL string
	// PublicKeys are the keys, PEM.
	PublicKeys []string
	// CAPEM holds certificates to trust for the URL beside the system's.
	CAPEM string
	// Issuer is the iss that a token must have, Audiences those of which its aud
	// must hold one. Both are required.
	Issuer    string
	Audiences []string
	// Algorithms are the signature algorithms to take; RS256 if none.
	Algorithms []string
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Verifier verifies ID tokens of one issuer. It is safe for concurrent use.
type Verifier struct {
	keys      *keySet
	validator *jwt.Validator
	expected  jwt.Expected
	allowed   []string
}

// New checks a configuration. It asks nobody; [Verifier.Probe] does.
func New(cfg Config) (*Verifier, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = []string{"RS256"}
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	keys, err := newKeySet(cfg)
	if err != nil {
		return nil, err
	}
	validator, err := jwt.NewValidator(keys)
	if err != nil {
		return nil, fmt.Errorf("set up the ID-token validator: %w", err)
	}
	v := &Verifier{keys: keys, validator: validator, allowed: cfg.Algorithms, expected: jwt.Expected{
		Issuer: cfg.Issuer, Audiences: cfg.Audiences, ClockSkewLeeway: clockLeeway, Now: cfg.Now,
	}}
	for _, algorithm := range cfg.Algorithms {
		v.expected.SigningAlgorithms = append(v.expected.SigningAlgorithms, jwt.Alg(algorithm))
	}
	return v, nil
}

// check refuses what would leave a claim of the token unchecked: the validator
// skips what it is not told to expect.
func (cfg Config) check() error {
	sources := 0
	for _, given := range []bool{cfg.DiscoveryURL != "", cfg.JWKSURL != "", len(cfg.PublicKeys) > 0} {
		if given {
			sources++
		}
	}
	switch {
	case sources != 1:
		return errors.New("give exactly one of oidc_discovery_url, jwks_url and jwt_validation_pubkeys")
	case cfg.Issuer == "":
		return errors.New("bound_issuer is missing: the iss that ID tokens must have")
	case len(cfg.Audiences) == 0 || slices.Contains(cfg.Audiences, ""):
		return errors.New("bound_audiences is missing: the audience that your jobs ask their ID tokens for, and nobody else's")
	}
	for _, algorithm := range cfg.Algorithms {
		if !slices.Contains(algorithms, algorithm) {
			return fmt.Errorf("jwt_supported_algs: %q is not one of %s", algorithm, strings.Join(algorithms, ", "))
		}
	}
	return nil
}

// Probe fetches the keys and says what failed.
func (v *Verifier) Probe(ctx context.Context) error { return v.keys.refresh(ctx) }

// Verify returns the claims of a token: signed by the issuer, for our audience,
// not expired. Numbers are json.Number. The error is an [InvalidError] or an
// [UnavailableError].
func (v *Verifier) Verify(ctx context.Context, raw string) (map[string]any, error) {
	if err := v.checkHeader(raw); err != nil {
		return nil, err
	}
	claims, err := v.validator.Validate(ctx, raw, v.expected)
	var unavailable *UnavailableError
	switch {
	case errors.As(err, &unavailable):
		return nil, unavailable
	case err != nil:
		return nil, invalidf("%s%s", err, v.hint(err, raw))
	case claims["exp"] == nil:
		return nil, invalidf("it has no exp claim")
	}
	return claims, nil
}

// checkHeader looks at a token before any key is asked for.
func (v *Verifier) checkHeader(raw string) error {
	if len(raw) > maxToken {
		return invalidf("it is longer than %d bytes", maxToken)
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return invalidf("it is not a signed JWT: three parts with two dots between them")
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return invalidf("its header is not base64url")
	}
	var fields struct {
		Algorithm string          `json:"alg"`
		Critical  json.RawMessage `json:"crit"`
	}
	switch err := json.Unmarshal(header, &fields); {
	case err != nil:
		return invalidf("its header is not JSON")
	case fields.Critical != nil:
		return invalidf("its header has critical extensions, of which none is known")
	case !slices.Contains(v.allowed, fields.Algorithm):
		return invalidf("its algorithm %.20q is not one of %s", fields.Algorithm, strings.Join(v.allowed, ", "))
	}
	return nil
}

// hint adds what was seen to the errors that a job's author can mend.
func (v *Verifier) hint(err error, raw string) string {
	payload, decoding := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	var seen struct {
		Issuer   any `json:"iss"`
		Audience any `json:"aud"`
	}
	if decoding != nil || json.Unmarshal(payload, &seen) != nil {
		return ""
	}
	switch {
	case strings.Contains(err.Error(), "(aud)"):
		return fmt.Sprintf(": wanted one of %q, seen %.200q", v.expected.Audiences, fmt.Sprint(seen.Audience))
	case strings.Contains(err.Error(), "(iss)"):
		return fmt.Sprintf(": wanted %q, seen %.200q", v.expected.Issuer, fmt.Sprint(seen.Issuer))
	}
	return ""
}

// decodeClaims reads a payload with exact numbers. A name that is there twice is
// refused: readers differ in which one they take.
func decodeClaims(payload []byte) (map[string]any, error) {
	if err := refuseDuplicates(payload); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var claims map[string]any
	if err := decoder.Decode(&claims); err != nil || claims == nil {
		return nil, errors.New("the payload is not a JSON object")
	}
	return claims, nil
}

func refuseDuplicates(payload []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return errors.New("the payload is not a JSON object")
	}
	seen := map[string]bool{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return errors.New("the payload is not JSON")
		}
		claim, _ := name.(string)
		if seen[claim] {
			return fmt.Errorf("the claim %.100q is there twice", claim)
		}
		seen[claim] = true
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			return errors.New("the payload is not JSON")
		}
	}
	return nil
}

// noRedirects keeps a fetch on the host that the administrator named.
func noRedirects(req *http.Request, via []*http.Request) error {
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme || len(via) > 3 {
		return fmt.Errorf("a redirect to %s was not followed", req.URL.Host)
	}
	return nil
}
