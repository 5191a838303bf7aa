package auditlog

import (
	"bytes"
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
		RemoteAddress string         `json:"remote_address"`
		URI           string         `json:"request_uri"`
		Headers       jsontext.Value `json:"headers"`
		Data          jsontext.Value `json:"data"`
	} `json:"request"`
	Response struct {
		Data   jsontext.Value `json:"data"`
		Secret struct {
			LeaseID string `json:"lease_id"`
		} `json:"secret"`
		WrapInfo jsontext.Value `json:"wrap_info"`
	} `json:"response"`
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
	if err := json.Unmarshal(line, e, jsontext.AllowInvalidUTF8(true)); err != nil || e.Request.ID == "" {
		return nil, foreign
	}
	if e.Type != requestEntry && e.Type != responseEntry || !d.about(e) {
		return nil, irrelevant
	}
	return e, relevant
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
	if !strings.Contains(e.Request.MountType, engineType) && !d.named(mount) {
		return "", false
	}
	if e.Request.Operation != "read" && e.Request.Operation != "update" && e.Request.Operation != "create" {
		return "", false
	}
	role, ok := strings.CutPrefix(e.path(), mount+"token/")
	return role, ok && role != "" && !strings.Contains(role, "/")
}

func (d *decoder) named(mount string) bool {
	for _, name := range d.mounts {
		if name == mount {
			return true
		}
	}
	return false
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
	return e.Error == "" && e.failure() == ""
}

// failure is the text of an error that is part of the response.
func (e *entry) failure() string {
	if !bytes.Contains(e.Response.Data, []byte(`"error"`)) {
		return ""
	}
	var data struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(e.Response.Data, &data) != nil {
		return ""
	}
	return data.Error
}
