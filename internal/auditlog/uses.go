package auditlog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// UseStats is what was read of GitHub's audit log.
type UseStats struct {
	Bytes       int64     `json:"bytes"`
	Entries     int64     `json:"entries"`
	Uses        int64     `json:"uses"`    // entries that name an installation token
	Foreign     int64     `json:"foreign"` // entries that could not be read
	Broken      []string  `json:"broken,omitempty"`
	First, Last time.Time `json:",omitzero"` // of all entries, with or without a token
}

// Warnings are sentences about what was left out.
func (s UseStats) Warnings() []string {
	var warnings []string
	if s.Foreign > 0 {
		warnings = append(warnings, fmt.Sprintf("%d entries of GitHub's audit log could not be read and were left out", s.Foreign))
	}
	if s.Entries > 0 && s.Uses == 0 {
		warnings = append(warnings, "no entry of GitHub's audit log names a token (hashed_token): export it with token details, and with git and API events")
	}
	for _, broken := range s.Broken {
		warnings = append(warnings, broken+"; what came before it was used")
	}
	return warnings
}

// UseReader reads exports of GitHub's audit log: JSON arrays, or an object a
// line, in any order.
type UseReader struct {
	sources  []Source
	progress func(done int64)
	stats    UseStats
}

// NewUseReader reads the sources together.
func NewUseReader(sources []Source, progress func(done int64)) *UseReader {
	return &UseReader{sources: sources, progress: progress}
}

// Stats tells of the last All, once it has ended.
func (r *UseReader) Stats() UseStats { return r.stats }

// All is every use in the order of time. GitHub's exports are in any order, so
// they are sorted first, with temporary files where they are long.
func (r *UseReader) All(ctx context.Context) iter.Seq2[Use, error] {
	return func(yield func(Use, error) bool) {
		r.stats = UseStats{}
		sorted := newSorter(usesInMemory)
		defer sorted.close()
		for _, source := range r.sources {
			if err := r.read(ctx, source, sorted); err != nil {
				yield(Use{}, err)
				return
			}
		}
		for use, err := range sorted.all() {
			if !yield(use, err) || err != nil {
				return
			}
		}
	}
}

// read adds one export to the sorter.
func (r *UseReader) read(ctx context.Context, source Source, to *sorter) error {
	var done atomic.Int64
	in, err := source.open(&done)
	if err != nil {
		return err
	}
	defer in.Close()
	before := r.stats.Bytes
	objects := newObjectReader(in)
	for count := 0; ; count++ {
		object, err := objects.next()
		r.stats.Bytes = before + done.Load()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			r.stats.Broken = append(r.stats.Broken, fmt.Sprintf("%s: %s", source.Name, err))
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if r.progress != nil && count%1000 == 0 {
			r.progress(r.stats.Bytes)
		}
		if err := r.take(object, to); err != nil {
			return err
		}
	}
}

func (r *UseReader) take(object []byte, to *sorter) error {
	r.stats.Entries++
	var e githubEntry
	if err := json.Unmarshal(object, &e, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)); err != nil {
		r.stats.Foreign++
		return nil
	}
	use := e.use()
	if use.Time.IsZero() {
		r.stats.Foreign++
		return nil
	}
	if r.stats.First.IsZero() || use.Time.Before(r.stats.First) {
		r.stats.First = use.Time
	}
	if use.Time.After(r.stats.Last) {
		r.stats.Last = use.Time
	}
	if use.HashedToken == "" || use.Access != "" && use.Access != installationToken {
		return nil
	}
	r.stats.Uses++
	return to.add(use)
}

// installationToken is what GitHub calls the tokens of this engine. Others, of
// people and of workflows, are none of its business.
const installationToken = "GitHub App server-to-server token"

// githubEntry is an entry of GitHub's audit log.
//
// https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization
type githubEntry struct {
	Timestamp   githubTime `json:"@timestamp"`
	CreatedAt   githubTime `json:"created_at"`
	Action      string     `json:"action"`
	Access      string     `json:"programmatic_access_type"`
	Actor       string     `json:"actor"`
	Org         nameOrList `json:"org"`
	Repo        nameOrList `json:"repo"`
	Repository  nameOrList `json:"repository"`
	HashedToken string     `json:"hashed_token"`
	UserAgent   string     `json:"user_agent"`
	Method      string     `json:"request_method"`
	Route       string     `json:"route"`
	Path        string     `json:"url_path"`
	Status      int        `json:"status_code"`
}

func (e githubEntry) use() Use {
	use := Use{
		Time: time.Time(e.Timestamp), HashedToken: NormalHash(e.HashedToken), Action: e.Action, Access: e.Access, Actor: e.Actor,
		Org: string(e.Org), Repository: string(e.Repo), UserAgent: e.UserAgent,
		Method: e.Method, Route: e.Route, Path: e.Path, Status: e.Status,
	}
	if use.Time.IsZero() {
		use.Time = time.Time(e.CreatedAt)
	}
	if use.Repository == "" {
		use.Repository = string(e.Repository)
	}
	return use
}

// githubTime is milliseconds since 1970, as a number or a text, or RFC 3339.
type githubTime time.Time

func (t *githubTime) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if text == "null" || text == "" {
		return nil
	}
	var ms float64
	if _, err := fmt.Sscanf(text, "%g", &ms); err == nil && !strings.Contains(text, "T") && !strings.Contains(text, "-") {
		*t = githubTime(time.UnixMilli(int64(ms)).UTC())
		return nil
	}
	at, err := time.Parse(time.RFC3339, text)
	*t = githubTime(at.UTC())
	return err
}

// nameOrList is a name; some events have a list of them, of which the first
// counts.
type nameOrList string

func (n *nameOrList) UnmarshalJSON(data []byte) error {
	var names []string
	if bytes.HasPrefix(data, []byte("[")) {
		if err := json.Unmarshal(data, &names); err != nil {
			return err
		}
		if len(names) > 0 {
			*n = nameOrList(names[0])
		}
		return nil
	}
	return json.Unmarshal(data, (*string)(n))
}

// objectReader reads the objects of an array, or those of lines.
type objectReader struct {
	decoder *jsontext.Decoder
	array   bool
	began   bool
}

func newObjectReader(r io.Reader) *objectReader {
	return &objectReader{decoder: jsontext.NewDecoder(bufio.NewReaderSize(r, 256<<10),
		jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))}
}

// next is the next object, good until the one after it is read; io.EOF at the
// end.
func (o *objectReader) next() ([]byte, error) {
	if !o.began {
		o.began = true
		if o.decoder.PeekKind() == jsontext.KindBeginArray {
			o.array = true
			if _, err := o.decoder.ReadToken(); err != nil {
				return nil, err
			}
		}
	}
	if o.array && o.decoder.PeekKind() == jsontext.KindEndArray {
		return nil, io.EOF
	}
	value, err := o.decoder.ReadValue()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("it ends in the middle of an entry")
	}
	return value, err
}
