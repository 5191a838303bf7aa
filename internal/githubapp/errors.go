package githubapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/go-github/v88/github"
)

// Kind says what an [Error] means for whoever asked.
type Kind int

const (
	// Unavailable: GitHub could not be reached or answered with a server
	// error. Nothing is known to have happened; trying again is right.
	Unavailable Kind = iota
	// Timeout: no answer within the request timeout. A token that arrives
	// later is revoked.
	Timeout
	// KeyRefused: GitHub does not accept the App's JWT (401).
	KeyRefused
	// NotFound: no such App, installation, organization or user (404).
	NotFound
	// Forbidden: GitHub refused for another reason (403).
	Forbidden
	// Suspended: the installation is suspended (403).
	Suspended
	// Unprocessable: the request asks for what the installation does not
	// have (400, 422).
	Unprocessable
	// RateLimited: too many requests; see [Error.RetryAfter].
	RateLimited
	// NotAsked: GitHub was not asked, because it cannot be reached at present
	// or because too many calls of this App are under way; see
	// [Error.RetryAfter].
	NotAsked
	// Undelivered: GitHub made, or may have made, a token that could not be
	// read from its answer. Trying again may make another one.
	Undelivered
)

// kindNames are the kinds as metrics name them.
var kindNames = map[Kind]string{
	Unavailable: "unavailable", Timeout: "timeout", KeyRefused: "unauthorized", NotFound: "not_found",
	Forbidden: "forbidden", Suspended: "suspended", Unprocessable: "unprocessable",
	RateLimited: "rate_limited", NotAsked: "not_asked", Undelivered: "undelivered",
}

func (k Kind) String() string { return kindNames[k] }

// Error is what went wrong with one request to GitHub. Its text holds no secret.
type Error struct {
	Kind Kind
	// Op is what was asked of GitHub, e.g. "create an installation token".
	Op string
	// Status is GitHub's HTTP status, 0 if there was no answer.
	Status int
	// Message is GitHub's own, with the details of its errors array.
	Message string
	// RequestID is GitHub's X-GitHub-Request-Id, for its support.
	RequestID string
	// RetryAfter is how long GitHub asks to be left alone; at least a second
	// when Kind is RateLimited or NotAsked.
	RetryAfter time.Duration
	// cut is that the answer ended before its end.
	cut bool
	// primary is a rate limit that counts by the hour.
	primary bool
	// Err is the cause where GitHub did not answer.
	Err error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", e.Op)
	if e.Status != 0 {
		fmt.Fprintf(&b, "GitHub answered %d", e.Status)
	}
	if e.Message != "" {
		if e.Status != 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Message)
	}
	if e.Err != nil {
		b.WriteString(Redact(e.Err.Error()))
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (GitHub request id %s)", e.RequestID)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// IsKind reports whether err is, or wraps, an [Error] of the kind.
func IsKind(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}

// minRetryAfter keeps a rate-limited caller from knocking again at once where
// GitHub names no time; its advice is "at least one minute".
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
const minRetryAfter = time.Minute

// classify turns what go-github returned into an *Error.
func classify(op string, err error, now time.Time) *Error {
	e := &Error{Op: op}
	var (
		primary   *github.RateLimitError
		secondary *github.AbuseRateLimitError
		redirect  *github.RedirectionError
		answer    *github.ErrorResponse
	)
	switch {
	case errors.As(err, &primary):
		e.fill(primary.Response, primary.Message)
		e.Kind, e.primary, e.RetryAfter = RateLimited, true, atLeastASecond(primary.Rate.Reset.Sub(now))
	case errors.As(err, &secondary):
		e.fill(secondary.Response, secondary.Message)
		e.Kind, e.RetryAfter = RateLimited, atLeastASecond(secondary.GetRetryAfter())
		if secondary.RetryAfter == nil {
			e.RetryAfter = minRetryAfter
		}
	case errors.As(err, &redirect):
		e.fill(redirect.Response, redirectMessage(redirect))
		e.Kind = Unavailable
	case errors.As(err, &answer):
		e.fill(answer.Response, describe(answer))
		e.Kind, e.RetryAfter = kindOf(answer.Response, answer.Message)
	default:
		e.Kind, e.Err = kindOfFailure(err), err
	}
	return e
}

func (e *Error) fill(resp *http.Response, message string) {
	e.Message = Redact(message)
	if resp != nil {
		e.Status = resp.StatusCode
		e.RequestID = Redact(resp.Header.Get("X-Github-Request-Id"))
	}
}

// kindOf reads an answer that is neither success, redirect nor a rate limit
// that go-github recognises.
func kindOf(resp *http.Response, message string) (Kind, time.Duration) {
	retryAfter, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	wait := time.Duration(retryAfter) * time.Second
	switch status := resp.StatusCode; {
	case status == http.StatusTooManyRequests,
		status == http.StatusForbidden && wait > 0:
		if wait <= 0 {
			wait = minRetryAfter
		}
		return RateLimited, wait
	case status == http.StatusUnauthorized:
		return KeyRefused, 0
	case status == http.StatusForbidden && strings.Contains(message, "suspended"):
		return Suspended, 0
	case status == http.StatusForbidden:
		return Forbidden, 0
	case status == http.StatusNotFound:
		return NotFound, 0
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		return Unprocessable, 0
	default:
		return Unavailable, wait
	}
}

func kindOfFailure(err error) Kind {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return Timeout
	}
	return Unavailable
}

// describe joins GitHub's message with the details of its errors array, or says
// what the answer was where it is not GitHub's.
func describe(answer *github.ErrorResponse) string {
	parts := []string{answer.Message}
	if answer.Message == "" {
		parts[0] = "the answer is not GitHub's JSON " + contentType(answer.Response) + "; is base_url the API of a GitHub?"
	}
	for _, detail := range answer.Errors {
		if detail.Message != "" && detail.Message != answer.Message {
			parts = append(parts, detail.Message)
		}
	}
	return strings.Join(parts, "; ")
}

func contentType(resp *http.Response) string {
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return "(no content type)"
	}
	return "(" + media + ")"
}

func redirectMessage(e *github.RedirectionError) string {
	target := "nowhere"
	if e.Location != nil {
		target = e.Location.Scheme + "://" + e.Location.Host + e.Location.Path
	}
	return "a redirect to " + target + " was not followed; if the account was renamed or GitHub has moved, use the new name or base_url"
}

func atLeastASecond(d time.Duration) time.Duration { return max(d, time.Second) }

// secretPattern matches GitHub's tokens in all their forms and every JWT. A
// GitHub, or a proxy before it, may echo a header in its error.
var secretPattern = regexp.MustCompile(`\bgh[a-z]_[A-Za-z0-9._-]{20,}|\bgithub_pat_\w{20,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9._-]+`)

// maxMessage bounds what is repeated of somebody else's message.
const maxMessage = 500

// Redact makes somebody else's text fit to be repeated in an error or a log: one
// line, in bounds, without control characters and without tokens.
func Redact(s string) string {
	s = secretPattern.ReplaceAllString(s, "[redacted]")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}

// readBody reads at most limit bytes and says so if there are more.
func readBody(body io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(data)) > limit {
		return data, fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	return data, err
}
