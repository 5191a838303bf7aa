package idtoken

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
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

	fetchTimeout = 10 * time.Second
	maxDocument  = 1 << 20
	minRSABits   = 2048
)

// keySet is the issuer's keys: static, or fetched and cached. It implements the
// KeySet of hashicorp/cap.
type keySet struct {
	discoveryURL, jwksURL string
	issuer                string
	allowed               []jose.SignatureAlgorithm
	client                *http.Client
	now                   func() time.Time

	fetches singleflight.Group

	mu        sync.Mutex
	keys      []jose.JSONWebKey
	fetchedAt time.Time // zero for static keys
	triedAt   time.Time
	lastError error
}

func newKeySet(cfg Config) (*keySet, error) {
	k := &keySet{discoveryURL: strings.TrimRight(cfg.DiscoveryURL, "/"), jwksURL: cfg.JWKSURL, issuer: cfg.Issuer, now: cfg.Now}
	for _, algorithm := range cfg.Algorithms {
		k.allowed = append(k.allowed, jose.SignatureAlgorithm(algorithm))
	}
	for field, raw := range map[string]string{"oidc_discovery_url": cfg.DiscoveryURL, "jwks_url": cfg.JWKSURL} {
		if raw == "" {
			continue
		}
		if err := checkURL(raw); err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
	}
	for i, text := range cfg.PublicKeys {
		key, err := parsePublicKey(text)
		if err != nil {
			return nil, fmt.Errorf("jwt_validation_pubkeys: item %d: %w", i+1, err)
		}
		k.keys = append(k.keys, jose.JSONWebKey{Key: key})
	}
	var err error
	k.client, err = httpClient(cfg.CAPEM)
	return k, err
}

// checkURL takes https, and http on a loopback address.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "":
		return errors.New("it is not a URL with a host")
	case u.User != nil || u.Fragment != "":
		return errors.New("it must not hold user information or a fragment")
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return fmt.Errorf("its scheme is %q, not https", u.Scheme)
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return errors.New("http is allowed for loopback addresses only; use https")
}

func httpClient(caPEM string) (*http.Client, error) {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: fetchTimeout,
		DisableKeepAlives:   true, // one fetch an hour
	}
	if caPEM != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM([]byte(caPEM)) {
			return nil, errors.New("ca_pem: it holds no PEM certificate")
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{Transport: transport, CheckRedirect: noRedirects, Timeout: fetchTimeout}, nil
}

func parsePublicKey(text string) (crypto.PublicKey, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("it is not one PEM block")
	}
	var key crypto.PublicKey
	switch block.Type {
	case "PUBLIC KEY":
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("it is damaged or of an unknown kind")
		}
		key = parsed
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("it is a damaged certificate")
		}
		key = certificate.PublicKey
	default:
		return nil, fmt.Errorf("it is a PEM block of type %q, not a public key", block.Type)
	}
	return key, checkKey(key)
}

// checkKey refuses keys that are too weak, or for no signature that is allowed.
func checkKey(key any) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits {
			return fmt.Errorf("it is an RSA key of %d bits, of which %d are the least", bits, minRSABits)
		}
		return nil
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return nil
	}
	return errors.New("it is not an RSA, EC or Ed25519 public key")
}

// VerifySignature returns the payload's claims if one of the keys has signed the
// token. A key in the token's own header is never used.
func (k *keySet) VerifySignature(ctx context.Context, token string) (map[string]any, error) {
	signed, err := jose.ParseSignedCompact(token, k.allowed)
	if err != nil {
		return nil, errors.New("it is not a signed JWT")
	}
	kid := signed.Signatures[0].Header.KeyID
	keys, err := k.keysFor(ctx, kid)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if payload, err := signed.Verify(key.Key); err == nil {
			return decodeClaims(payload)
		}
	}
	return nil, errors.New("no key of the issuer has signed it")
}

