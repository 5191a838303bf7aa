package githubapp

import (
	"math"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

func TestAppJWTIsReusedAndAlwaysAcceptable(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	s := &signer{issuer: "Iv23example", key: testKey(), now: func() time.Time { return now }}
	signed := map[string]bool{}
	for range 60 {
		now = now.Add(30 * time.Second)
		token, err := s.Sign(nil)
		if err != nil {
			t.Fatal(err)
		}
		signed[token] = true
		claims := jwt.MapClaims{}
		// Time is checked below, by the test's clock.
		parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation())
		if _, err := parser.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return &testKey().PublicKey, nil }); err != nil {
			t.Fatal(err)
		}
		iat, exp := wholeSeconds(t, claims["iat"]), wholeSeconds(t, claims["exp"])
		if claims["iss"] != "Iv23example" {
			t.Errorf("iss %q", claims["iss"])
		}
		// A minute is left for a clock that is off, on either side.
		if iat.After(now.Add(-time.Minute)) {
			t.Errorf("iat %s is less than a minute before %s", iat, now)
		}
		if left := exp.Sub(now); left < time.Minute || left > 9*time.Minute {
			t.Errorf("exp is %s ahead, want one to nine minutes", left)
		}
	}
	if n := len(signed); n < 3 || n > 5 {
		t.Errorf("signed %d times in 30 minutes, want about once in eight", n)
	}
}

// wholeSeconds is a NumericDate as GitHub wants it: an integer.
func wholeSeconds(t *testing.T, claim any) time.Time {
	t.Helper()
	seconds, ok := claim.(float64)
	if !ok || seconds != math.Trunc(seconds) {
		t.Fatalf("%v is not a whole number of seconds", claim)
	}
	return time.Unix(int64(seconds), 0)
}

func BenchmarkSignAppJWT(b *testing.B) {
	for name, reuse := range map[string]bool{"fresh": false, "reused": true} {
		b.Run(name, func(b *testing.B) {
			s := &signer{issuer: "Iv23example", key: testKey(), now: time.Now}
			for b.Loop() {
				if !reuse {
					s.current = ""
				}
				if _, err := s.Sign(nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
