package jobtoken

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/hashicorp/vault/api"
)

// Error is why Vault, or the engine behind it, did not do what was asked.
type Error struct {
	// Status is the HTTP status of the answer; 0 if there was none.
	Status int
	// Message is a sentence for people; the engine's names the rule and the
	// remedy.
	Message string
}

func (e *Error) Error() string { return e.Message }

// Refused reports whether asking again is of no use: a rule, a policy or the
// request itself is the reason.
func (e *Error) Refused() bool {
	return e.Status >= 400 && e.Status < 500 && !e.Temporary()
}

// Temporary reports whether a later request may succeed.
func (e *Error) Temporary() bool {
	switch e.Status {
	case 0, http.StatusTooManyRequests, http.StatusPreconditionFailed, http.StatusFailedDependency:
		return true
	}
	return e.Status >= 500
}

// asError tells what came of a request to a path. Cancellation stays what it is.
func asError(err error, path string) error {
	var answered *api.ResponseError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &answered):
		return &Error{Status: answered.StatusCode, Message: message(answered, path)}
	}
	return &Error{Message: "Vault does not answer: " + cause(err).Error()}
}

// cause leaves out the method and URL, which Go's client puts before every
// error.
func cause(err error) error {
	var request *url.Error
	for errors.As(err, &request) {
		err = request.Err
	}
	return err
}

// multierror is how Vault frames what several parts of it said.
var multierror = regexp.MustCompile(`(?m)^\d+ errors? occurred:\n|^\s*\* |\s+$`)

func message(answer *api.ResponseError, path string) string {
	text := strings.TrimSpace(multierror.ReplaceAllString(strings.Join(answer.Errors, "\n"), ""))
	text = strings.ReplaceAll(text, "\n", "; ") // no line of a log begins with what others wrote
	switch {
	case answer.RawError:
		return "Vault answered " + http.StatusText(answer.StatusCode) + ", not as Vault does; is a proxy before it?"
	case text == "permission denied":
		return "Vault's policies do not let this token use " + path + "; an administrator adds the path to a policy of the login role"
	case strings.HasPrefix(text, "permission denied") && strings.HasSuffix(text, "invalid token"):
		return "Vault does not know this Vault token: it has expired, or was revoked, or is another Vault's"
	case text == "" && answer.StatusCode == http.StatusNotFound:
		return "there is nothing at " + path
	case text == "":
		return "Vault answered " + http.StatusText(answer.StatusCode) + " for " + path
	}
	return text
}