// keysFor returns the keys that may have signed a token with the kid: fetched
// anew if they are old or the kid is unknown, at most every fetchPause.
func (k *keySet) keysFor(ctx context.Context, kid string) ([]jose.JSONWebKey, error) {
	found, age := k.cached(kid)
	if k.static() || (len(found) > 0 && age < refreshAfter) {
		return found, nil
	}
	err := k.fetch(ctx)
	found, age = k.cached(kid)
	if age > maxAge {
		if err == nil {
			err = errors.New("none were fetched yet")
		}
		return nil, &UnavailableError{err}
	}
	return found, nil
}

func (k *keySet) static() bool { return k.discoveryURL == "" && k.jwksURL == "" }

// cached returns the keys that a kid may mean, and their age.
func (k *keySet) cached(kid string) ([]jose.JSONWebKey, time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := k.now().Sub(k.fetchedAt)
	if kid == "" || k.static() {
		return k.keys, age
	}
	var found []jose.JSONWebKey
	for _, key := range k.keys {
		if key.KeyID == kid || key.KeyID == "" {
			found = append(found, key)
		}
	}
	return found, age
}

// fetch refreshes the keys, once for all who ask at the same time, unless that
// was tried a moment ago; then it returns how that went.
func (k *keySet) fetch(ctx context.Context) error {
	shared := k.fetches.DoChan("", func() (any, error) {
		k.mu.Lock()
		tried, last := k.triedAt, k.lastError
		k.mu.Unlock()
		if !tried.IsZero() && k.now().Sub(tried) < fetchPause {
			return nil, last
		}
		return nil, k.refresh(context.WithoutCancel(ctx))
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case result := <-shared:
		return result.Err
	}
}

// refresh fetches the keys now.
func (k *keySet) refresh(ctx context.Context) error {
	if k.static() {
		return nil
	}
	keys, err := k.download(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.triedAt, k.lastError = k.now(), err
	if err == nil {
		k.keys, k.fetchedAt = keys, k.now()
	}
	return err
}

func (k *keySet) download(ctx context.Context) ([]jose.JSONWebKey, error) {
	location := k.jwksURL
	if location == "" {
		var err error
		if location, err = k.discover(ctx); err != nil {
			return nil, err
		}
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := k.getJSON(ctx, location, &set); err != nil {
		return nil, err
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		// A key of a kind that is not known is another algorithm's.
		if key.UnmarshalJSON(raw) != nil || (key.Use != "" && key.Use != "sig") || checkKey(key.Key) != nil {
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no key for signatures", location)
	}
	return keys, nil
}

// discover returns the URL of the keys from the issuer's discovery document,
// which must be this issuer's (OpenID Connect Discovery 1.0, section 4.3).
func (k *keySet) discover(ctx context.Context) (string, error) {
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	location := k.discoveryURL + "/.well-known/openid-configuration"
	if err := k.getJSON(ctx, location, &document); err != nil {
		return "", err
	}
	if document.Issuer != k.issuer {
		return "", fmt.Errorf("%s is of the issuer %.200q, not of bound_issuer %q", location, document.Issuer, k.issuer)
	}
	if err := checkURL(document.JWKSURI); err != nil {
		return "", fmt.Errorf("%s: jwks_uri: %w", location, err)
	}
	// An issuer elsewhere must not send us to a port of this machine.
	if strings.HasPrefix(location, "https:") && !strings.HasPrefix(document.JWKSURI, "https:") {
		return "", fmt.Errorf("%s: jwks_uri: it is not https, as the issuer is", location)
	}
	return document.JWKSURI, nil
}

func (k *keySet) getJSON(ctx context.Context, location string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", location, err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := k.client.Do(req)
	if err != nil {
		return fmt.Errorf("fetch the issuer's keys: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d", location, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", location, err)
	case len(body) > maxDocument:
		return fmt.Errorf("%s is longer than %d bytes", location, maxDocument)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s is not JSON", location)
	}
	return nil
}
