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
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/cap/jwt"
)

const (
	// maxToken is far above the few kilobytes of any CI's ID tokens.
	maxToken = 16 << 10
	// clockLeeway is how far our clock and the issuer's may be apart.
	clockLeeway = 30 * time.Second
)

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
}

// New checks a configuration. It asks nobody; [Verifier.Probe] does.
func New(cfg Config) (*Verifier, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = []string{string(jose.RS256)}
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
	v := &Verifier{keys: keys, validator: validator, expected: jwt.Expected{
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
		if !slices.Contains(asymmetric, jose.SignatureAlgorithm(algorithm)) {
			return fmt.Errorf("jwt_supported_algs: %q is not one of %s", algorithm, asymmetric)
		}
	}
	return nil
}

// Probe fetches the keys and says what failed.
func (v *Verifier) Probe(ctx context.Context) error { return v.keys.fetch(ctx) }

// KeysFetched is when the keys at hand were fetched; zero if they were not, or
// are the configuration's own.
func (v *Verifier) KeysFetched() time.Time {
	cached, _ := v.keys.cached()
	return cached.fetchedAt
}

// Verify returns the claims of a token: signed by the issuer, for our audience,
// not expired. Numbers are json.Number. The error is an [InvalidError] or an
// [UnavailableError].
func (v *Verifier) Verify(ctx context.Context, raw string) (map[string]any, error) {
	if err := v.checkForm(raw); err != nil {
		return nil, err
	}
	claims, err := v.validator.Validate(ctx, raw, v.expected)
	var invalid *InvalidError
	var unavailable *UnavailableError
	switch {
	case errors.As(err, &invalid):
		return nil, invalid
	case errors.As(err, &unavailable):
		return nil, unavailable
	case err != nil:
		return nil, invalidf("%.300s%.300s", err, v.mismatch(raw))
	case !ends(claims):
		return nil, invalidf("it has no exp claim")
	}
	return claims, nil
}

// checkForm takes nothing but one signature in the compact form, and looks at
// its header before any key is asked for.
func (v *Verifier) checkForm(raw string) error {
	if len(raw) > maxToken {
		return invalidf("it is longer than %d bytes", maxToken)
	}
	if strings.Count(raw, ".") != 2 {
		return invalidf("it is not a signed JWT: three parts with two dots between them")
	}
	token, err := jose.ParseSignedCompact(raw, v.keys.algorithms)
	var unexpected *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &unexpected):
		return invalidf("its algorithm %.20q is not one of %s", unexpected.Got, v.keys.algorithms)
	case err != nil:
		return invalidf("it is not a signed JWT: a part cannot be decoded")
	case token.Signatures[0].Header.ExtraHeaders["crit"] != nil:
		return invalidf("its header has critical extensions, of which none is known")
	}
	return nil
}

// mismatch adds what was seen to the errors that a job's author can mend. The
// signature has been verified by then.
func (v *Verifier) mismatch(raw string) string {
	token, err := josejwt.ParseSigned(raw, v.keys.algorithms)
	if err != nil {
		return ""
	}
	var seen josejwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&seen); err != nil {
		return ""
	}
	switch {
	case seen.Issuer != v.expected.Issuer:
		return fmt.Sprintf(": wanted %q, seen %q", v.expected.Issuer, seen.Issuer)
	case !slices.ContainsFunc(v.expected.Audiences, seen.Audience.Contains):
		return fmt.Sprintf(": wanted one of %q, seen %q", v.expected.Audiences, []string(seen.Audience))
	}
	return ""
}

// ends reports whether the claims hold an end. The validator checks it, but lets
// a token without one, or with 0, live on for a while from its beginning.
func ends(claims map[string]any) bool {
	exp, _ := claims["exp"].(json.Number)
	seconds, err := exp.Float64()
	return err == nil && seconds >= 1
}

// decodeClaims reads a payload with exact numbers. A name that is there twice,
// at any depth, is refused: readers differ in which one they take.
func decodeClaims(payload []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var claims map[string]any
	if err := decoder.Decode(&claims); err != nil || claims == nil {
		return nil, invalidf("its payload is not a JSON object")
	}
	if err := unambiguous(payload); err != nil {
		return nil, invalidf("its payload is ambiguous: %.200s", err)
	}
	return claims, nil
}

// unambiguous refuses JSON that readers can take for different things.
func unambiguous(payload []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(payload))
	if err := decoder.SkipValue(); err != nil {
		return err
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}
