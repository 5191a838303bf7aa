package githubsecrets

import (
	"strconv"
	"testing"
	"time"
)

// TestLeasesWhoseEndIsNotSeenDoNotPileUp: nobody needs to scrape for that.
func TestLeasesWhoseEndIsNotSeenDoNotPileUp(t *testing.T) {
	t.Parallel()
	var live liveLeases
	now := time.Unix(1_700_000_000, 0)
	const perHour = 3 * leastSweep
	most := 0
	for n := range 20 * perHour {
		now = now.Add(time.Hour / perHour)
		live.begin(strconv.Itoa(n), now.Add(time.Hour), now)
		most = max(most, len(live.ends))
	}
	if most > 2*perHour+1 {
		t.Errorf("%d leases were kept at once, of %d in an hour", most, perHour)
	}
	if got := live.count(now); got != perHour {
		t.Errorf("%d are live, want %d", got, perHour)
	}
}
