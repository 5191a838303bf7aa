package auditlog

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// entry is one entry of Vault's audit log, as far as it is of use here.
//
// https://developer.hashicorp.com/vault/docs/audit/schema
type entry struct {
	Type  string
	Time  time.Time
	Error string
	Auth  struct {
		Accessor, DisplayName, EntityID, TokenType string
		Metadata                                   map[string]string
	}
	Request struct {
		ID, Operation, Path   string
		MountPoint, MountType string
		Namespace             struct{ ID, Path string }
		RemoteAddress, URI    string
		UserAgent             []string
		Data                  []byte // JSON
	}
	Response struct {
		Data    answer
		LeaseID string
		Wrapped bool
	}

	// raw is the line of a request that was read in brief; see whole.
	raw []byte
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
func (d *decoder) decode(s scanner, line []byte) (*entry, parsed) {
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
	brief := bytes.HasSuffix(bytes.TrimRight(line, " \r\n"), []byte(`"type":"request"}`))
	if !s.unmarshal(line, e, brief) {
		return nil, foreign
	}
	if e.Type != requestEntry && e.Type != responseEntry || !d.about(e) {
		return nil, irrelevant
	}
	if brief {
		e.raw = bytes.Clone(line)
	}
	return e, relevant
}

// whole is the entry with all that it holds.
func (e *entry) whole() *entry {
	full := &entry{}
	if e.raw == nil || !newScanner().unmarshal(e.raw, full, false) {
		return e
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

// answer is the engine's answer as Vault writes it down.
type answer struct {
	Error                   string
	App                     string
	InstallationID          int64
	Organization, Selection string
	Repositories            []string
	RepositoryIDs           []int64
	Permissions             map[string]string
	Scope, HashedToken      string
	ExpiresAt               string
	TTL                     int64
	Subject                 string

	RunID, WorkflowRef, Ref, EventName string
}
