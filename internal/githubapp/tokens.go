package githubapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/go-github/v88/github"
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
	Value     string
	ExpiresAt time.Time
	// Permissions and Repositories are those of GitHub's answer; where it names
	// none they are empty.
	Permissions  map[string]string
	Repositories []Repository
	// AllRepositories is true if GitHub granted every repository of the
	// installation.
	AllRepositories bool
	// MintedAt is when the answer arrived.
	MintedAt time.Time
}

// Repository is one that a token is good for.
type Repository struct {
	ID   int64
	Name string
}

const (
	// maxAnswer is far above the 500 repositories of about 6 KB each that
	// GitHub names at most.
	maxAnswer = 16 << 20
	// lateAnswer is how long after the request timeout an answer is still
	// waited for, to revoke the token that it may hold.
	lateAnswer = time.Minute
)

const mintOp = "create an installation token"

// Mint makes a token for the installation. It waits at most for the request
// timeout or until ctx ends; a token that GitHub makes all the same is revoked
// when it arrives. An error of kind [Undelivered] is the only one after which a
// token may exist that could not be taken back.
func (c *Client) Mint(ctx context.Context, installationID int64, want TokenRequest) (*Token, error) {
	if len(want.Permissions) == 0 {
		return nil, errors.New("no permissions named: GitHub would grant all")
	}
	if none := len(want.Repositories)+len(want.RepositoryIDs) == 0; none != want.AllRepositories {
		return nil, errors.New("either repositories or all of them: GitHub would grant all where none is named")
	}
	type result struct {
		token *Token
		err   error
	}
	handover := make(chan result) // unbuffered: a token is taken, or taken back
	caller := ctx
	ctx, cancel := context.WithTimeout(caller, c.endpoint.RequestTimeout)
	defer cancel()
	c.custody.work.Go(func() {
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.endpoint.RequestTimeout+lateAnswer)
		defer cancel()
		token, err := c.mint(detached, installationID, want)
		select {
		case handover <- result{token, err}:
		case <-ctx.Done():
			if token != nil {
				c.Discard(token.Value, token.ExpiresAt)
			}
		}
	})
	select {
	case r := <-handover:
		return r.token, r.err
	case <-ctx.Done():
		if caller.Err() != nil {
			return nil, fmt.Errorf("%s: the client hung up: %w", mintOp, caller.Err())
		}
		return nil, &Error{Kind: Timeout, Op: mintOp,
			Message: fmt.Sprintf("no answer within %s; a token that comes later is revoked", c.endpoint.RequestTimeout)}
	}
}

// mint is one request to GitHub and its answer.
func (c *Client) mint(ctx context.Context, installationID int64, want TokenRequest) (*Token, error) {
	sent := new(atomic.Bool)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	path := "app/installations/" + strconv.FormatInt(installationID, 10) + "/access_tokens"
	req, err := c.rest.NewRequest(ctx, http.MethodPost, path, MintBody{want.Repositories, want.RepositoryIDs, want.Permissions})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", mintOp, err)
	}
	resp, err := c.rest.BareDo(req)
	if err != nil {
		failure := classify(mintOp, err, c.now())
		if failure.Status == 0 && sent.Load() {
			failure.Kind = Undelivered
		}
		return nil, failure
	}
	defer resp.Body.Close()
	return c.readToken(resp)
}

// MintBody is the body that GitHub gets: our own, because go-github's struct
// drops permissions that it does not know and, with them, every restriction.
type MintBody struct {
	Repositories  []string          `json:"repositories,omitempty"`
	RepositoryIDs []int64           `json:"repository_ids,omitempty"`
	Permissions   map[string]string `json:"permissions"`
}

// tokenAnswer is what is read of GitHub's answer.
type tokenAnswer struct {
	Token               string            `json:"token"`
	ExpiresAt           string            `json:"expires_at"`
	Permissions         map[string]string `json:"permissions"`
	RepositorySelection string            `json:"repository_selection"`
	Repositories        []struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	} `json:"repositories"`
}

// readToken reads a token from a 2xx answer. If that fails, whatever token the
// answer holds is revoked.
func (c *Client) readToken(resp *github.Response) (*Token, error) {
	body, err := readBody(resp.Body, maxAnswer)
	if err != nil {
		return nil, c.undelivered(resp, body, "the answer could not be read: "+redact(err.Error()))
	}
	var answer tokenAnswer
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, c.undelivered(resp, body, "the answer is not a token in GitHub's form "+contentType(resp.Response))
	}
	if answer.Token == "" {
		return nil, c.undelivered(resp, nil, "the answer holds no token")
	}
	expires, err := time.Parse(time.RFC3339, answer.ExpiresAt)
	switch {
	case err != nil:
		return nil, c.undelivered(resp, body, "the token has no expires_at")
	case !expires.After(c.now()):
		return nil, c.undelivered(resp, body, "the token's expires_at is in the past ("+answer.ExpiresAt+"); do the clocks agree?")
	}
	token := &Token{
		Value:           answer.Token,
		ExpiresAt:       expires,
		Permissions:     answer.Permissions,
		AllRepositories: answer.RepositorySelection == "all",
		MintedAt:        c.now(),
	}
	for _, r := range answer.Repositories {
		token.Repositories = append(token.Repositories, Repository{ID: r.ID, Name: r.Name})
	}
	return token, nil
}

// undelivered takes back the token of an answer that is refused, as far as the
// answer shows it, and returns the error. An answer that was cut off shows it
// too: GitHub sends the token first.
func (c *Client) undelivered(resp *github.Response, body []byte, reason string) error {
	e := &Error{
		Kind: Undelivered, Op: mintOp, Status: resp.StatusCode, Message: reason,
		RequestID: redact(resp.Header.Get("X-Github-Request-Id")),
	}
	if m := tokenInBody.FindSubmatch(body); m != nil {
		c.Discard(string(m[1]), c.now().Add(tokenLifetime))
		e.Message += "; the token is being revoked"
	} else if resp.StatusCode != http.StatusCreated {
		e.Kind = Unavailable // GitHub makes a token with 201 and nothing else
	}
	return e
}

var tokenInBody = regexp.MustCompile(`"token"\s*:\s*"([^"\\]+)"`)

// tokenLifetime is how long GitHub lets every installation token live.
const tokenLifetime = time.Hour
