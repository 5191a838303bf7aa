package githubtest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const documentationURL = "https://docs.github.com/rest"

// object is a JSON object.
type object = map[string]any

// answer is what an endpoint says. A nil body is none; any other is sent as
// JSON.
type answer struct {
	status int
	header http.Header
	body   any
}

func success(body any) answer { return answer{status: http.StatusOK, body: body} }
func created(body any) answer { return answer{status: http.StatusCreated, body: body} }
func noContent() answer       { return answer{status: http.StatusNoContent} }

// failure is an error in GitHub's form.
func failure(status int, message string) answer {
	return answer{status: status, body: object{
		"message":           message,
		"documentation_url": documentationURL,
		"status":            strconv.Itoa(status),
	}}
}

// GitHub's messages that several endpoints share.
func notFound() answer       { return failure(http.StatusNotFound, "Not Found") }
func badCredentials() answer { return failure(http.StatusUnauthorized, "Bad credentials") }
func suspended() answer {
	return failure(http.StatusForbidden, "This installation has been suspended")
}
func unprocessable(message string) answer {
	return failure(http.StatusUnprocessableEntity, message)
}

// movedTo is how GitHub sends on who asks for a repository under an old name.
func movedTo(url string) answer {
	moved := failure(http.StatusMovedPermanently, "Moved Permanently")
	moved.body.(object)["url"] = url
	moved.header = http.Header{"Location": {url}}
	return moved
}

// rateLimit is the hourly limit of an App on GitHub Enterprise Cloud. The fake
// never runs out of it by itself: rate limits are faults, see
// [PrimaryRateLimit].
const rateLimit = 15000

// setHeaders sets what every answer of GitHub's carries.
func (s *Server) setHeaders(h http.Header) {
	now := s.now()
	h.Set("Date", now.Format(http.TimeFormat))
	h.Set("X-GitHub-Request-Id", requestID())
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	h.Set("X-RateLimit-Limit", strconv.Itoa(rateLimit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(rateLimit-1))
	h.Set("X-RateLimit-Used", "1")
	h.Set("X-RateLimit-Reset", strconv.FormatInt(now.Add(time.Hour).Unix(), 10))
	h.Set("X-RateLimit-Resource", "core")
}

// requestID has the form of GitHub's, e.g. C5A2:2B4D:9F3E21:A1C2D3:65F0E1B2.
func requestID() string {
	random := make([]byte, 14)
	rand.Read(random) // never fails, see crypto/rand
	digits := strings.ToUpper(hex.EncodeToString(random))
	return fmt.Sprintf("%s:%s:%s:%s:%s", digits[:4], digits[4:8], digits[8:14], digits[14:20], digits[20:])
}
