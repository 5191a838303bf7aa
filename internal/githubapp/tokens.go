package githubapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"
)

// TokenRequest is the scope of a token. GitHub reads a missing field as
// "everything", so there is no way to leave one out by accident:
// [Client.Mint] refuses a request without permissions, and one without
// repositories unless AllRepositories says so.
type TokenRequest struct {
	// Repositories are bare names, RepositoryIDs GitHub's ids; the token is for
	// both together.
	Repositories    []string
	RepositoryIDs   []int64
	AllRepositories bool
	Permissions     map[string]string
}

// Token is an installation token with what GitHub says it is good for.
type Token struct {
	Value string
	// ExpiresAt is when GitHub ends the token, by GitHub's clock; EndsAt is the
	// same by this machine's.
	ExpiresAt, EndsAt time.Time
	// Permissions and Repositories are those of GitHub's answer; where it names
	// none they are empty.
	Permissions  map[string]string
	Repositories []Repository
	// AllRepositories is true if GitHub granted every repository of the
	// installation.
	AllRepositories bool
}

// Repository is one that a token is good for.
type Repository struct {
	ID   int64
	Name string
}

// lateAnswer is how long after the request timeout an answer is still waited
// for, to revoke the token that it may hold.
const lateAnswer = time.Minute

const mintOp = "create an installation token"

// Mint makes a token for the installation. It waits at most for the request
// timeout for its turn, and as long again for the answer, or until ctx ends; a
// token that GitHub makes all the same is revoked when it arrives. An error of
// kind [Undelivered] is the only one after which a token may exist that could
// not be taken back.
func (c *Client) Mint(ctx context.Context, installationID int64, want TokenRequest) (*Token, error) {
	if err := want.validate(); err != nil {
		return nil, err
	}
	queue, cancel := context.WithTimeout(ctx, c.endpoint.RequestTimeout)
	defer cancel()
	end, err := c.traffic.begin(queue, mintOp, minting)
	if err != nil {
		return nil, err
	}
	answer, cancel := context.WithTimeout(ctx, c.endpoint.RequestTimeout)
	defer cancel()
	handover := make(chan minted) // unbuffered: a token is taken, or taken back
	c.custody.work.Go(func() { c.mintFor(answer, handover, end, installationID, want) })
	select {
	case r := <-handover:
		return r.token, r.err
	case <-answer.Done():
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: the client hung up: %w", mintOp, ctx.Err())
		}
		return nil, c.mintTimeout()
	}
}

// validate refuses what GitHub would read as everything.
func (want TokenRequest) validate() error {
	if len(want.Permissions) == 0 {
		return errors.New("no permissions named: GitHub would grant all")
	}
	if none := len(want.Repositories)+len(want.RepositoryIDs) == 0; none != want.AllRepositories {
		return errors.New("either repositories or all of them: GitHub would grant all where none is named")
	}
	return nil
}

func (c *Client) mintTimeout() error {
	return &Error{Kind: Timeout, Op: mintOp,
		Message: fmt.Sprintf("no answer within %s; a token that comes later is revoked", c.endpoint.RequestTimeout)}
}

// minted is what came of a mint.
type minted struct {
	token *Token
	err   error
}

// mintFor mints for a caller who waits until ctx ends. The exchange with GitHub
// goes on after that, because only its answer shows the token that is to be
// revoked then; its place is given up, so that a GitHub that never answers
// blocks nobody.
func (c *Client) mintFor(ctx context.Context, handover chan<- minted, end func(int, error), installationID int64, want TokenRequest) {
	overdue := time.AfterFunc(c.endpoint.RequestTimeout, func() { end(0, c.mintTimeout()) })
	defer overdue.Stop()
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.endpoint.RequestTimeout+lateAnswer)
	defer cancel()
	var r minted
	var status int
	r.err = retry(ctx, madeNoToken, func(context.Context) (err error) {
		r.token, status, err = c.mint(detached, installationID, want)
		return err
	})
	end(status, r.err)
	select {
	case handover <- r:
	case <-ctx.Done():
		if r.token != nil {
			c.Discard(r.token.Value, r.token.EndsAt)
		}
	}
}

// madeNoToken reports whether GitHub certainly made no token, and may be asked
// once more: it was not reached, or said when to come back.
func madeNoToken(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == Unavailable &&
		(e.Status == 0 || e.Status == http.StatusServiceUnavailable && e.RetryAfter > 0)
}

// mint is one request to GitHub, and its answer with its HTTP status.
func (c *Client) mint(ctx context.Context, installationID int64, want TokenRequest) (*Token, int, error) {
	sent := new(atomic.Bool)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	path := "app/installations/" + strconv.FormatInt(installationID, 10) + "/access_tokens"
	req, err := c.rest.NewRequest(ctx, http.MethodPost, path, MintBody{want.Repositories, want.RepositoryIDs, want.Permissions})
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", mintOp, err)
	}
	resp, err := c.rest.BareDo(req)
	c.noteRate(resp)
	if err != nil {
		failure := classify(mintOp, err, c.now())
		if failure.Status == 0 && sent.Load() {
			failure.Kind = Undelivered
		}
		return nil, failure.Status, failure
	}
	defer resp.Body.Close()
	token, err := c.readToken(resp)
	return token, resp.StatusCode, err
}

// MintBody is the body that GitHub gets: our own, because go-github's struct
// drops permissions that it does not know and, with them, every restriction.
type MintBody struct {
	Repositories  []string          `json:"repositories,omitempty"`
	RepositoryIDs []int64           `json:"repository_ids,omitempty"`
	Permissions   map[string]string `json:"permissions"`
}
