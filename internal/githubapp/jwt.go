package githubapp

import (
	"crypto/rsa"
	"fmt"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

// GitHub refuses an App JWT whose iat is in its future or whose exp is more
// than ten minutes ahead, both by its own clock.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
const (
	jwtBackdate = time.Minute
	jwtLifetime = 9 * time.Minute
	// jwtReuse leaves a minute for a request under way and for clocks that differ.
	jwtReuse = 8 * time.Minute
)

// signer makes the App's JWT and keeps it until shortly before it expires: a
// signature costs more than all else that a token needs of this process. It
// implements ghinstallation's Signer.
type signer struct {
	issuer string
	key    *rsa.PrivateKey
	now    func() time.Time

	mu      sync.Mutex
	current string
	until   time.Time
	// ahead is how far GitHub's clock is ahead of this machine's.
	ahead time.Duration
}

// Sign returns the App's JWT. The claims that the transport proposes are left
// aside: it makes new ones for every request.
func (s *signer) Sign(jwt.Claims) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now().Add(s.ahead)
	if s.current != "" && now.Before(s.until) {
		return s.current, nil
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer:    s.issuer,
		IssuedAt:  jwt.NewNumericDate(now.Add(-jwtBackdate).Truncate(time.Second)),
		ExpiresAt: jwt.NewNumericDate(now.Add(jwtLifetime).Truncate(time.Second)),
	}).SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("sign the App's JWT: %w", err)
	}
	s.current, s.until = signed, now.Add(jwtReuse)
	return signed, nil
}
