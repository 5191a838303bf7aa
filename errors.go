package githubsecrets

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubapp"
	"vault-plugin-secrets-github/internal/policy"
)

// badRequest is the caller's mistake: answered with 400.
type badRequest struct{ message string }

func (e badRequest) Error() string { return e.message }

func badRequestf(format string, args ...any) error {
	return badRequest{fmt.Sprintf(format, args...)}
}

// refusal is a request that a rule refuses: answered with 403. Its text is in
// plaintext in the audit log.
type refusal struct{ message string }

func (e refusal) Error() string { return e.message }

func refusalf(format string, args ...any) error {
	return refusal{fmt.Sprintf(format, args...)}
}

// isRefused reports whether the request is refused by what it is or asks, and not
// for want of something outside.
func isRefused(err error) bool {
	var bad badRequest
	var refused refusal
	return errors.As(err, &bad) || errors.As(err, &refused)
}

// asRefusal gives policy's refusal its status; other errors stay what they are.
func asRefusal(err error) error {
	var refused *policy.Refusal
	if errors.As(err, &refused) {
		return refusal{err.Error()}
	}
	return err
}

// toVault turns an error into the answer that Vault passes on with the right
// HTTP status. Vault answers 500 for every error that it does not know.
func toVault(err error) (*logical.Response, error) {
	var (
		bad     badRequest
		refused refusal
		github  *githubapp.Error
	)
	switch {
	case errors.As(err, &bad):
		return logical.ErrorResponse(err.Error()), nil
	case errors.As(err, &refused):
		return nil, logical.CodedError(http.StatusForbidden, err.Error())
	case errors.As(err, &github):
		return githubError(err, github)
	default:
		return nil, err
	}
}

// githubError answers what GitHub did not do. Vault's clients try 412, 429 and
// all of 5xx but 501 again, so none of these is used once a token may have been
// made: that is 424.
func githubError(err error, e *githubapp.Error) (*logical.Response, error) {
	switch e.Kind {
	case githubapp.Unprocessable, githubapp.NotFound:
		return logical.ErrorResponse(err.Error()), nil
	case githubapp.Forbidden, githubapp.Suspended:
		return nil, logical.CodedError(http.StatusForbidden, err.Error())
	case githubapp.KeyRefused:
		return nil, logical.CodedError(http.StatusInternalServerError, "the App's key was refused: "+err.Error())
	case githubapp.RateLimited:
		return tryLater(http.StatusTooManyRequests, err, e.RetryAfter)
	case githubapp.NotAsked:
		return tryLater(http.StatusServiceUnavailable, err, e.RetryAfter)
	case githubapp.Timeout:
		return nil, logical.CodedError(http.StatusGatewayTimeout, err.Error())
	case githubapp.Undelivered:
		return nil, logical.CodedError(http.StatusFailedDependency, err.Error())
	default:
		return nil, logical.CodedError(http.StatusBadGateway, err.Error())
	}
}

// tryLater says when it is worth while to ask again. Vault passes the header on if
// the mount's allowed_response_headers name it.
func tryLater(status int, err error, wait time.Duration) (*logical.Response, error) {
	seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
	return &logical.Response{Headers: map[string][]string{"Retry-After": {seconds}}},
		logical.CodedError(status, err.Error()+"; try again in "+seconds+" s")
}
