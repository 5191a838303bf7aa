package auditlog

import (
	"bytes"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// What reads an entry as it streams by. A log has millions of them, and reflection
// takes twice as long. A value of another type than expected is skipped: the
// engine's names are not its own in other responses.

// lenient takes what Vault wrote as it is: names are never repeated, and a text
// that is not UTF-8 is no reason to drop an entry.
var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// scanner decodes one line after the other, in the same memory.
type scanner struct{ json *jsontext.Decoder }

func newScanner() scanner { return scanner{jsontext.NewDecoder(&bytes.Buffer{})} }

// unmarshal reads a line; false if it is no entry. Brief entries have what tells a
// request, and none of what its response repeats.
func (s scanner) unmarshal(line []byte, e *entry, brief bool) bool {
	d := s.json
	d.Reset(bytes.NewBuffer(line), lenient)
	err := members(d, func(name jsontext.Value) error {
		switch string(name) {
		case `"type"`:
			return text(d, &e.Type)
		case `"time"`:
			return e.readTime(d)
		case `"request"`:
			return e.readRequest(d, brief)
		}
		if brief {
			return d.SkipValue()
		}
		switch string(name) {
		case `"error"`:
			return text(d, &e.Error)
		case `"auth"`:
			return e.readAuth(d)
		case `"response"`:
			return e.readResponse(d)
		}
		return d.SkipValue()
	})
	return err == nil && e.Request.ID != "" && !e.Time.IsZero()
}

func (e *entry) readTime(d *jsontext.Decoder) error {
	value, err := d.ReadValue()
	if err == nil && value.Kind() == '"' {
		err = e.Time.UnmarshalJSON(value)
	}
	return err
}

func (e *entry) readAuth(d *jsontext.Decoder) error {
	return members(d, func(name jsontext.Value) error {
		switch string(name) {
		case `"accessor"`:
			return text(d, &e.Auth.Accessor)
		case `"display_name"`:
			return text(d, &e.Auth.DisplayName)
		case `"entity_id"`:
			return text(d, &e.Auth.EntityID)
		case `"token_type"`:
			return text(d, &e.Auth.TokenType)
		case `"metadata"`:
			return textMap(d, &e.Auth.Metadata)
		}
		return d.SkipValue()
	})
}

func (e *entry) readRequest(d *jsontext.Decoder, brief bool) error {
	r := &e.Request
	return members(d, func(name jsontext.Value) error {
		switch string(name) {
		case `"id"`:
			return text(d, &r.ID)
		case `"operation"`:
			return text(d, &r.Operation)
		case `"path"`:
			return text(d, &r.Path)
		case `"mount_point"`:
			return text(d, &r.MountPoint)
		case `"mount_type"`:
			return text(d, &r.MountType)
		case `"namespace"`:
			return e.readNamespace(d)
		}
		if brief {
			return d.SkipValue()
		}
		switch string(name) {
		case `"remote_address"`:
			return text(d, &r.RemoteAddress)
		case `"request_uri"`:
			return text(d, &r.URI)
		case `"headers"`:
			return e.readHeaders(d)
		case `"data"`:
			value, err := d.ReadValue()
			r.Data = bytes.Clone(value) // the line's memory is used again
			return err
		}
		return d.SkipValue()
	})
}

func (e *entry) readNamespace(d *jsontext.Decoder) error {
	return members(d, func(name jsontext.Value) error {
		switch string(name) {
		case `"id"`:
			return text(d, &e.Request.Namespace.ID)
		case `"path"`:
			return text(d, &e.Request.Namespace.Path)
		}
		return d.SkipValue()
	})
}

func (e *entry) readHeaders(d *jsontext.Decoder) error {
	return members(d, func(name jsontext.Value) error {
		if string(name) == `"user-agent"` {
			return texts(d, &e.Request.UserAgent)
		}
		return d.SkipValue()
	})
}

func (e *entry) readResponse(d *jsontext.Decoder) error {
	r := &e.Response
	return members(d, func(name jsontext.Value) error {
		switch string(name) {
		case `"data"`:
			return r.Data.read(d)
		case `"secret"`:
			return members(d, func(name jsontext.Value) error {
				if string(name) == `"lease_id"` {
					return text(d, &r.LeaseID)
				}
				return d.SkipValue()
			})
		case `"wrap_info"`:
			r.Wrapped = d.PeekKind() == '{'
		}
		return d.SkipValue()
	})
}

func (a *answer) read(d *jsontext.Decoder) error {
	return members(d, func(name jsontext.Value) error {
		switch string(name) {
		case `"error"`:
			return text(d, &a.Error)
		case `"app"`:
			return text(d, &a.App)
		case `"installation_id"`:
			return number(d, &a.InstallationID)
		case `"organization"`:
			return text(d, &a.Organization)
		case `"repository_selection"`:
			return text(d, &a.Selection)
		case `"repositories"`:
			return texts(d, &a.Repositories)
		case `"repository_ids"`:
			return numbers(d, &a.RepositoryIDs)
		case `"permissions"`:
			return textMap(d, &a.Permissions)
		case `"scope"`:
			return text(d, &a.Scope)
		case `"hashed_token"`:
			return text(d, &a.HashedToken)
		case `"expires_at"`:
			return text(d, &a.ExpiresAt)
		case `"ttl"`:
			return number(d, &a.TTL)
		case `"subject"`:
			return text(d, &a.Subject)
		case `"run_id"`:
			return text(d, &a.RunID)
		case `"workflow_ref"`:
			return text(d, &a.WorkflowRef)
		case `"ref"`:
			return text(d, &a.Ref)
		case `"event_name"`:
			return text(d, &a.EventName)
		}
		return d.SkipValue()
	})
}

// members calls the function for every member of an object, to read or skip its
// value. The name is JSON, in quotes.
func members(d *jsontext.Decoder, member func(name jsontext.Value) error) error {
	if d.PeekKind() != '{' {
		return d.SkipValue()
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// elements calls the function for every element of an array.
func elements(d *jsontext.Decoder, element func() error) error {
	if d.PeekKind() != '[' {
		return d.SkipValue()
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func text(d *jsontext.Decoder, to *string) error {
	if d.PeekKind() != '"' {
		return d.SkipValue()
	}
	token, err := d.ReadToken()
	if err == nil {
		*to = token.String()
	}
	return err
}

func texts(d *jsontext.Decoder, to *[]string) error {
	return elements(d, func() error {
		var one string
		err := text(d, &one)
		*to = append(*to, one)
		return err
	})
}

func textMap(d *jsontext.Decoder, to *map[string]string) error {
	return members(d, func(name jsontext.Value) error {
		key, err := jsontext.AppendUnquote(nil, name)
		if err != nil {
			return err
		}
		var value string
		if err := text(d, &value); err != nil {
			return err
		}
		if *to == nil {
			*to = map[string]string{}
		}
		(*to)[string(key)] = value
		return nil
	})
}

func number(d *jsontext.Decoder, to *int64) error {
	if d.PeekKind() != '0' {
		return d.SkipValue()
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	if whole, err := token.Int(); err == nil {
		*to = whole
	}
	return nil
}

func numbers(d *jsontext.Decoder, to *[]int64) error {
	return elements(d, func() error {
		var one int64
		err := number(d, &one)
		*to = append(*to, one)
		return err
	})
}
