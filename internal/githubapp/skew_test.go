package githubapp

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-github/internal/githubtest"
)

func TestClocksThatDifferAreNoHindrance(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{
		"GitHub's is five minutes ahead":  5 * time.Minute,
		"GitHub's is five minutes behind": -5 * time.Minute,
		"GitHub's is a day ahead":         24 * time.Hour,
		"they agree":                      0,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, githubtest.WithClock(func() time.Time { return time.Now().Add(ahead) }))
			var calls sync.WaitGroup
			for range 8 { // all at once: each may be refused by the old clock
				calls.Go(func() {
					token, err := w.client.Mint(t.Context(), w.installation.ID, readAPI)
					if err != nil {
						t.Error(err)
						return
					}
					if life := time.Until(token.EndsAt); life > time.Hour || life < 59*time.Minute {
						t.Errorf("by our clock the token lives %s, want an hour", life)
					}
				})
			}
			calls.Wait()
			if w.github.Minted() != 8 {
				t.Errorf("%d tokens, want 8", w.github.Minted())
			}
		})
	}
}

// TestAClockThatDriftsIsFollowed: a JWT that was good is refused once the clocks
// have drifted apart, or once it has expired at GitHub.
func TestAClockThatDriftsIsFollowed(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	w := newWorld(t, githubtest.WithClock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }))
	for _, drift := range []time.Duration{0, 5 * time.Minute, -5 * time.Minute, 8*time.Minute + 30*time.Second, 0} {
		ahead.Store(int64(drift))
		w.mint(t)
	}
}

func TestARefusedKeyIsNotTriedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.app.RotateKey()
	w.app.RemoveKey()
	if _, err := w.client.Mint(t.Context(), w.installation.ID, readAPI); !IsKind(err, KeyRefused) {
		t.Errorf("error %v", err)
	}
	if n := w.github.Requests(mintPattern); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}
