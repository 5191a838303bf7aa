package idtoken

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

const (
	// refreshAfter is the age at which keys are fetched again, maxAge the one
	// after which they are not believed any more when that fails.
	refreshAfter = time.Hour
	maxAge       = 24 * time.Hour
	// fetchPause is the least between two fetches, whatever tokens are sent: an
	// unknown kid costs nothing to make up.
	fetchPause = 10 * time.Second
	// patience is how long a request waits for newer keys while those at hand
	// are still believed, so that an issuer that hangs holds nobody up for long.
	patience = 2 * time.Second

	minRSABits = 2048
)

// The algorithms that a key can be for. There is no MAC, whose key would be
// public, and not "none".
var (
	rsaAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	asymmetric    = slices.Concat(rsaAlgorithms, []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA})
)

// publicKey is a key of the issuer's. It verifies its algorithms only, whatever
// a token's header says.
type publicKey struct {
	key        crypto.PublicKey
	id         string // the kid; may be empty, or that of another key too
	algorithms []jose.SignatureAlgorithm
}

// algorithmsOf are those that a key can be for. It refuses keys that are too
// weak, private or of another kind.
func algorithmsOf(key crypto.PublicKey) ([]jose.SignatureAlgorithm, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits {
			return nil, fmt.Errorf("it is an RSA key of %d bits, of which %d are the least", bits, minRSABits)
		}
		return rsaAlgorithms, nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return []jose.SignatureAlgorithm{jose.ES256}, nil
		case elliptic.P384():
			return []jose.SignatureAlgorithm{jose.ES384}, nil
		case elliptic.P521():
			return []jose.SignatureAlgorithm{jose.ES512}, nil
		}
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}, nil
	}
	return nil, errors.New("it is not a public key of RSA, P-256, P-384, P-521 or Ed25519")
}

// newPublicKey makes a key of a JWK, for those of the allowed algorithms that
// it fits.
func newPublicKey(jwk jose.JSONWebKey, allowed []jose.SignatureAlgorithm) (publicKey, error) {
	key := publicKey{key: jwk.Key, id: jwk.KeyID}
	possible, err := algorithmsOf(jwk.Key)
	if err != nil {
		return key, err
	}
	for _, algorithm := range possible {
		if slices.Contains(allowed, algorithm) && (jwk.Algorithm == "" || jwk.Algorithm == string(algorithm)) {
			key.algorithms = append(key.algorithms, algorithm)
		}
	}
	if key.algorithms == nil {
		return key, fmt.Errorf("it is no key for %s", allowed)
	}
	return key, nil
}

func parsePublicKey(text string) (crypto.PublicKey, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("it is not one PEM block")
	}
	switch block.Type {
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("it is damaged or of an unknown kind")
		}
		return key, nil
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("it is a damaged certificate")
		}
		return certificate.PublicKey, nil
	}
	return nil, fmt.Errorf("it is a PEM block of type %q, not a public key", block.Type)
}

// keySet is the issuer's keys: static, or fetched and cached. It implements the
// KeySet of hashicorp/cap, whose own has no bound on fetches and no age.
type keySet struct {
	algorithms []jose.SignatureAlgorithm
	source     *source // nil for static keys
	now        func() time.Time

	fetches singleflight.Group

	mu    sync.Mutex
	cache cache
}

// cache is the outcome of the fetches so far.
type cache struct {
	keys      []publicKey
	fetchedAt time.Time
	// triedAt is when a fetch last ended, well or with lastError.
	triedAt   time.Time
	lastError error
}

func newKeySet(cfg Config) (*keySet, error) {
	k := &keySet{now: cfg.Now}
	for _, algorithm := range cfg.Algorithms {
		k.algorithms = append(k.algorithms, jose.SignatureAlgorithm(algorithm))
	}
	if len(cfg.PublicKeys) == 0 {
		var err error
		k.source, err = newSource(cfg, k.algorithms)
		return k, err
	}
	for i, text := range cfg.PublicKeys {
		parsed, err := parsePublicKey(text)
		if err != nil {
			return nil, fmt.Errorf("jwt_validation_pubkeys: item %d: %w", i+1, err)
		}
		key, err := newPublicKey(jose.JSONWebKey{Key: parsed}, k.algorithms)
		if err != nil {
			return nil, fmt.Errorf("jwt_validation_pubkeys: item %d: %w", i+1, err)
		}
		k.cache.keys = append(k.cache.keys, key)
	}
	return k, nil
}

