package auditlog

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// entry is one entry of Vault's audit log, as far as it is of use here.
//
// https://developer.hashicorp.com/vault/docs/audit/schema
type entry struct {
	Type  string    `json:"type"`
	Time  time.Time `json:"time"`
	Error string    `json:"error"`
	Auth  struct {
		Accessor    string            `json:"accessor"`
		DisplayName string            `json:"display_name"`
		EntityID    string            `json:"entity_id"`
		TokenType   string            `json:"token_type"`
		Metadata    map[string]string `json:"metadata"`
	} `json:"auth"`
	Request struct {
		ID         string `json:"id"`
		Operation  string `json:"operation"`
		Path       string `json:"path"`
		MountPoint string `json:"mount_point"`
		MountType  string `json:"mount_type"`
		Namespace  struct {
			ID   string `json:"id"`
			Path string `json:"path"`
		} `json:"namespace"`
		RemoteAddress string `json:"remote_address"`
		URI           string `json:"request_uri"`
		Headers       struct {
			UserAgent []string `json:"user-agent"`
		} `json:"headers"`
		Data jsontext.Value `json:"data"`
	} `json:"request"`
	Response struct {
		Data   answer `json:"data"`
		Secret struct {
			LeaseID string `json:"lease_id"`
		} `json:"secret"`
		WrapInfo jsontext.Value `json:"wrap_info"`
	} `json:"response"`

	// raw is the line of a request that was read only in part; see askedEntry.
	raw []byte
}

// askedEntry is as much of a request's entry as is needed while its response,
// which repeats all of it, is awaited.
type askedEntry struct {
	Type    string    `json:"type"`
	Time    time.Time `json:"time"`
	Request struct {
		ID         string `json:"id"`
		Operation  string `json:"operation"`
		Path       string `json:"path"`
		MountPoint string `json:"mount_point"`
		MountType  string `json:"mount_type"`
		Namespace  struct {
			Path string `json:"path"`
		} `json:"namespace"`
	} `json:"request"`
}

const (
	requestEntry  = "request"
	responseEntry = "response"
)

// parsed is what became of a line.
type parsed int

const (
	relevant   parsed = iota
	irrelevant        // an entry about something else
	foreign           // no entry of an audit log
)

// decoder decodes lines. The zero value is not ready; see newDecoder.
type decoder struct {
	mounts    []string // with their trailing slash
	fragments [][]byte // of which a line that matters holds one
}

func newDecoder(mounts []string) *decoder {
	d := &decoder{fragments: [][]byte{[]byte(engineType), []byte("sys/leases/re"), []byte("auth/token/revoke"), []byte(`\/`)}}
	for _, mount := range mounts {
		mount = strings.Trim(mount, "/") + "/"
		d.mounts = append(d.mounts, mount)
		d.fragments = append(d.fragments, []byte(mount))
	}
	return d
}

// engineType is in the name of the plugin, unless an administrator registered it
// under another.
const engineType = "secrets-github"

// decode decodes a line. Most lines of a busy Vault have nothing to do with the
// engine and are told by a look at their bytes.
func (d *decoder) decode(line []byte) (*entry, parsed) {
	start := bytes.IndexByte(line, '{') // a device's prefix may stand before it
	if start < 0 {
		return nil, foreign
	}
	line = line[start:]
	if !d.mayMatter(line) {
		if !looksWhole(line) {
			return nil, foreign
		}
		return nil, irrelevant
	}
	e := &entry{}
	if bytes.HasSuffix(bytes.TrimRight(line, " \r\n"), []byte(`"type":"request"}`)) {
		if !e.unmarshalAsked(line) {
			return nil, foreign
		}
	} else if !e.unmarshal(line) {
		return nil, foreign
	}
	if e.Type != requestEntry && e.Type != responseEntry || !d.about(e) {
		return nil, irrelevant
	}
	if e.raw != nil {
		e.raw = bytes.Clone(line)
	}
	return e, relevant
}

// lenient takes what Vault wrote as it is: names are never repeated, and a text
// that is not UTF-8 is no reason to drop an entry.
var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

func (e *entry) unmarshal(line []byte) bool {
	if json.Unmarshal(line, e, lenient) == nil {
		return e.Request.ID != ""
	}
	*e = entry{}
	return json.Unmarshal(line, e, lenient, otherAnswers) == nil && e.Request.ID != ""
}

