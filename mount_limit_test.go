package githubsecrets

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestTheAnswersTTLIsThatOfTheLeaseUnderTheMountsLimit: Vault cuts the lease, and
// the answer must say so.
func TestTheAnswersTTLIsThatOfTheLeaseUnderTheMountsLimit(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("ci", nil)
	for _, test := range []struct{ limit, want time.Duration }{
		{time.Hour, 10 * time.Minute}, {2 * time.Minute, 2 * time.Minute}, {0, 10 * time.Minute},
	} {
		e.system.MaxLeaseTTLVal = test.limit
		e.clock.Advance(limitLife)
		a := e.must(logical.ReadOperation, "token/ci", nil)
		if a.data("ttl") != int64(test.want.Seconds()) || a.Secret.TTL != test.want {
			t.Errorf("with a limit of %s the answer says %v s and the lease lasts %s, want %s", test.limit, a.data("ttl"), a.Secret.TTL, test.want)
		}
	}
}

func TestTheMountsLimitIsNotAskedForEachToken(t *testing.T) {
	t.Parallel()
	var limit mountLimit
	asked := 0
	ask := func() time.Duration { asked++; return time.Duration(asked) * time.Minute }
	now := time.Unix(1_700_000_000, 0)
	for range 10 {
		if got := limit.get(now, ask); got != time.Minute {
			t.Errorf("the limit is %s", got)
		}
	}
	if got := limit.get(now.Add(limitLife), ask); got != 2*time.Minute || asked != 2 {
		t.Errorf("after a while the limit is %s, asked for %d times", got, asked)
	}
}
