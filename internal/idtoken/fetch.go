package idtoken

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// fetchTimeout is for discovery and keys together.
	fetchTimeout = 10 * time.Second
	maxDocument  = 1 << 20
	maxRedirects = 3
)

// source is where the keys of an issuer are fetched from.
type source struct {
	discoveryURL, jwksURL string
	issuer                string
	algorithms            []jose.SignatureAlgorithm
	client                *http.Client
}

func newSource(cfg Config, algorithms []jose.SignatureAlgorithm) (*source, error) {
	if cfg.DiscoveryURL != "" {
		if err := checkURL(cfg.DiscoveryURL); err != nil {
			return nil, fmt.Errorf("oidc_discovery_url: %w", err)
		}
		if strings.Contains(cfg.DiscoveryURL, "?") {
			return nil, errors.New("oidc_discovery_url: it must not hold a query")
		}
	}
	if cfg.JWKSURL != "" {
		if err := checkURL(cfg.JWKSURL); err != nil {
			return nil, fmt.Errorf("jwks_url: %w", err)
		}
	}
	client, err := httpClient(cfg.CAPEM)
	if err != nil {
		return nil, err
	}
	return &source{
		discoveryURL: strings.TrimRight(cfg.DiscoveryURL, "/"), jwksURL: cfg.JWKSURL,
		issuer: cfg.Issuer, algorithms: algorithms, client: client,
	}, nil
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
		Proxy:             http.ProxyFromEnvironment,
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, // one fetch an hour
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
	return &http.Client{Transport: transport, CheckRedirect: stayOnHost}, nil
}

// stayOnHost keeps a fetch on the host that was named.
func stayOnHost(req *http.Request, via []*http.Request) error {
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return fmt.Errorf("a redirect to %s://%s was not followed", req.URL.Scheme, req.URL.Host)
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("there were more than %d redirects", maxRedirects)
	}
	return nil
}

// fetch returns the issuer's keys for signatures, of which there is at least
// one.
func (s *source) fetch(ctx context.Context) ([]publicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	location := s.jwksURL
	if location == "" {
		var err error
		if location, err = s.discover(ctx); err != nil {
			return nil, err
		}
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := s.getJSON(ctx, location, &set); err != nil {
		return nil, err
	}
	var keys []publicKey
	for _, raw := range set.Keys {
		var jwk jose.JSONWebKey
		// What cannot be read is a key of a kind that none of the algorithms has.
		if jwk.UnmarshalJSON(raw) != nil || jwk.Use != "" && jwk.Use != "sig" {
			continue
		}
		if key, err := newPublicKey(jwk, s.algorithms); err == nil {
			keys = append(keys, key)
		}
	}
	if keys == nil {
		return nil, fmt.Errorf("%s holds no key for signatures by %s", location, s.algorithms)
	}
	return keys, nil
}

// discover returns the URL of the keys from the issuer's discovery document,
// which must be this issuer's (OpenID Connect Discovery 1.0, section 4.3).
func (s *source) discover(ctx context.Context) (string, error) {
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	location := s.discoveryURL + "/.well-known/openid-configuration"
	if err := s.getJSON(ctx, location, &document); err != nil {
		return "", err
	}
	if document.Issuer != s.issuer {
		return "", fmt.Errorf("%s is of the issuer %.200q, not of bound_issuer %q", location, document.Issuer, s.issuer)
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

func (s *source) getJSON(ctx context.Context, location string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", location, err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", location, explained(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d", location, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", location, explained(err))
	case len(body) > maxDocument:
		return fmt.Errorf("%s is longer than %d bytes", location, maxDocument)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s is not JSON", location)
	}
	return nil
}

// explained is a failure of a request without the URL, which the caller names,
// and with what helps.
func explained(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	var unknownAuthority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknownAuthority):
		return fmt.Errorf("%w; ca_pem takes the certificate of its authority", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("there was no answer in time: %w", err)
	}
	return err
}