// unmarshalAsked reads what tells a request, and leaves the rest for whole.
func (e *entry) unmarshalAsked(line []byte) bool {
	var a askedEntry
	if json.Unmarshal(line, &a, lenient) != nil || a.Request.ID == "" {
		return false
	}
	e.Type, e.Time, e.raw = a.Type, a.Time, line
	r := &e.Request
	r.ID, r.Operation, r.Path = a.Request.ID, a.Request.Operation, a.Request.Path
	r.MountPoint, r.MountType, r.Namespace.Path = a.Request.MountPoint, a.Request.MountType, a.Request.Namespace.Path
	return true
}

// whole is the entry with all that it holds.
func (e *entry) whole() *entry {
	if e.raw == nil {
		return e
	}
	full := &entry{}
	if !full.unmarshal(e.raw) {
		return e // it was read in part before, so this cannot be
	}
	return full
}

func (d *decoder) mayMatter(line []byte) bool {
	for _, fragment := range d.fragments {
		if bytes.Contains(line, fragment) {
			return true
		}
	}
	return false
}

// looksWhole reports whether a line that is not decoded ends as an entry does.
func looksWhole(line []byte) bool {
	return bytes.HasSuffix(bytes.TrimRight(line, " \r\n"), []byte("}")) && bytes.Contains(line, []byte(`"type":`))
}

// about reports whether an entry has to do with a token of the engine.
func (d *decoder) about(e *entry) bool {
	if _, ok := d.role(e); ok {
		return true
	}
	return e.Type == responseEntry && e.succeeded() && (isLeasePath(e.path()) || isTokenRevocation(e.path()))
}

// role is the role of a request for a token.
func (d *decoder) role(e *entry) (string, bool) {
	mount := e.Request.MountPoint
	if !d.isEngine(e) {
		return "", false
	}
	if e.Request.Operation != "read" && e.Request.Operation != "update" && e.Request.Operation != "create" {
		return "", false
	}
	role, ok := strings.CutPrefix(e.path(), mount+"token/")
	return role, ok && role != "" && !strings.Contains(role, "/")
}

// isEngine reports whether a request was to the engine: to one of the mounts that
// are named, or else to a plugin of its name.
func (d *decoder) isEngine(e *entry) bool {
	if len(d.mounts) > 0 {
		return slices.Contains(d.mounts, e.Request.MountPoint)
	}
	return strings.Contains(e.Request.MountType, engineType)
}

// path is the request's path within its namespace.
func (e *entry) path() string {
	return strings.TrimPrefix(e.Request.Path, e.Request.Namespace.Path)
}

// namespace is "" for the root.
func (e *entry) namespace() string {
	switch {
	case e.Request.Namespace.Path != "":
		return e.Request.Namespace.Path
	case e.Request.Namespace.ID == "root":
		return ""
	}
	return e.Request.Namespace.ID
}

// succeeded reports whether a response is not an error.
func (e *entry) succeeded() bool {
	return e.Error == "" && e.Response.Data.Error == ""
}

// answer is the engine's answer as Vault writes it down. Of other responses, and
// of an engine that answers otherwise, nothing is read.
type answer struct {
	Error          string            `json:"error"`
	App            string            `json:"app"`
	InstallationID int64             `json:"installation_id"`
	Organization   string            `json:"organization"`
	Selection      string            `json:"repository_selection"`
	Repositories   []string          `json:"repositories"`
	RepositoryIDs  []int64           `json:"repository_ids"`
	Permissions    map[string]string `json:"permissions"`
	Scope          string            `json:"scope"`
	HashedToken    string            `json:"hashed_token"`
	ExpiresAt      string            `json:"expires_at"`
	TTL            int64             `json:"ttl"`
	Subject        string            `json:"subject"`
	RunID          string            `json:"run_id"`
	WorkflowRef    string            `json:"workflow_ref"`
	Ref            string            `json:"ref"`
	EventName      string            `json:"event_name"`
}

// otherAnswers skips answers that are not the engine's.
var otherAnswers = json.WithUnmarshalers(json.UnmarshalFromFunc(func(d *jsontext.Decoder, _ *answer) error { return d.SkipValue() }))
