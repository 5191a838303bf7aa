package githubapp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultBaseURL is github.com's REST API.
const DefaultBaseURL = "https://api.github.com"

// Endpoint is where one GitHub is and how to get there. The zero value of all
// but BaseURL and RequestTimeout is right for github.com.
type Endpoint struct {
	// BaseURL is the REST API's, without a trailing slash; see [ParseBaseURL].
	BaseURL string
	// CAPEM holds certificates to trust beside the system's.
	CAPEM string
	// ProxyURL is an HTTP proxy; if empty the environment's is used.
	ProxyURL string
	// RequestTimeout bounds the wait for one answer.
	RequestTimeout time.Duration
}

// ParseBaseURL checks the URL of a GitHub's REST API and returns it without a
// trailing slash. It must be https, or http on a loopback address, and hold
// nothing but scheme, host and path.
func ParseBaseURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "", errors.New("it is not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("its scheme is %q, not https", u.Scheme)
	case u.Hostname() == "" || u.Opaque != "":
		return "", errors.New("it has no host")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "", errors.New("http is allowed for loopback addresses only; use https")
	case u.User != nil:
		return "", errors.New("it must not hold user information")
	case u.RawQuery != "" || u.ForceQuery:
		return "", errors.New("it must not hold a query")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return "", errors.New("it must not hold a fragment")
	case strings.EqualFold(u.Hostname(), "github.com"):
		return "", fmt.Errorf("github.com's REST API is at %s", DefaultBaseURL)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u.String(), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// ParseProxyURL checks the URL of an HTTP proxy.
func ParseProxyURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("its scheme is %q, not http or https", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("it has no host")
	}
	return u, nil
}

// ParseCA reads the certificates of a PEM bundle into the system's pool.
func ParseCA(bundle string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM([]byte(bundle)) {
		return nil, errors.New("it holds no PEM certificate")
	}
	return pool, nil
}

// idleConnections matches the most calls that GitHub takes at once from one App.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
const idleConnections = 100

// transport returns the transport to this GitHub. Its idle connections are
// dropped before GitHub's own time-out, so that a request seldom meets a
// connection that is just being closed.
func (e Endpoint) transport() (*http.Transport, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          idleConnections,
		MaxIdleConnsPerHost:   idleConnections,
		IdleConnTimeout:       30 * time.Second,
		ReadBufferSize:        64 << 10, // 500 repositories are 2.7 MB
		ExpectContinueTimeout: time.Second,
		// Without these a connection of HTTP/2 whose other end is gone would be
		// used, and time out, for a quarter of an hour.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
	if e.CAPEM != "" {
		pool, err := ParseCA(e.CAPEM)
		if err != nil {
			return nil, fmt.Errorf("ca_pem: %w", err)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	if e.ProxyURL != "" {
		proxy, err := ParseProxyURL(e.ProxyURL)
		if err != nil {
			return nil, fmt.Errorf("proxy_url: %w", err)
		}
		t.Proxy = http.ProxyURL(proxy)
	}
	return t, nil
}
