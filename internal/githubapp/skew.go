package githubapp

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// skewTransport asks once more, with a JWT made by GitHub's clock, when GitHub
// refuses one and its clock turns out to differ from this machine's. Octokit does
// the same.
type skewTransport struct {
	next   http.RoundTripper
	signer *signer
}

// RoundTrip implements http.RoundTripper. A request that was answered with 401
// has done nothing, so it may be made again.
func (t *skewTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !t.signer.follow(resp) {
		return resp, err
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return resp, nil // with GitHub's refusal
		}
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxHead) // so that the connection can be used again
	_ = resp.Body.Close()
	return t.next.RoundTrip(again)
}

// minSkew is the difference of two clocks that is worth a correction: well below
// the minute that every JWT leaves.
const minSkew = 30 * time.Second

// follow takes over GitHub's clock from a refusal; false if the JWT was not
// refused for its time.
func (s *signer) follow(refused *http.Response) bool {
	date, err := http.ParseTime(refused.Header.Get("Date"))
	if err != nil {
		return false
	}
	used := strings.TrimPrefix(refused.Request.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	if used != s.current {
		return true // another call has corrected the clock meanwhile
	}
	ahead := date.Sub(s.now()).Round(time.Second)
	if (ahead - s.ahead).Abs() < minSkew {
		return false
	}
	s.ahead, s.current = ahead, ""
	return true
}

// skew is how far GitHub's clock is ahead, as far as it had to be known.
func (s *signer) skew() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ahead
}
