// Package gitcredential is the protocol in which git asks a helper for
// credentials.
//
// https://git-scm.com/docs/git-credential#IOFMT
package gitcredential

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxRequest bounds what git may send: it is a handful of short lines, some of
// them headers of a server's.
const maxRequest = 64 << 10

// Request is what git asks for, or tells of. Attributes that say nothing to us
// (capability[], wwwauth[], state[] and those to come) are left aside, as the
// protocol wants.
type Request struct {
	Protocol string // http or https
	Host     string // with the port, if it is not the protocol's
	Path     string // without a leading slash; empty unless credential.useHttpPath is on
	Username string
	Password string
}

// Read reads the attributes up to an empty line or the end.
func Read(r io.Reader) (Request, error) {
	var req Request
	lines := bufio.NewReader(io.LimitReader(r, maxRequest))
	for {
		line, err := lines.ReadString('\n')
		if err != nil && err != io.EOF {
			return Request{}, fmt.Errorf("read what git asks for: %w", err)
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			return req, nil
		}
		// A carriage return at the end of a host would make it another host to
		// a reader that drops it (CVE-2024-52006).
		name, value, found := strings.Cut(line, "=")
		if !found || strings.ContainsAny(value, "\r\x00") {
			return Request{}, errors.New("git sent a line that is not name=value")
		}
		if err := req.set(name, value); err != nil {
			return Request{}, err
		}
	}
}

func (r *Request) set(name, value string) error {
	switch name {
	case "protocol":
		r.Protocol = value
	case "host":
		r.Host = value
	case "path":
		r.Path = value
	case "username":
		r.Username = value
	case "password":
		r.Password = value
	case "url":
		u, err := url.Parse(value)
		if err != nil {
			return errors.New("git sent a url that is none")
		}
		r.Protocol, r.Host, r.Path = u.Scheme, u.Host, strings.TrimPrefix(u.Path, "/")
	}
	return nil
}

// Write writes the request as git would send it.
func (r Request) Write(w io.Writer) error {
	return writeAttributes(w, "protocol", r.Protocol, "host", r.Host, "path", r.Path, "username", r.Username, "password", r.Password)
}

// IsFor reports whether git asks about the server at a URL, by protocol, host
// and port.
func (r Request) IsFor(server *url.URL) bool {
	return r.Protocol == server.Scheme && strings.EqualFold(canonicalHost(r.Protocol, r.Host), canonicalHost(server.Scheme, server.Host))
}

func canonicalHost(protocol, host string) string {
	port := map[string]string{"https": ":443", "http": ":80"}[protocol]
	return strings.TrimSuffix(host, port)
}

// Repository is the repository of the path, OWNER/NAME; found is false if there
// is no path, which is so unless credential.useHttpPath is on. git-lfs puts more
// behind the repository.
func (r Request) Repository() (name string, found bool, err error) {
	if r.Path == "" {
		return "", false, nil
	}
	owner, rest, _ := strings.Cut(r.Path, "/")
	repository, _, _ := strings.Cut(rest, "/")
	repository = strings.TrimSuffix(repository, ".git")
	if owner == "" || repository == "" || repository == "." || repository == ".." {
		return "", false, fmt.Errorf("%.200q is not the path of a repository", r.Path)
	}
	return owner + "/" + repository, true, nil
}

// Credential is what the helper answers.
type Credential struct {
	Username string
	Password string
	Expires  time.Time
}

// Write writes the credential for git. Versions before 2.41 leave the expiry
// aside.
func (c Credential) Write(w io.Writer) error {
	return writeAttributes(w, "username", c.Username, "password", c.Password, "password_expiry_utc", strconv.FormatInt(c.Expires.Unix(), 10))
}

// WriteQuit tells git to ask nobody else, not the user either: a job has none.
func WriteQuit(w io.Writer) error { return writeAttributes(w, "quit", "1") }

// writeAttributes writes pairs of name and value; empty values are left out.
func writeAttributes(w io.Writer, pairs ...string) error {
	var b strings.Builder
	for pair := range slices.Chunk(pairs, 2) {
		name, value := pair[0], pair[1]
		if strings.ContainsAny(value, "\r\n\x00") {
			return fmt.Errorf("the %s holds what git's protocol cannot carry", name)
		}
		if value != "" {
			b.WriteString(name + "=" + value + "\n")
		}
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}
