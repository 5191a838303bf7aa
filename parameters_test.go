package githubsecrets

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/sdk/framework"
)

func TestParametersAreReadStrictly(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		kind framework.FieldType
		raw  any
		want any
		err  string // a part of the refusal
	}{
		"text":                      {framework.TypeString, "a", "a", ""},
		"empty text":                {framework.TypeString, "", "", ""},
		"text that is null":         {framework.TypeString, nil, nil, "null, not a text"},
		"text that is a number":     {framework.TypeString, float64(5), nil, "a number, not a text"},
		"text with NUL":             {framework.TypeString, "a\x00", nil, "NUL"},
		"text of 10 MB":             {framework.TypeString, strings.Repeat("a", 10<<20), nil, "longer than"},
		"boolean":                   {framework.TypeBool, true, true, ""},
		"boolean as text":           {framework.TypeBool, "false", false, ""},
		"boolean that is neither":   {framework.TypeBool, "yes", nil, `"yes" is neither true nor false`},
		"boolean that is a number":  {framework.TypeBool, float64(1), nil, "a number"},
		"id":                        {framework.TypeInt64, float64(12), int64(12), ""},
		"id as text":                {framework.TypeInt64, "12", int64(12), ""},
		"id in octal":               {framework.TypeInt64, "010", nil, "leading zeros"},
		"id with a point":           {framework.TypeInt64, 3.7, nil, "not an id"},
		"id with an exponent":       {framework.TypeInt64, 1e18, nil, "not an id"},
		"id above all others":       {framework.TypeInt64, "1000000000000000000", nil, "not an id"},
		"id below zero":             {framework.TypeInt64, "-1", nil, "not an id"},
		"id in hexadecimal":         {framework.TypeInt64, "0x10", nil, "not an id"},
		"id that is a boolean":      {framework.TypeInt64, true, nil, "a boolean, not a number"},
		"seconds":                   {framework.TypeDurationSecond, float64(600), 600, ""},
		"seconds as text":           {framework.TypeDurationSecond, "600", 600, ""},
		"minutes":                   {framework.TypeDurationSecond, "10m", 600, ""},
		"no seconds":                {framework.TypeDurationSecond, "0", 0, ""},
		"half a second":             {framework.TypeDurationSecond, "500ms", nil, "not a whole number of seconds"},
		"negative seconds":          {framework.TypeDurationSecond, "-1", nil, "negative"},
		"seconds with a point":      {framework.TypeDurationSecond, 1.5, nil, "not a duration"},
		"seconds beyond all bounds": {framework.TypeDurationSecond, "99999999999999999999", nil, "not a duration"},
		"seconds that overflow":     {framework.TypeDurationSecond, float64(9223372037), nil, "not a duration"},
		"duration that is null":     {framework.TypeDurationSecond, nil, nil, "null"},
		"list":                      {framework.TypeCommaStringSlice, []any{"a", "b"}, []string{"a", "b"}, ""},
		"list as text":              {framework.TypeCommaStringSlice, "a, b", []string{"a", "b"}, ""},
		"list with a comma inside":  {framework.TypeCommaStringSlice, []any{"a,b"}, []string{"a,b"}, ""},
		"empty list":                {framework.TypeCommaStringSlice, []any{}, nil, "the list is empty"},
		"list that is empty text":   {framework.TypeCommaStringSlice, "", nil, "the list is empty"},
		"list of null":              {framework.TypeCommaStringSlice, []any{nil}, nil, "item 1 is null"},
		"list with an empty item":   {framework.TypeCommaStringSlice, "a,,b", nil, "item 2 is empty"},
		"list of numbers":           {framework.TypeCommaStringSlice, []any{float64(1)}, nil, "item 1 is a number"},
		"list that is null":         {framework.TypeCommaStringSlice, nil, nil, "null, not a list"},
		"list that is JSON in text": {framework.TypeCommaStringSlice, `["a"]`, nil, "JSON inside a text"},
		"ids":                       {framework.TypeCommaIntSlice, []any{float64(1), "2"}, []int{1, 2}, ""},
		"ids as text":               {framework.TypeCommaIntSlice, "1,2", []int{1, 2}, ""},
		"one id as a number":        {framework.TypeCommaIntSlice, float64(1), []int{1}, ""},
		"ids with zero":             {framework.TypeCommaIntSlice, "0", nil, "0 is not an id"},
		"ids in octal":              {framework.TypeCommaIntSlice, "010", nil, "item 1"},
		"ids with a point":          {framework.TypeCommaIntSlice, []any{3.7}, nil, "item 1"},
		"pairs":                     {framework.TypeKVPairs, map[string]any{"contents": "write"}, map[string]string{"contents": "write"}, ""},
		"pairs as items":            {framework.TypeKVPairs, []any{"contents=write", "issues=read"}, map[string]string{"contents": "write", "issues": "read"}, ""},
		"pairs as one text":         {framework.TypeKVPairs, "contents=write,issues=read", map[string]string{"contents": "write", "issues": "read"}, ""},
		"pairs that the command line joined": {framework.TypeKVPairs, map[string]any{"contents": "write,issues=read"},
			map[string]string{"contents": "write", "issues": "read"}, ""},
		"pair with two values":      {framework.TypeKVPairs, map[string]any{"contents": "read,write"}, nil, `"write" is not of the form`},
		"pair given twice":          {framework.TypeKVPairs, "contents=read,contents=write", nil, "given twice"},
		"pair without value":        {framework.TypeKVPairs, "contents", nil, "name=value"},
		"pair with an empty value":  {framework.TypeKVPairs, map[string]any{"contents": ""}, nil, "name=value"},
		"pair with a boolean":       {framework.TypeKVPairs, map[string]any{"contents": true}, nil, "a boolean, not a text"},
		"pairs that are JSON text":  {framework.TypeKVPairs, `{"contents":"write"}`, nil, "JSON inside a text"},
		"no pairs":                  {framework.TypeKVPairs, map[string]any{}, nil, "empty"},
		"pairs that are empty text": {framework.TypeKVPairs, "", nil, "empty"},
		"pairs that are null":       {framework.TypeKVPairs, nil, nil, "null"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseParameter(test.kind, test.raw)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %#v, error %v; want an error with %q", got, err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzParameters holds that no value, of whatever type, panics or is read as
// something empty.
func FuzzParameters(f *testing.F) {
	for _, seed := range []string{`"a,b"`, `["a",null]`, `{"contents":"write,issues=read"}`, `1e18`, `"010"`, `"500ms"`, `null`, `[[]]`, `""`} {
		f.Add(seed)
	}
	kinds := []framework.FieldType{
		framework.TypeString, framework.TypeBool, framework.TypeInt64, framework.TypeDurationSecond,
		framework.TypeCommaStringSlice, framework.TypeCommaIntSlice, framework.TypeKVPairs,
	}
	f.Fuzz(func(t *testing.T, document string) {
		var raw any
		if json.Unmarshal([]byte(document), &raw) != nil {
			t.Skip("not JSON")
		}
		for _, kind := range kinds {
			value, err := parseParameter(kind, raw)
			if err != nil {
				continue
			}
			switch v := value.(type) {
			case []string:
				if len(v) == 0 || strings.Contains(strings.Join(v, "\n"), "\n\n") {
					t.Errorf("%s read %s as %q", kind, document, v)
				}
			case []int:
				for _, id := range v {
					if id < 1 || id > maxID {
						t.Errorf("%s read %s as %d", kind, document, v)
					}
				}
			case map[string]string:
				for name, value := range v {
					if name == "" || value == "" {
						t.Errorf("%s read %s as %q", kind, document, v)
					}
				}
			}
		}
	})
}
