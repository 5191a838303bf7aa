package githubapp

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-github/v88/github"
)

// Revoker deletes tokens at one GitHub. It needs no App: a token proves itself.
type Revoker struct {
	endpoint  Endpoint
	http      *http.Client
	traffic   *traffic
	userAgent string
	// settlingPause is a field for tests.
	settlingPause time.Duration
}

// NewRevoker returns a Revoker with connections of its own. observe, if not nil,
// is told of every call to GitHub.
func NewRevoker(endpoint Endpoint, userAgent string, observe func(Call)) (*Revoker, error) {
	transport, err := endpoint.transport()
	if err != nil {
		return nil, err
	}
	traffic := newTraffic(DefaultMaxConcurrent, time.Now, observe, transport.CloseIdleConnections)
	return newRevoker(endpoint, transport, traffic, userAgent), nil
}

func newRevoker(endpoint Endpoint, transport http.RoundTripper, traffic *traffic, userAgent string) *Revoker {
	return &Revoker{
		endpoint: endpoint, http: directClient(transport), traffic: traffic,
		userAgent: userAgent, settlingPause: settlingPause,
	}
}

const revokeOp = "revoke the token"

// Revoke deletes the token. It returns nil if the token is dead afterwards,
// also if it was before.
//
// GitHub can answer 401 for a token that it has made seconds ago and that has
// not reached all of its servers; so one that is younger than settling is asked
// for again before the 401 is believed.
func (r *Revoker) Revoke(ctx context.Context, token string, age time.Duration) error {
	for ; ; age += settlingPause {
		err := r.delete(ctx, token)
		if !IsKind(err, KeyRefused) {
			return err
		}
		if age >= settling {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", revokeOp, ctx.Err())
		case <-time.After(r.settlingPause):
		}
	}
}

const (
	settling      = 3 * time.Second
	settlingPause = time.Second
)

// revokePatience is how long a revocation waits for its turn, which comes late
// when thousands of leases end at once: nobody waits for it, but Vault gives a
// lease up after six failures.
const revokePatience = time.Minute

func (r *Revoker) delete(ctx context.Context, token string) error {
	queue, cancel := context.WithTimeout(ctx, revokePatience)
	defer cancel()
	end, err := r.traffic.begin(queue, revokeOp, revoking)
	if err != nil {
		return err
	}
	err = r.deleteOnce(ctx, token)
	end(http.StatusNoContent, err) // an error brings its own
	return err
}

func (r *Revoker) deleteOnce(ctx context.Context, token string) error {
	ctx, cancel := context.WithTimeout(ctx, r.endpoint.RequestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, r.endpoint.BaseURL+"/installation/token", nil)
	if err != nil {
		return fmt.Errorf("%s: %w", revokeOp, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("User-Agent", r.userAgent)
	resp, err := r.http.Do(req)
	if err != nil {
		return classify(revokeOp, err, time.Now())
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := github.CheckResponse(resp); err != nil {
		return classify(revokeOp, err, time.Now())
	}
	return &Error{Kind: Unavailable, Op: revokeOp, Status: resp.StatusCode, Message: "expected 204; is base_url the API of a GitHub?"}
}

// Revoke deletes a token of this App; see [Revoker.Revoke].
func (c *Client) Revoke(ctx context.Context, token string, age time.Duration) error {
	return c.tokens.Revoke(ctx, token, age)
}

// Discard revokes, in the background, a token that nobody will receive; see
// [Custodian].
func (c *Client) Discard(token string, expires time.Time) {
	c.custody.revoke(c.tokens, token, expires)
}

// Watch sees to it that a token that is handed over ends soon after its lease,
// even if the answer never arrives; see [Custodian].
func (c *Client) Watch(token *Token, lease time.Duration) {
	c.custody.watch(c.tokens, token.Value, token.EndsAt, lease)
}
