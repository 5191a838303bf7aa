package githubapp

import (
	"time"

	"github.com/google/go-github/v88/github"
)

// Rate is how many requests GitHub takes of the App itself until Reset, and how
// many of them are left. Revocations count against the limit of the token that
// they revoke.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit
type Rate struct {
	Limit, Remaining int
	Reset            time.Time // by GitHub's clock
}

// noteRate keeps what an answer to the App's JWT says of its limit. A GitHub
// Enterprise Server without limits says nothing, and a nil answer is none.
func (c *Client) noteRate(resp *github.Response) {
	if resp == nil || resp.Rate.Limit == 0 {
		return
	}
	c.rate.Store(&Rate{Limit: resp.Rate.Limit, Remaining: resp.Rate.Remaining, Reset: resp.Rate.Reset.Time})
}

// Rate is the App's rate limit as GitHub last told of it; false if it has not.
// After the reset all of it is left.
func (c *Client) Rate() (Rate, bool) {
	last := c.rate.Load()
	if last == nil {
		return Rate{}, false
	}
	rate := *last
	if !rate.Reset.IsZero() && c.now().After(rate.Reset) {
		rate.Remaining = rate.Limit
	}
	return rate, true
}
