package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// How values are shown in checks, refusals and errors: in bounds, and without
// control characters.

// maxItems is how many items of a list are shown.
const maxItems = 20

func quote(s string) string {
	const most = 100
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.Quote(s)
}

// describe shows a value of a claim.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return quote(v)
	case []any:
		return "[" + joinSome(v, describeItem) + "]"
	default:
		return describeItem(v)
	}
}

func describeItem(value any) string {
	switch v := value.(type) {
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	case nil, string:
		return describe(v)
	case json.Number:
		return strings.Trim(quote(v.String()), `"`)
	case float64:
		if i, ok := wholeNumber(v); ok {
			return strconv.FormatInt(i, 10)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// oneOf shows the values of which one is wanted.
func oneOf[T any](values []T, show func(T) string) string {
	if len(values) == 1 {
		return show(values[0])
	}
	return "one of " + joinSome(values, show)
}

// joinSome shows the first items of a list and says how many more there are.
func joinSome[T any](items []T, show func(T) string) string {
	var b strings.Builder
	for i, item := range items {
		if i == maxItems {
			fmt.Fprintf(&b, " and %d more", len(items)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(show(item))
	}
	return b.String()
}

// pairs shows permissions as they are written: contents=read,issues=write.
func pairs(permissions map[string]string) string {
	if len(permissions) == 0 {
		return "none"
	}
	items := make([]string, 0, len(permissions))
	for _, name := range sortedKeys(permissions) {
		items = append(items, name+"="+permissions[name])
	}
	return strings.Join(items, ",")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
