package jobtoken

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/api"
)

// renewals keeps a lease of ten minutes alive until it ends or the context does,
// and returns how long after the beginning each renewal was asked for.
func renewals(ctx context.Context, answer func(asked int) (*api.Secret, error)) (after []time.Duration, left time.Duration) {
	begun := time.Now()
	l := &Lease{ends: begun.Add(10 * time.Minute)}
	l.renew(ctx, &l.ends, func() (*api.Secret, error) {
		after = append(after, time.Since(begun).Round(time.Second))
		return answer(len(after))
	})
	return after, time.Until(l.ends)
}

func TestALeaseIsRenewedAtTwoThirds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		after, left := renewals(ctx, func(int) (*api.Secret, error) { return &api.Secret{LeaseDuration: 600}, nil })
		want := []time.Duration{400 * time.Second, 800 * time.Second, 1200 * time.Second, 1600 * time.Second}
		if diff := cmp.Diff(want, after); diff != "" {
			t.Error(diff)
		}
		if left != 400*time.Second {
			t.Errorf("%s are left of a lease that was renewed 200 s before", left)
		}
	})
}

func TestAFailedRenewalIsTriedAgainBeforeTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		after, left := renewals(ctx, func(asked int) (*api.Secret, error) {
			if asked < 3 {
				return nil, errors.New("Vault does not answer")
			}
			return &api.Secret{LeaseDuration: 600}, nil
		})
		want := []time.Duration{400 * time.Second, 533 * time.Second, 578 * time.Second}
		if diff := cmp.Diff(want, after); diff != "" || left < 9*time.Minute {
			t.Errorf("%s are left\n%s", left, diff)
		}
	})
}

func TestALeaseThatCannotBeExtendedIsLetGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		after, left := renewals(t.Context(), func(int) (*api.Secret, error) { return nil, errors.New("at its end") })
		if len(after) == 0 || len(after) > 10 || left > hopeless {
			t.Errorf("asked %d times, and %s were left at the end", len(after), left)
		}
	})
}

func TestTheVaultTokenEndsALeaseThatWouldLastLonger(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := &Lease{session: &Session{ends: now.Add(time.Minute)}, ends: now.Add(10 * time.Minute), expires: now.Add(time.Hour)}
	if !l.Ends().Equal(now.Add(time.Minute)) || l.CutShort() != 9*time.Minute {
		t.Errorf("it ends at %s, cut short by %s", l.Ends(), l.CutShort())
	}
	l.session.ends = time.Time{} // a Vault token that was there before
	if !l.Ends().Equal(now.Add(10*time.Minute)) || l.CutShort() != 0 {
		t.Errorf("it ends at %s, cut short by %s", l.Ends(), l.CutShort())
	}
}
