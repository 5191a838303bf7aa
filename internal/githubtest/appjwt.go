package githubtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// maxJWTLifetime is how far ahead of GitHub's clock exp may be.
const maxJWTLifetime = 10 * time.Minute

// asApp lets an endpoint be used by Apps only.
func (s *Server) asApp(act func(*request, *App) answer) handler {
	return func(r *request) answer {
		app, refusal := s.authenticateApp(r.bearer())
		if refusal != nil {
			return *refusal
		}
		return act(r, app)
	}
}

// appClaims are those that GitHub reads.
type appClaims struct {
	Issuer   any `json:"iss"`
	IssuedAt any `json:"iat"`
	Expiry   any `json:"exp"`
}

// authenticateApp returns the App whose JWT it is, or GitHub's refusal.
func (s *Server) authenticateApp(token string) (*App, *answer) {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, unauthorized("A JSON web token could not be decoded")
	}
	var claims appClaims
	decoder := json.NewDecoder(bytes.NewReader(signed.UnsafePayloadWithoutVerification()))
	decoder.UseNumber() // 1e9 is no integer
	if err := decoder.Decode(&claims); err != nil {
		return nil, unauthorized("A JSON web token could not be decoded")
	}
	if claims.Issuer == nil {
		return nil, unauthorized("Missing 'issuer' claim ('iss') in assertion")
	}
	app := s.appByIssuer(claims.Issuer)
	if app == nil {
		missing := failure(http.StatusNotFound, "Integration not found")
		return nil, &missing
	}
	if !app.signed(signed) {
		return nil, unauthorized("A JSON web token could not be decoded")
	}
	if message := claims.checkTimes(s.options.now()); message != "" {
		return nil, unauthorized(message)
	}
	return app, nil
}

func unauthorized(message string) *answer {
	refusal := failure(http.StatusUnauthorized, message)
	return &refusal
}

// appByIssuer finds an App by its client ID, or by its App ID as a number or a
// string.
func (s *Server) appByIssuer(issuer any) *App {
	var name string
	switch issuer := issuer.(type) {
	case string:
		name = issuer
	case json.Number:
		name = issuer.String()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, app := range s.world.apps {
		if name == app.ClientID || name == strconv.FormatInt(app.ID, 10) {
			return app
		}
	}
	return nil
}

// signed reports whether one of the App's keys made the signature.
func (a *App) signed(token *jose.JSONWebSignature) bool {
	for _, key := range a.validKeys() {
		if _, err := token.Verify(&key.PublicKey); err == nil {
			return true
		}
	}
	return false
}

// checkTimes returns GitHub's message if the claims are not good now. GitHub
// promises no leeway for clocks that differ, so there is none here.
func (c appClaims) checkTimes(now time.Time) string {
	expiry, ok := unixTime(c.Expiry)
	switch {
	case !ok || !expiry.After(now):
		return "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
	case expiry.After(now.Add(maxJWTLifetime)):
		return "'Expiration time' claim ('exp') is too far in the future"
	}
	if issuedAt, ok := unixTime(c.IssuedAt); !ok || issuedAt.After(now) {
		return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
	}
	return ""
}

func unixTime(claim any) (time.Time, bool) {
	number, ok := claim.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(number.String(), 10, 64)
	return time.Unix(seconds, 0), err == nil
}
