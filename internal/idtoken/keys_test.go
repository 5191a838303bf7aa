package idtoken

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func (i *issuer) wantFetches(t *testing.T, want int32) {
	t.Helper()
	if n := i.fetches.Load(); n != want {
		t.Errorf("fetched the keys %d times, want %d", n, want)
	}
}

func TestKeysAreFetchedOnceForAllWhoWait(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := i.verifier(t, nil)
	token := i.token(t, nil)
	var jobs sync.WaitGroup
	for range 20 {
		jobs.Go(func() {
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	jobs.Wait()
	i.wantFetches(t, 1)
}

func TestRotatedKeysAreTakenAndWithdrawnOnesNotAnyMore(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ oldID, newID string }{
		"with key IDs":          {"k1", "k2"},
		"without":               {"", ""},
		"a key ID at last":      {"", "k2"},
		"of tokens without one": {"k1", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			i.publish(jose.JSONWebKey{KeyID: test.oldID, Key: &rsaKey().PublicKey})
			v, clock := i.verifier(t, nil)
			header := func(id string) map[jose.HeaderKey]any {
				if id == "" {
					return nil
				}
				return kid(id)
			}
			old := sign(t, jose.RS256, rsaKey(), header(test.oldID), i.claims(nil))
			if _, err := v.Verify(t.Context(), old); err != nil {
				t.Fatal(err)
			}
			i.publish(jose.JSONWebKey{KeyID: test.newID, Key: &otherKey().PublicKey})
			clock.advance(fetchPause)
			if _, err := v.Verify(t.Context(), sign(t, jose.RS256, otherKey(), header(test.newID), i.claims(nil))); err != nil {
				t.Errorf("the new key: %v", err)
			}
			if _, err := v.Verify(t.Context(), old); err == nil {
				t.Error("a key that was withdrawn is still taken")
			}
			i.wantFetches(t, 2)
		})
	}
}

func TestAWithdrawnKeyIsNotTakenOnceTheKeysAreOld(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, clock := i.verifier(t, nil)
	token := i.token(t, map[string]any{"exp": time.Now().Add(2 * refreshAfter).Unix()})
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	i.publish(jose.JSONWebKey{KeyID: "k2", Key: &otherKey().PublicKey})
	clock.advance(refreshAfter)
	_, err := v.Verify(t.Context(), token)
	wantInvalid(t, err, "no key of the issuer", token)
}

func TestUnknownKidsDoNotFloodTheIssuer(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, clock := i.verifier(t, nil)
	ask := func(header map[jose.HeaderKey]any) {
		token := sign(t, jose.RS256, otherKey(), header, i.claims(nil))
		_, err := v.Verify(t.Context(), token)
		wantInvalid(t, err, "no key of the issuer", token)
	}
	for n := range 50 {
		ask(kid(fmt.Sprint("made-up-", n)))
		ask(nil)
	}
	i.wantFetches(t, 1)
	clock.advance(fetchPause)
	ask(kid("k1")) // known: its signature is just not the issuer's
	i.wantFetches(t, 1)
	ask(kid("made-up"))
	ask(kid("made-up"))
	i.wantFetches(t, 2)
}

func TestAnIssuerThatIsDownIsNotFlooded(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	i.answer(status(http.StatusServiceUnavailable))
	v, clock := i.verifier(t, nil)
	for range 10 {
		_, err := v.Verify(t.Context(), i.token(t, nil))
		wantUnavailable(t, err, "answered 503")
	}
	i.wantFetches(t, 1)
	i.answer(nil)
	clock.advance(fetchPause)
	if _, err := v.Verify(t.Context(), i.token(t, nil)); err != nil {
		t.Errorf("once the issuer is back: %v", err)
	}
}

func TestAnOutageOfTheIssuerIsBridgedUntilTheKeysAreTooOld(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, clock := i.verifier(t, nil)
	ask := func(id string, key any) error {
		_, err := v.Verify(t.Context(), sign(t, jose.RS256, key, kid(id), claimsAt(i.URL, clock.now(), nil)))
		return err
	}
	if err := ask("k1", rsaKey()); err != nil {
		t.Fatal(err)
	}
	i.answer(status(http.StatusServiceUnavailable))
	clock.advance(maxAge - time.Minute)
	if err := ask("k1", rsaKey()); err != nil {
		t.Errorf("within the keys' age: %v", err)
	}
	wantUnavailable(t, ask("k2", otherKey()), "none at hand is this token's", "503")
	clock.advance(2 * time.Minute)
	wantUnavailable(t, ask("k1", rsaKey()), "24h1m0s old", "503")
	i.answer(nil)
	clock.advance(fetchPause)
	if err := ask("k1", rsaKey()); err != nil {
		t.Errorf("once the issuer is back: %v", err)
	}
}

// transport answers requests without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnIssuerThatHangsHoldsNobodyUpWhileTheKeysAreGood(t *testing.T) {
	t.Parallel()
	const issuer = "https://ci.example"
	key := rsaKey()
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "k1", Key: &key.PublicKey}}})
	if err != nil {
		t.Fatal(err)
	}
	up := transport(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(keys))}, nil
	})
	hanging := transport(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	synctest.Test(t, func(t *testing.T) { // its clock leaps to the next timer
		v, err := New(Config{JWKSURL: issuer + "/jwks", Issuer: issuer, Audiences: []string{"vault"}})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(wait time.Duration) error {
			start := time.Now()
			_, err := v.Verify(t.Context(), sign(t, jose.RS256, key, kid("k1"), claimsAt(issuer, start, nil)))
			if waited := time.Since(start); waited != wait {
				t.Errorf("waited %s, want %s", waited, wait)
			}
			return err
		}
		v.keys.source.client.Transport = up
		wantError(t, ask(0), "")
		v.keys.source.client.Transport = hanging
		time.Sleep(refreshAfter)
		wantError(t, ask(patience), "")
		time.Sleep(maxAge)
		wantUnavailable(t, ask(fetchTimeout), "old", "no answer in time")
	})
}

