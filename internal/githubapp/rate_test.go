package githubapp

import (
	"testing"
	"time"

	"github.com/google/go-github/v88/github"
)

func TestTheRateLimitIsFullAgainAfterItsReset(t *testing.T) {
	t.Parallel()
	began := time.Unix(1_700_000_000, 0)
	now := began
	c := &Client{now: func() time.Time { return now }}
	c.noteRate(nil)
	c.noteRate(&github.Response{})
	if rate, ok := c.Rate(); ok {
		t.Errorf("nobody told of a limit, and it is %+v", rate)
	}
	c.noteRate(&github.Response{Rate: github.Rate{Limit: 5000, Remaining: 7, Reset: github.Timestamp{Time: now.Add(time.Minute)}}})
	for _, test := range []struct {
		after time.Duration
		left  int
	}{{0, 7}, {time.Minute, 7}, {time.Minute + time.Second, 5000}} {
		now = began.Add(test.after)
		if rate, ok := c.Rate(); !ok || rate.Limit != 5000 || rate.Remaining != test.left {
			t.Errorf("after %s it is %+v, want %d left", test.after, rate, test.left)
		}
	}
}
