package htmlreport

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
)

// A block is written when it has this many rows, or holds this much text: what a
// row holds is up to those who ask for tokens.
const (
	maxRows = 4096
	maxText = 4 << 20 // bytes
)

// table turns rows into blocks of columns, in which alike values stand together and
// each different one stands once: that is what makes the file small.
type table struct {
	kind string
	out  *blockWriter

	rows    int
	text    int
	last    time.Time // time of the row before that has one
	columns map[string]*column
	names   []string // of columns, in the order in which they came up
}

func newTable(kind string, out *blockWriter) *table {
	return &table{kind: kind, out: out, columns: map[string]*column{}, last: time.UnixMilli(0)}
}

// column is one field of every row of a block. One of Rows, Numbers and Times is
// set, and is as long as the block has rows but for absent values at its end.
type column struct {
	Name   string            `json:"name"`
	Values []json.RawMessage `json:"values,omitempty"` // the different values: text, lists, maps
	// Rows holds each row's position in Values from 1, or 0 for none, or newValue for
	// the next of Values, which is what every row of a column of ids has.
	Rows []int `json:"rows,omitempty"`
	// Numbers holds numbers, and 1 for true.
	Numbers []*int64 `json:"numbers,omitempty"`
	// Times holds milliseconds: since the row before for "time", and since the row's
	// "time" for every other column; since 1970 where there is none.
	Times []*int64 `json:"times,omitempty"`

	known map[string]int // position in Values by JSON
}

const newValue = -1

// spread are the maps of which each key is a column of its own: claims. Their keys are
// the configuration's of Vault. Those of other maps are the caller's, who could
// make any number of columns.
var spread = map[string]bool{"login": true, "grant.claims": true}

// add appends a row, and writes a block when it is full.
func (t *table) add(at time.Time, row any) {
	if t.out.err != nil {
		return
	}
	if at.IsZero() {
		t.fields("", time.UnixMilli(0), reflect.ValueOf(row))
	} else {
		t.fields("", at, reflect.ValueOf(row))
		t.last = at
	}
	if t.rows++; t.rows >= maxRows || t.text >= maxText {
		t.flush()
	}
}

// flush writes the block, if there is one.
func (t *table) flush() {
	if t.rows == 0 {
		return
	}
	columns := make([]*column, len(t.names))
	for i, name := range t.names {
		columns[i] = t.columns[name]
	}
	t.out.block(t.kind, t.rows, columns)
	*t = *newTable(t.kind, t.out)
}

// fields adds what a struct holds to the row, each field under its JSON name.
func (t *table) fields(prefix string, at time.Time, v reflect.Value) {
	v = reflect.Indirect(v)
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous {
			t.fields(prefix, at, v.Field(i))
		} else {
			t.field(prefix+name, at, v.Field(i))
		}
	}
}

// field adds a value to the row. What is zero or empty is absent.
func (t *table) field(name string, at time.Time, v reflect.Value) {
	if v.IsZero() {
		return
	}
	v = reflect.Indirect(v)
	switch value := v.Interface().(type) {
	case time.Time:
		t.time(name, at, value)
		return
	case map[string]string:
		if spread[name] {
			t.spread(name, value)
			return
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		t.fields(name+".", at, v)
	case reflect.Int, reflect.Int64:
		t.number(name, v.Int())
	case reflect.Bool:
		t.number(name, 1)
	case reflect.String:
		t.value(name, short(v.String()))
	case reflect.Slice, reflect.Map:
		if v.Len() > 0 {
			t.value(name, shortAll(v.Interface()))
		}
	default:
		panic("htmlreport: no column for " + name + " of type " + v.Type().String())
	}
}

func (t *table) spread(name string, values map[string]string) {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		t.value(name+"."+key, short(values[key]))
	}
}

func (t *table) time(name string, at, value time.Time) {
	since := at
	if name == "time" {
		since = t.last
	}
	ms := value.UnixMilli() - since.UnixMilli()
	c := t.column(name)
	c.Times = append(pad(c.Times, t.rows), &ms)
}

func (t *table) number(name string, value int64) {
	c := t.column(name)
	c.Numbers = append(pad(c.Numbers, t.rows), &value)
}

func (t *table) value(name string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		t.out.err = err
		return
	}
	c := t.column(name)
	position, ok := c.known[string(text)]
	if !ok {
		c.Values = append(c.Values, text)
		c.known[string(text)] = len(c.Values)
		t.text += len(text)
		position = newValue
	}
	c.Rows = append(pad(c.Rows, t.rows), position)
}

func (t *table) column(name string) *column {
	c, ok := t.columns[name]
	if !ok {
		c = &column{Name: name, known: map[string]int{}}
		t.columns[name] = c
		t.names = append(t.names, name)
	}
	return c
}

// pad lengthens a column by the rows that do not have it.
func pad[T any](rows []T, length int) []T {
	return append(rows, make([]T, length-len(rows))...)
}

// shortHash is how long a value that Vault hashed is in the report. Vault's 64
// digits are as good as random: twelve find its line in the log, and keep a report
// of many requests small.
const shortHash = len("hmac-sha256:") + 12

func short(value string) string {
	if auditlog.Hashed(value) && len(value) > shortHash {
		return value[:shortHash]
	}
	return value
}

// shortAll shortens what Vault hashed in a list or a map.
func shortAll(values any) any {
	switch values := values.(type) {
	case []string:
		shorter := make([]string, len(values))
		for i, value := range values {
			shorter[i] = short(value)
		}
		return shorter
	case map[string]string:
		shorter := make(map[string]string, len(values))
		for key, value := range values {
			shorter[key] = short(value)
		}
		return shorter
	}
	return values
}
