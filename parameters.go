package githubsecrets

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// A parameter that is misspelt, or read as something else than was meant, must
// never widen a token. The framework only warns about names that it does not
// know and converts weakly ("010" is 8, 500ms is 0, [null] is [""]), so
// parameters are checked here first, and given to the framework in its types.
// They come as JSON over the plugin's gRPC, whose reader makes every number a
// float64: exact up to 2^53, as every id must be.

// checkParameters refuses parameters that the path does not take in this
// operation, and puts the others into the one form that the framework reads as
// it stands.
func (b *backend) checkParameters(req *logical.Request) error {
	switch req.Operation {
	case logical.CreateOperation, logical.UpdateOperation, logical.ReadOperation,
		logical.ListOperation, logical.DeleteOperation:
	default:
		return nil // Vault's own: renew, revoke, help …
	}
	path := b.Route(req.Path)
	if path == nil {
		return nil // the framework says that there is no such path
	}
	write := req.Operation == logical.CreateOperation || req.Operation == logical.UpdateOperation
	for _, name := range slices.Sorted(maps.Keys(req.Data)) {
		raw, schema := req.Data[name], path.Fields[name]
		switch {
		case schema != nil && !write && !schema.Query && schema.DisplayAttrs != nil && schema.DisplayAttrs.Sensitive:
			return secretInQuery(name)
		case schema == nil, !write && !schema.Query:
			return unknownParameter(name, path, write)
		}
		if err := fromPath(name, raw, path, req.Path); err != nil {
			return err
		}
		value, err := parseParameter(schema.Type, raw)
		if err != nil {
			return badRequestf("parameter %q: %s", name, err)
		}
		req.Data[name] = value
	}
	return nil
}

func secretInQuery(name string) error {
	remedy := "send it in the body of a write"
	if name == "id_token" {
		remedy += ", or in the header " + idTokenHeader
	}
	return badRequestf("parameter %q: it must not stand in a query string, which Vault's audit log holds in plaintext, this one too by now; %s", name, remedy)
}

func unknownParameter(name string, path *framework.Path, write bool) error {
	var known []string
	for field, schema := range path.Fields {
		if (write || schema.Query) && !isCapture(path, field) {
			known = append(known, field)
		}
	}
	sort.Strings(known)
	if len(known) == 0 {
		return badRequestf("unknown parameter %s: this operation takes none", quote(name))
	}
	return badRequestf("unknown parameter %s: this operation takes %s", quote(name), strings.Join(known, ", "))
}

// fromPath refuses a parameter that contradicts the one in the request's path.
func fromPath(name string, raw any, path *framework.Path, requestPath string) error {
	if isCapture(path, name) && !strings.HasSuffix(requestPath, "/"+fmt.Sprint(raw)) {
		return badRequestf("parameter %q: it is given by the request's path %q and cannot be another", name, requestPath)
	}
	return nil
}

func isCapture(path *framework.Path, field string) bool {
	return strings.Contains(path.Pattern, "(?P<"+field+">")
}

// parseParameter reads a value as it came, from JSON, a query string or the
// command line, strictly.
func parseParameter(kind framework.FieldType, raw any) (any, error) {
	switch kind {
	case framework.TypeString:
		return parseString(raw)
	case framework.TypeBool:
		return parseBool(raw)
	case framework.TypeInt64:
		return parseID(raw)
	case framework.TypeDurationSecond:
		return parseSeconds(raw)
	case framework.TypeCommaStringSlice:
		return parseStrings(raw)
	case framework.TypeSlice:
		return parseIDItems(raw)
	case framework.TypeMap:
		return parseClaims(raw)
	case framework.TypeCommaIntSlice:
		return parseIDs(raw)
	case framework.TypeKVPairs:
		return parsePairs(raw)
	default:
		return nil, fmt.Errorf("it is of a type (%s) that this engine does not read", kind)
	}
}

// maxText keeps an entry within what Vault's storage takes (1 MiB with raft).
const maxText = 128 << 10

func parseString(raw any) (string, error) {
	s, ok := raw.(string)
	switch {
	case !ok:
		return "", fmt.Errorf("it is %s, not a text", typeName(raw))
	case len(s) > maxText:
		return "", fmt.Errorf("it is longer than %d bytes", maxText)
	case strings.ContainsRune(s, 0):
		return "", fmt.Errorf("it holds a NUL character")
	}
	return s, nil
}

func parseBool(raw any) (bool, error) {
	switch v := raw.(type) {
	case bool:
		return v, nil
	case string:
		if b, err := strconv.ParseBool(v); err == nil {
			return b, nil
		}
		return false, fmt.Errorf("%s is neither true nor false", quote(v))
	}
	return false, fmt.Errorf("it is %s, neither true nor false", typeName(raw))
}

// maxID is the largest whole number that JSON's readers agree on (RFC 8259,
// section 6); GitHub's ids are far below.
const maxID = 1<<53 - 1