// VerifySignature returns the payload's claims if one of the keys has signed the
// token. A key in the token's own header is never used.
func (k *keySet) VerifySignature(ctx context.Context, token string) (map[string]any, error) {
	signed, err := jose.ParseSignedCompact(token, k.algorithms)
	if err != nil {
		return nil, invalidf("it is not a signed JWT")
	}
	keys, err := k.current(ctx)
	if err != nil {
		return nil, err
	}
	kid := signed.Signatures[0].Header.KeyID
	payload, ok := verify(signed, keys)
	if !ok && k.source != nil && !knows(keys, kid) {
		if keys, err = k.newer(ctx); err != nil {
			return nil, err
		}
		payload, ok = verify(signed, keys)
	}
	if !ok {
		return nil, invalidf("no key of the issuer has signed it (key ID %.100q)", kid)
	}
	return decodeClaims(payload)
}

// verify returns the payload of a token that one of the keys has signed.
func verify(token *jose.JSONWebSignature, keys []publicKey) ([]byte, bool) {
	header := token.Signatures[0].Header
	for _, key := range keys {
		if header.KeyID != "" && key.id != "" && key.id != header.KeyID {
			continue
		}
		if !slices.Contains(key.algorithms, jose.SignatureAlgorithm(header.Algorithm)) {
			continue
		}
		if payload, err := token.Verify(key.key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

func knows(keys []publicKey, kid string) bool {
	return kid != "" && slices.ContainsFunc(keys, func(key publicKey) bool { return key.id == kid })
}

// current returns keys that are to be believed, fetched anew if they are old.
func (k *keySet) current(ctx context.Context) ([]publicKey, error) {
	cached, age := k.cached()
	if k.source == nil || age < refreshAfter {
		return cached.keys, nil
	}
	wait := ctx
	if age <= maxAge {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	err := k.refresh(wait)
	switch cached, age = k.cached(); {
	case age <= maxAge:
		return cached.keys, nil
	case cached.keys == nil:
		return nil, &UnavailableError{err}
	}
	return nil, &UnavailableError{fmt.Errorf("those at hand are %s old, and newer ones could not be fetched: %w", age.Round(time.Second), err)}
}

// newer returns the keys after a look for a new one.
func (k *keySet) newer(ctx context.Context) ([]publicKey, error) {
	if err := k.refresh(ctx); err != nil {
		return nil, &UnavailableError{fmt.Errorf("none at hand is this token's, and newer ones could not be fetched: %w", err)}
	}
	cached, _ := k.cached()
	return cached.keys, nil
}

// cached returns the outcome of the fetches so far, and the age of the keys.
func (k *keySet) cached() (cache, time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cache, k.now().Sub(k.cache.fetchedAt)
}

// refresh fetches the keys, once for all who ask at the same time, unless that
// was tried a moment ago; then it returns how that went. Who does not wait for
// it does not end it.
func (k *keySet) refresh(ctx context.Context) error {
	shared := k.fetches.DoChan("", func() (any, error) {
		if last, _ := k.cached(); !last.triedAt.IsZero() && k.now().Sub(last.triedAt) < fetchPause {
			return nil, last.lastError
		}
		return nil, k.fetch(context.WithoutCancel(ctx))
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case result := <-shared:
		return result.Err
	}
}

// fetch fetches the keys now.
func (k *keySet) fetch(ctx context.Context) error {
	if k.source == nil {
		return nil
	}
	keys, err := k.source.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cache.triedAt, k.cache.lastError = k.now(), err
	if err == nil {
		k.cache.keys, k.cache.fetchedAt = keys, k.cache.triedAt
	}
	return err
}
