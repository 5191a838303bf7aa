package policy

import (
	"encoding/json"
	"strings"
	"testing"
)

// What is shown comes from outside, and goes to terminals and into audit logs.
func TestValuesAreShownInBounds(t *testing.T) {
	t.Parallel()
	many := make([]any, 25)
	for i := range many {
		many[i] = json.Number("1")
	}
	for _, test := range []struct {
		value any
		want  string
	}{
		{"main", `"main"`},
		{"a\x1b[31m\n\u202e", `"a\x1b[31m\n\u202e"`},
		{strings.Repeat("é", 200), `"` + strings.Repeat("é", 50) + `…"`},
		{nil, "null"},
		{true, "true"},
		{700000001.0, "700000001"},
		{0.5, "0.5"},
		{json.Number("5.00"), "5.00"},
		{json.Number(strings.Repeat("9", 200)), strings.Repeat("9", 100) + "…"},
		{map[string]any{"a": 1}, "an object"},
		{[]any{"a", nil, []any{"b"}, map[string]any{}}, `["a", null, a list, an object]`},
		{many, "[" + strings.Repeat("1, ", 19) + "1 and 5 more]"},
	} {
		if got := describe(test.value); got != test.want {
			t.Errorf("%v: %s, want %s", test.value, got, test.want)
		}
	}
}