// parseID reads one of GitHub's ids, or 0 where a field may be unset.
func parseID(raw any) (int64, error) {
	text, ok := number(raw)
	if !ok {
		return 0, fmt.Errorf("it is %s, not a number", typeName(raw))
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 0 || id > maxID || text != strconv.FormatInt(id, 10) {
		return 0, fmt.Errorf("%s is not an id: a whole number up to %d, written without sign, point or leading zeros", quote(text), int64(maxID))
	}
	return id, nil
}

// number returns the text of a number however it came.
func number(raw any) (string, bool) {
	switch v := raw.(type) {
	case string:
		return strings.TrimSpace(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// parseSeconds reads a duration as whole seconds: 600, "600", "10m".
func parseSeconds(raw any) (int, error) {
	text, ok := number(raw)
	if !ok {
		return 0, fmt.Errorf("it is %s, not a duration", typeName(raw))
	}
	d, err := time.ParseDuration(text)
	if seconds, numeric := strconv.ParseInt(text, 10, 32); numeric == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s is not a duration; give seconds (600) or e.g. 10m", quote(text))
	case d < 0:
		return 0, fmt.Errorf("%s is negative", quote(text))
	case d%time.Second != 0:
		return 0, fmt.Errorf("%s is not a whole number of seconds", quote(text))
	}
	return int(d / time.Second), nil
}

// parseStrings reads a list, or a text with commas, of which no item is empty.
func parseStrings(raw any) ([]string, error) {
	items, err := parseItems(raw)
	if err != nil {
		return nil, err
	}
	list := make([]string, len(items))
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			return nil, fmt.Errorf("item %d is %s, not a text", i+1, typeName(item))
		}
		if list[i] = strings.TrimSpace(s); list[i] == "" {
			return nil, fmt.Errorf("item %d is empty", i+1)
		}
	}
	return list, nil
}

// parseIDItems reads ids, or templates that become ids, as texts; policy says
// whether they are.
func parseIDItems(raw any) ([]any, error) {
	if n, ok := raw.(float64); ok {
		raw = []any{n}
	}
	list, err := parseItems(raw)
	if err != nil {
		return nil, err
	}
	items := make([]any, len(list))
	for i, item := range list {
		text, ok := number(item)
		if !ok {
			return nil, fmt.Errorf("item %d is %s, not an id", i+1, typeName(item))
		}
		items[i] = text
	}
	return items, nil
}

func parseIDs(raw any) ([]int, error) {
	if n, ok := raw.(float64); ok {
		raw = []any{n}
	}
	items, err := parseItems(raw)
	if err != nil {
		return nil, err
	}
	list := make([]int, len(items))
	for i, item := range items {
		id, err := parseID(item)
		if err == nil && id == 0 {
			err = fmt.Errorf("0 is not an id")
		}
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
		list[i] = int(id)
	}
	return list, nil
}

// parseItems takes a list apart, without looking at its items.
func parseItems(raw any) ([]any, error) {
	var items []any
	switch v := raw.(type) {
	case []any:
		items = v
	case string:
		if err := refuseJSON(v); err != nil {
			return nil, err
		}
		if strings.TrimSpace(v) != "" {
			for s := range strings.SplitSeq(v, ",") {
				items = append(items, s)
			}
		}
	default:
		return nil, fmt.Errorf("it is %s, not a list", typeName(raw))
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("the list is empty; leave the parameter out if you do not mean to set it")
	}
	return items, nil
}

// parsePairs reads a map of texts: a JSON object, or name=value items.
func parsePairs(raw any) (map[string]string, error) {
	var items []string
	switch v := raw.(type) {
	case map[string]any:
		for name, value := range v {
			s, ok := value.(string)
			if !ok {
				return nil, fmt.Errorf("the value of %s is %s, not a text", quote(name), typeName(value))
			}
			items = append(items, pairItems(name+"="+s)...)
		}
	default:
		list, err := parseStrings(raw)
		if err != nil {
			return nil, err
		}
		items = list
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("it is empty; name at least one")
	}
	slices.Sort(items)
	return splitPairs(items)
}

// parseClaims reads a map of claims: a JSON object, or name=value items, of which
// those with the same name make a list.
func parseClaims(raw any) (map[string]any, error) {
	claims, ok := raw.(map[string]any)
	if !ok {
		items, err := parseStrings(raw)
		if err != nil {
			return nil, err
		}
		if claims, err = splitClaims(items); err != nil {
			return nil, err
		}
	}
	if len(claims) == 0 {
		return nil, fmt.Errorf("it is empty; name at least one")
	}
	return claims, nil
}

func splitClaims(items []string) (map[string]any, error) {
	claims := map[string]any{}
	for _, item := range items {
		name, value, ok := strings.Cut(item, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%s is not of the form name=value", quote(item))
		}
		switch before := claims[name].(type) {
		case nil:
			claims[name] = value
		case []any:
			claims[name] = append(before, value)
		default:
			claims[name] = []any{before, value}
		}
	}
	return claims, nil
}

// pairItems takes a=b,c=d apart, which the command line makes one pair.
func pairItems(pair string) []string { return strings.Split(pair, ",") }

func splitPairs(items []string) (map[string]string, error) {
	pairs := make(map[string]string, len(items))
	for _, item := range items {
		name, value, ok := strings.Cut(item, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !ok || name == "" || value == "":
			return nil, fmt.Errorf("%s is not of the form name=value", quote(item))
		case pairs[name] != "":
			return nil, fmt.Errorf("%s is given twice", quote(name))
		}
		pairs[name] = value
	}
	return pairs, nil
}

func refuseJSON(s string) error {
	if t := strings.TrimSpace(s); strings.HasPrefix(t, "{") && json.Valid([]byte(t)) || strings.HasPrefix(t, "[") {
		return fmt.Errorf("it is JSON inside a text; give the items as such, or the whole request as a JSON document (vault write PATH -)")
	}
	return nil
}

func typeName(raw any) string {
	switch raw.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a text"
	case float64:
		return "a number"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

// quote repeats a value of the caller's in an error, in bounds and without
// control characters.
func quote(s string) string {
	const most = 100
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.Quote(s)
}
