package githubtest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Names of the endpoints that most tests ask about, see [Server.Requests].
const (
	MintToken   = "POST /app/installations/{installation_id}/access_tokens" //#nosec G101 -- an endpoint's name
	RevokeToken = "DELETE /installation/token"
)

// Fault is one way in which GitHub, or the network before it, misbehaves. The
// zero Fault hits every request and does nothing.
type Fault struct {
	// Match is the endpoint that the fault hits, named as for
	// [Server.Requests]; empty for every request.
	Match string
	// Times is how many requests are hit; 0 for all until it is removed.
	Times int

	// Before GitHub acts:

	// Latency is waited out first. Nothing is done if the client leaves.
	Latency time.Duration
	// Reset resets the connection.
	Reset bool
	// Status, if not 0, is answered with Header and Body instead of acting.
	Status int
	Header http.Header
	Body   string
	// Act lets GitHub act all the same, before Status is answered in place of
	// what it said: a gateway that gave up too early.
	Act bool

	// After GitHub has acted (REST API only):

	// LateBy is waited out before the answer is sent.
	LateBy time.Duration
	// Mutate alters the answer's JSON object. The altered answer is not held
	// to GitHub's OpenAPI description.
	Mutate func(answer map[string]any)
	// Cut closes the connection instead of answering.
	Cut bool
	// Truncate closes the connection in the middle of the answer's body.
	Truncate bool
	// PadTo makes the body at least so many bytes long, by a last member.
	PadTo int
}

// On returns the fault for one endpoint, named as for [Server.Requests].
func (f Fault) On(pattern string) Fault {
	f.Match = pattern
	return f
}

// Once returns the fault for one request only.
func (f Fault) Once() Fault {
	f.Times = 1
	return f
}

// Outage resets every connection.
func Outage() Fault { return Fault{Reset: true} }

// BadGateway is the HTML of GitHub's load balancer.
func BadGateway() Fault {
	return Fault{
		Status: http.StatusBadGateway,
		Header: http.Header{"Content-Type": {"text/html"}},
		Body:   "<html><head><title>502 Bad Gateway</title></head><body>Unicorn! We had issues producing the response to your request.</body></html>",
	}
}

// Redirect sends the client to another URL.
func Redirect(status int, url string) Fault {
	return Fault{Status: status, Header: http.Header{"Location": {url}}}
}

// PrimaryRateLimit is the hourly limit used up until the reset; GitHub answers
// it with 403 or 429.
func PrimaryRateLimit(status int, reset time.Time) Fault {
	return jsonFault(status, "API rate limit exceeded for installation ID 1.",
		documentationURL+"/overview/rate-limits-for-the-rest-api", http.Header{
			"X-Ratelimit-Remaining": {"0"},
			"X-Ratelimit-Used":      {strconv.Itoa(rateLimit)},
			"X-Ratelimit-Reset":     {strconv.FormatInt(reset.Unix(), 10)},
		})
}

// SecondaryRateLimit is too much at once; GitHub answers it with 403 or 429.
func SecondaryRateLimit(status int, retryAfter time.Duration) Fault {
	return jsonFault(status, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
		documentationURL+"/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits", http.Header{
			"Retry-After": {strconv.Itoa(int(retryAfter.Seconds()))},
		})
}

func jsonFault(status int, message, documentation string, header http.Header) Fault {
	body, err := json.Marshal(object{"message": message, "documentation_url": documentation, "status": strconv.Itoa(status)})
	if err != nil {
		panic(err) // strings always encode
	}
	header.Set("Content-Type", "application/json; charset=utf-8")
	return Fault{Status: status, Header: header, Body: string(body)}
}

// activeFault is an injected Fault and how many requests it will still hit.
type activeFault struct {
	Fault
	left int
}

// Inject makes requests fail until the fault has hit its number of them or is
// removed. Of several faults for a request the one injected first hits it.
func (s *Server) Inject(fault Fault) (remove func()) {
	active := &activeFault{Fault: fault, left: fault.Times}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, active)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.removeFault(active)
	}
}

// removeFault needs s.mu.
func (s *Server) removeFault(gone *activeFault) {
	for i, fault := range s.faults {
		if fault == gone {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			return
		}
	}
}

// takeFault returns the fault for a request to the endpoint; the zero Fault if
// there is none.
func (s *Server) takeFault(pattern string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fault := range s.faults {
		if fault.Match != "" && fault.Match != pattern {
			continue
		}
		if fault.left--; fault.left == 0 {
			s.removeFault(fault)
		}
		return fault.Fault
	}
	return Fault{}
}