func TestACallerWhoLeavesDoesNotSpoilTheFetch(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := i.verifier(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.Verify(ctx, i.token(t, nil))
	if err != nil { // it may have been too fast for that
		wantUnavailable(t, err, "canceled")
	}
	if _, err := v.Verify(t.Context(), i.token(t, nil)); err != nil {
		t.Error(err)
	}
	i.wantFetches(t, 1)
}

func TestAKeyIsTakenForItsOwnUseOnly(t *testing.T) {
	t.Parallel()
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := jose.JSONWebKey{KeyID: "k1", Key: &rsaKey().PublicKey}
	change := func(f func(*jose.JSONWebKey)) jose.JSONWebKey {
		key := good
		f(&key)
		return key
	}
	tests := map[string]struct {
		keys []jose.JSONWebKey
		says string // empty if the token is taken
	}{
		"for signatures":            {[]jose.JSONWebKey{change(func(k *jose.JSONWebKey) { k.Use = "sig" })}, ""},
		"for anything":              {[]jose.JSONWebKey{good}, ""},
		"for the algorithm":         {[]jose.JSONWebKey{change(func(k *jose.JSONWebKey) { k.Algorithm = "RS256" })}, ""},
		"without a kid":             {[]jose.JSONWebKey{change(func(k *jose.JSONWebKey) { k.KeyID = "" })}, ""},
		"the second of that kid":    {[]jose.JSONWebKey{{KeyID: "k1", Key: &otherKey().PublicKey}, good}, ""},
		"among others":              {[]jose.JSONWebKey{{KeyID: "k1", Key: &p256.PublicKey}, {Key: &weakKey().PublicKey}, good}, ""},
		"for encryption":            {[]jose.JSONWebKey{change(func(k *jose.JSONWebKey) { k.Use = "enc" })}, "holds no key"},
		"for another algorithm":     {[]jose.JSONWebKey{change(func(k *jose.JSONWebKey) { k.Algorithm = "RS512" })}, "holds no key"},
		"for an allowed other one":  {[]jose.JSONWebKey{change(func(k *jose.JSONWebKey) { k.Algorithm = "PS256" })}, "no key of the issuer"},
		"with another kid":          {[]jose.JSONWebKey{change(func(k *jose.JSONWebKey) { k.KeyID = "k2" })}, "no key of the issuer"},
		"of another kind":           {[]jose.JSONWebKey{{KeyID: "k1", Key: &p256.PublicKey}}, "holds no key"},
		"too weak":                  {[]jose.JSONWebKey{{KeyID: "k1", Key: &weakKey().PublicKey}}, "holds no key"},
		"private":                   {[]jose.JSONWebKey{{KeyID: "k1", Key: rsaKey()}}, "holds no key"},
		"a secret":                  {[]jose.JSONWebKey{{KeyID: "k1", Key: []byte("secret")}}, "holds no key"},
		"no key at all is an error": {nil, "holds no key"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			i.publish(test.keys...)
			v, _ := i.verifier(t, func(c *Config) { c.Algorithms = []string{"RS256", "PS256"} })
			_, err := v.Verify(t.Context(), i.token(t, nil))
			wantError(t, err, test.says)
		})
	}
}

func TestACertificatesKeyVerifies(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, _ := i.verifier(t, func(c *Config) {
		c.DiscoveryURL, c.PublicKeys = "", []string{certificatePEM(selfSigned(t))}
	})
	if _, err := v.Verify(t.Context(), i.token(t, nil)); err != nil {
		t.Error(err)
	}
	if err := v.Probe(t.Context()); err != nil {
		t.Errorf("keys that need no fetch: %v", err)
	}
}
