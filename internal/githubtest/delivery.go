package githubtest

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"time"
)

// before is what happens before GitHub acts; it reports whether GitHub does.
func (s *Server) before(w http.ResponseWriter, r *http.Request, fault Fault) bool {
	switch {
	case !s.wait(r, fault.Latency):
		panic(http.ErrAbortHandler)
	case fault.Reset:
		reset(w)
		return false
	case fault.Status != 0 && !fault.Act:
		fault.respond(w)
		return false
	}
	return true
}

// deliver sends the answer, as the fault lets it.
func (s *Server) deliver(w http.ResponseWriter, r *http.Request, status int, body []byte, fault Fault) {
	switch {
	case !s.wait(r, fault.LateBy) || fault.Cut:
		panic(http.ErrAbortHandler)
	case fault.Status != 0:
		fault.respond(w)
		return
	case body != nil && fault.PadTo > len(body):
		body = pad(body, fault.PadTo)
	}
	if body != nil {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if !fault.Truncate {
		_, _ = w.Write(body) // an error means that the client has left
		return
	}
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func (f Fault) respond(w http.ResponseWriter) {
	for name, values := range f.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Body)) // an error means that the client has left
}

// wait reports false if the client left, or the server was closed, before d.
func (s *Server) wait(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-s.closing:
	}
	return false
}

// reset closes the connection so that the client sees a reset, not an end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = wrapped.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // what is unsent is dropped, and closing resets
		_ = tcp.Close()
	}
}

func mutate(body []byte, change func(map[string]any)) []byte {
	var decoded map[string]any
	if err := json.Unmarshal(body, &decoded); err != nil {
		panic("githubtest: Mutate needs an answer that is a JSON object")
	}
	change(decoded)
	changed, err := json.Marshal(decoded)
	if err != nil {
		panic("githubtest: Mutate made what is not JSON: " + err.Error())
	}
	return changed
}

// pad adds a member to a JSON object, so that the token of an answer stays
// ahead of the padding.
func pad(body []byte, size int) []byte {
	const opening, closing = `,"padding":"`, `"}`
	padded := append(make([]byte, 0, size), body[:len(body)-1]...)
	padded = append(padded, opening...)
	for len(padded) < size-len(closing) {
		padded = append(padded, 'x')
	}
	return append(padded, closing...)
}
