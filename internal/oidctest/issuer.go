// Package oidctest is a CI's OpenID Connect issuer: a real HTTP server with a
// discovery document and keys, whose ID tokens say what a test wants.
package oidctest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// lifetime of ID tokens, as of those of GitHub Actions.
const lifetime = 5 * time.Minute

// Issuer is an OpenID Connect issuer. It is safe for concurrent use.
type Issuer struct {
	// URL is the issuer's identifier, the iss of its tokens.
	URL string

	http *httptest.Server

	mu     sync.Mutex
	keys   []jose.JSONWebKey // the newest last
	claims map[string]any
}

// New starts an issuer on a free loopback port; it is closed by t.Cleanup.
func New(t testing.TB) *Issuer {
	t.Helper()
	issuer, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(issuer.Close)
	return issuer
}

// Start is New without a test, for commands. Close ends the issuer.
func Start(address string) (*Issuer, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the OIDC issuer: %w", err)
	}
	i := &Issuer{URL: "http://" + listener.Addr().String(), claims: GitHubActionsClaims(nil)}
	i.RotateKey()
	i.http = &httptest.Server{Listener: listener, Config: &http.Server{Handler: i.routes(), ReadHeaderTimeout: time.Minute}}
	i.http.Start()
	return i, nil
}

// Close ends the issuer.
func (i *Issuer) Close() { i.http.Close() }

// SetClaims sets the claims of the job that asks at the URL of
// [Issuer.ActionsTokenURL]; at first they are those of GitHubActionsClaims.
func (i *Issuer) SetClaims(claims map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.claims = maps.Clone(claims)
}

// RotateKey signs with a new key from now on. The former keys are published
// still, so tokens signed with them stay good.
func (i *Issuer) RotateKey() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append(i.keys, jose.JSONWebKey{
		Key: key, KeyID: strconv.Itoa(len(i.keys) + 1), Algorithm: string(jose.RS256), Use: "sig",
	})
}

// PublicKeyPEM is the newest key, e.g. for jwt_validation_pubkeys.
func (i *Issuer) PublicKeyPEM() string {
	key := i.newestKey()
	der, err := x509.MarshalPKIXPublicKey(key.Public().Key)
	if err != nil {
		panic(err) // an RSA key always has this form
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func (i *Issuer) newestKey() jose.JSONWebKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[len(i.keys)-1]
}

// Sign returns an ID token with the claims, and with iss, iat, nbf, exp (in five
// minutes) and jti unless they are given. A claim that is nil is left out.
func (i *Issuer) Sign(claims map[string]any) string {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: i.newestKey()},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	if err != nil {
		panic(err) // the key is one of ours
	}
	signed, err := jwt.Signed(signer).Claims(i.complete(claims)).Serialize()
	if err != nil {
		panic("oidctest: sign an ID token: " + err.Error())
	}
	return signed
}

func (i *Issuer) complete(claims map[string]any) map[string]any {
	now := time.Now()
	all := map[string]any{
		"iss": i.URL,
		"iat": now.Unix(),
		"nbf": now.Unix(),
		"exp": now.Add(lifetime).Unix(),
		"jti": rand.Text(),
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}
