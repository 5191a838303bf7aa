package githubapp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-github/v88/github"
)

const (
	// maxAnswer is far above the 500 repositories of about 6 KB each that
	// GitHub names at most.
	maxAnswer = 16 << 20
	// tokenLifetime is how long GitHub lets every installation token live.
	tokenLifetime = time.Hour
)

// tokenAnswer is what is read of GitHub's answer: of each repository's 6 KB the
// id and the name.
type tokenAnswer struct {
	token               string
	expiresAt           string
	permissions         map[string]string
	repositorySelection string
	repositories        []Repository
}

// readToken reads a token from a 2xx answer. If that fails, whatever token the
// answer holds is revoked.
func (c *Client) readToken(resp *github.Response) (*Token, error) {
	body := newAnswerBody(resp.Body)
	var answer tokenAnswer
	if err := answer.read(body); err != nil {
		failure := c.undelivered(resp, body.salvage(answer.token), err.Error()+" "+contentType(resp.Response))
		failure.cut = body.err != nil
		return nil, failure
	}
	if answer.token == "" {
		return nil, c.undelivered(resp, "", "the answer holds no token")
	}
	now := c.now()
	expires, err := time.Parse(time.RFC3339, answer.expiresAt)
	if err != nil {
		return nil, c.undelivered(resp, answer.token, "the token has no expires_at")
	}
	lifetime := expires.Sub(githubNow(resp.Response, now))
	if lifetime <= 0 {
		return nil, c.undelivered(resp, answer.token, "the token's expires_at is in the past ("+answer.expiresAt+"); do the clocks agree?")
	}
	return &Token{
		Value:           answer.token,
		ExpiresAt:       expires,
		EndsAt:          now.Add(min(lifetime, tokenLifetime)),
		Permissions:     answer.permissions,
		Repositories:    answer.repositories,
		AllRepositories: answer.repositorySelection == "all",
	}, nil
}

// githubNow is the time of GitHub's clock as its answer says, for it is that
// clock which ends a token; ours if the answer does not say.
func githubNow(resp *http.Response, ours time.Time) time.Time {
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		return date
	}
	return ours
}

// undelivered takes back the token of an answer that is refused, as far as the
// answer shows it, and returns the error. An answer that was cut off shows it
// too: GitHub sends the token first.
func (c *Client) undelivered(resp *github.Response, token, reason string) *Error {
	e := &Error{
		Kind: Undelivered, Op: mintOp, Status: resp.StatusCode, Message: reason,
		RequestID: Redact(resp.Header.Get("X-Github-Request-Id")),
	}
	if token != "" {
		c.Discard(token, c.now().Add(tokenLifetime))
		e.Message += "; the token is being revoked"
	} else if resp.StatusCode != http.StatusCreated {
		e.Kind = Unavailable // GitHub makes a token with 201 and nothing else
	}
	return e
}

// answerBody reads an answer up to a limit and remembers its beginning.
type answerBody struct {
	from io.Reader
	left int64
	head []byte
	err  error
}

// maxHead is how much of an answer is kept, to look for the token if the answer
// turns out to be broken.
const maxHead = 4 << 10

func newAnswerBody(from io.Reader) *answerBody {
	return &answerBody{from: from, left: maxAnswer, head: make([]byte, 0, maxHead)}
}

var errTooLong = fmt.Errorf("the answer is longer than %d bytes", maxAnswer)

func (b *answerBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.err = errTooLong
		return 0, b.err
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.head = append(b.head, p[:min(n, maxHead-len(b.head))]...)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// salvage is the token of an answer that is broken: what was read of it, or what
// looks like it in the answer's beginning and in what has not been read yet.
func (b *answerBody) salvage(read string) string {
	if read != "" {
		return read
	}
	rest, _ := io.ReadAll(io.LimitReader(b.from, b.left)) // as far as it comes
	if m := tokenInBody.FindSubmatch(append(b.head, rest...)); m != nil {
		return string(m[1])
	}
	return ""
}

var tokenInBody = regexp.MustCompile(`"token"\s*:\s*"([^"\\]+)"`)

// read decodes as much of the body as there is. The error says what is wrong
// with it, without repeating any of it.
func (a *tokenAnswer) read(body *answerBody) error {
	// GitHub's JSON has no member twice and is UTF-8; to check it again would
	// double the cost of 500 repositories.
	d := jsontext.NewDecoder(body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	err := readObject(d, a.readMember)
	if err == nil {
		err = readEnd(d)
	}
	switch {
	case body.err != nil:
		return fmt.Errorf("the answer could not be read: %s", Redact(body.err.Error()))
	case err != nil:
		return errors.New("the answer is not a token in GitHub's form")
	}
	return nil
}

func (a *tokenAnswer) readMember(d *jsontext.Decoder, name jsontext.Value) (err error) {
	switch string(name) {
	case `"token"`:
		a.token, err = readString(d)
	case `"expires_at"`:
		a.expiresAt, err = readString(d)
	case `"repository_selection"`:
		a.repositorySelection, err = readString(d)
	case `"permissions"`:
		a.permissions = map[string]string{}
		err = readObject(d, a.readPermission)
	case `"repositories"`:
		inner := jsontext.NewDecoder(bytes.NewReader(nil))
		err = readArray(d, func(d *jsontext.Decoder) error {
			r, err := readRepository(d, inner)
			a.repositories = append(a.repositories, r)
			return err
		})
	default:
		err = d.SkipValue()
	}
	return err
}

func (a *tokenAnswer) readPermission(d *jsontext.Decoder, name jsontext.Value) error {
	decoded, err := jsontext.AppendUnquote(nil, name)
	if err != nil {
		return err
	}
	a.permissions[string(decoded)], err = readString(d)
	return err
}

// errFound ends the reading of a repository before its end.
var errFound = errors.New("the id and the name are read")

// readRepository reads a repository with the inner decoder, until it has seen
// what is wanted: that is faster than to pass over the rest member by member.
func readRepository(d, inner *jsontext.Decoder) (r Repository, err error) {
	whole, err := d.ReadValue()
	if err != nil {
		return r, err
	}
	inner.Reset(bytes.NewReader(whole), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	err = readObject(inner, func(d *jsontext.Decoder, name jsontext.Value) error {
		if err := r.readMember(d, name); err != nil || r.ID == 0 || r.Name == "" {
			return err
		}
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return r, err
}

func (r *Repository) readMember(d *jsontext.Decoder, name jsontext.Value) (err error) {
	switch string(name) {
	case `"id"`:
		r.ID, err = readID(d)
	case `"name"`:
		r.Name, err = readString(d)
	default:
		err = d.SkipValue()
	}
	return err
}
