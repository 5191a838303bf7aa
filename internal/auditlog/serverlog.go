package auditlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ServerStats is what was read of Vault's server log.
type ServerStats struct {
	Bytes       int64     `json:"bytes"`
	Lines       int64     `json:"lines"`
	Entries     int64     `json:"entries"` // of the engine, about tokens
	Broken      []string  `json:"broken,omitempty"`
	First, Last time.Time `json:",omitzero"` // of those entries
}

// Warnings are sentences about what was left out.
func (s ServerStats) Warnings() []string {
	var warnings []string
	if s.Lines > 0 && s.Entries == 0 {
		warnings = append(warnings, "Vault's server log holds no line of the engine: its log_level must be info, or lower")
	}
	for _, broken := range s.Broken {
		warnings = append(warnings, broken+"; what came before it was used")
	}
	return warnings
}

// serverKinds are the messages of the engine that tell of a token.
var serverKinds = map[string]ServerKind{
	"issued a token":  ServerIssued,
	"revoked a token": ServerRevoked,
	"could not revoke a token; Vault tries again":        ServerRevokeFailed,
	"the token had expired before its lease was revoked": ServerExpired,
}

// ServerReader reads Vault's server log, of log_format standard or json.
type ServerReader struct {
	sources  []Source
	progress func(done int64)
	stats    ServerStats
}

// NewServerReader reads the sources one after the other, in the order of their
// first line.
func NewServerReader(sources []Source, progress func(done int64)) *ServerReader {
	return &ServerReader{sources: sources, progress: progress}
}

// Stats tells of the last All, once it has ended.
func (r *ServerReader) Stats() ServerStats { return r.stats }

// All is every line of the engine about a token, in the order of time. Logs of
// several nodes may overlap.
func (r *ServerReader) All(ctx context.Context) iter.Seq2[ServerLine, error] {
	return func(yield func(ServerLine, error) bool) {
		r.stats = ServerStats{}
		var done atomic.Int64
		var open []*serverStream
		defer func() {
			for _, s := range open {
				_ = s.in.Close() // it was read
			}
			r.stats.Bytes = done.Load()
		}()
		for _, source := range r.sources {
			in, err := source.open(&done)
			if err != nil {
				yield(ServerLine{}, err)
				return
			}
			open = append(open, &serverStream{name: source.Name, in: in, lines: &lineReader{r: in}, stats: &r.stats})
		}
		for ctx.Err() == nil {
			s := earliestServer(open)
			if s == nil {
				return
			}
			line := *s.head
			s.head = nil
			if r.progress != nil {
				r.progress(done.Load())
			}
			if r.stats.First.IsZero() {
				r.stats.First = line.Time
			}
			r.stats.Entries++
			r.stats.Last = line.Time
			if !yield(line, nil) {
				return
			}
		}
		yield(ServerLine{}, ctx.Err())
	}
}

// serverStream is one server log.
type serverStream struct {
	name   string
	in     io.ReadCloser
	lines  *lineReader
	stats  *ServerStats
	buffer []byte
	rest   []byte // of the chunk
	head   *ServerLine
	ended  bool
}

func earliestServer(open []*serverStream) *serverStream {
	var earliest *serverStream
	for _, s := range open {
		if head := s.peek(); head != nil && (earliest == nil || head.Time.Before(earliest.head.Time)) {
			earliest = s
		}
	}
	return earliest
}

// peek is the next line of the engine; nil at the end.
func (s *serverStream) peek() *ServerLine {
	for s.head == nil && !s.ended {
		if len(s.rest) == 0 {
			chunk, err := s.lines.next(s.buffer)
			if err != nil {
				s.ended = true
				if !errors.Is(err, io.EOF) {
					s.stats.Broken = append(s.stats.Broken, s.name+": "+err.Error())
				}
				return nil
			}
			s.buffer, s.rest = chunk, chunk
		}
		line, rest, _ := bytes.Cut(s.rest, []byte("\n"))
		s.rest = rest
		s.stats.Lines++
		if parsed, ok := parseServerLine(line); ok {
			s.head = &parsed
		}
	}
	return s.head
}

// parseServerLine reads a line in one of hclog's two formats.
func parseServerLine(line []byte) (ServerLine, bool) {
	if !bytes.Contains(line, []byte("a token")) && !bytes.Contains(line, []byte("the token had expired")) {
		return ServerLine{}, false
	}
	line = bytes.TrimSpace(line)
	if bytes.HasPrefix(line, []byte("{")) {
		return parseJSONLine(line)
	}
	return parseStandardLine(string(line))
}

func parseJSONLine(line []byte) (ServerLine, bool) {
	var fields map[string]any
	if json.Unmarshal(line, &fields, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)) != nil {
		return ServerLine{}, false
	}
	values := map[string]string{}
	for name, value := range fields {
		values[name] = plain(value)
	}
	at, err := time.Parse("2006-01-02T15:04:05.999999999Z07:00", values["@timestamp"])
	if err != nil {
		return ServerLine{}, false
	}
	return serverLine(at, values["@message"], values)
}

// parseStandardLine reads "TIME [LEVEL]  MODULE: MESSAGE: key=value key="value"".
func parseStandardLine(line string) (ServerLine, bool) {
	stamp, rest, ok := strings.Cut(line, " ")
	at, err := time.Parse("2006-01-02T15:04:05.999999999Z0700", stamp)
	if err != nil {
		at, err = time.Parse(time.RFC3339Nano, stamp)
	}
	if !ok || err != nil {
		return ServerLine{}, false
	}
	for message := range serverKinds {
		if before, fields, ok := strings.Cut(rest, ": "+message+": "); ok && !strings.Contains(before, "=") {
			return serverLine(at, message, keyValues(fields))
		}
	}
	return ServerLine{}, false
}

// keyValues reads hclog's key=value pairs, whose values are quoted as in Go
// where they must be.
func keyValues(text string) map[string]string {
	values := map[string]string{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		key, rest, ok := strings.Cut(text, "=")
		if !ok {
			break
		}
		value := rest
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			value, _ = strconv.Unquote(quoted)
			text = rest[len(quoted):]
		} else {
			value, text, _ = strings.Cut(rest, " ")
		}
		if _, taken := values[key]; !taken {
			values[key] = value
		}
	}
	return values
}

func serverLine(at time.Time, message string, values map[string]string) (ServerLine, bool) {
	kind, ok := serverKinds[message]
	if !ok {
		return ServerLine{}, false
	}
	line := ServerLine{
		Time: at.UTC(), Kind: kind, RequestID: values["request_id"], Role: values["role"], App: values["app"], Scope: values["scope"],
		Subject: values["subject"], HashedToken: NormalHash(values["hashed_token"]), Error: values["error"],
	}
	line.TTL, _ = time.ParseDuration(values["ttl"])
	line.ExpiresAt, _ = time.Parse(time.RFC3339, values["expires_at"])
	return line, line.HashedToken != ""
}
