package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	boundClaimsString = "string"
	boundClaimsGlob   = "glob"
)

// boundClaim is a claim and the values of which it, or an element of it, must
// have one. The meaning is that of Vault's JWT auth (vault-plugin-auth-jwt,
// claims.go), but that numbers are equal if their values are (5, 5.0 and 5e0),
// and that what cannot be compared is not equal.
type boundClaim struct {
	name   string
	path   []string // of a JSON pointer, from the top
	globs  []string // of type glob
	values []scalar // of type string
	wanted string
}

// compileBoundClaims checks bound_claims and puts them in order of their names.
func compileBoundClaims(bound map[string][]any, kind string) ([]boundClaim, error) {
	if kind == "" {
		kind = boundClaimsString
	}
	if kind != boundClaimsString && kind != boundClaimsGlob {
		return nil, fmt.Errorf("bound_claims_type: %s is neither string nor glob", quote(kind))
	}
	var claims []boundClaim
	for _, name := range sortedKeys(bound) {
		claim, err := compileBoundClaim(name, bound[name], kind)
		if err != nil {
			return nil, fmt.Errorf("bound_claims: %s: %w", quote(name), err)
		}
		claims = append(claims, claim)
	}
	return claims, nil
}

func compileBoundClaim(name string, values []any, kind string) (boundClaim, error) {
	path, err := claimPath(name)
	if err != nil {
		return boundClaim{}, err
	}
	if len(values) == 0 {
		return boundClaim{}, errors.New("no value is named: nothing would match")
	}
	claim := boundClaim{name: name, path: path, wanted: oneOf(values, describe)}
	if kind == boundClaimsGlob {
		claim.wanted = "like " + claim.wanted
	}
	for _, value := range values {
		if kind == boundClaimsGlob {
			pattern, ok := value.(string)
			if !ok {
				return boundClaim{}, fmt.Errorf("%s is not a text: only texts match globs; use bound_claims_type=string", describe(value))
			}
			claim.globs = append(claim.globs, pattern)
			continue
		}
		s, ok := newScalar(value)
		if !ok {
			return boundClaim{}, fmt.Errorf("%s is not a text, a number or a boolean", describe(value))
		}
		claim.values = append(claim.values, s)
	}
	return claim, nil
}

// claimPath takes a claim's name apart: a JSON pointer (RFC 6901) if it begins
// with "/", else the name of a top-level claim.
func claimPath(name string) ([]string, error) {
	pointer, ok := strings.CutPrefix(name, "/")
	switch {
	case name == "":
		return nil, errors.New("a claim needs a name")
	case !ok:
		return []string{name}, nil
	}
	path := strings.Split(pointer, "/")
	for i, token := range path {
		unescaped := strings.NewReplacer("~0", "~", "~1", "/").Replace(token)
		if strings.Count(token, "~") != strings.Count(token, "~0")+strings.Count(token, "~1") {
			return nil, errors.New("in a JSON pointer, ~ is written ~0 and / in a name ~1")
		}
		path[i] = unescaped
	}
	return path, nil
}

func (b boundClaim) topLevel() string { return b.path[0] }

// check compares the caller's claim.
func (b boundClaim) check(caller Caller) Check {
	c := Check{Rule: "bound_claims " + b.name, Wanted: b.wanted}
	value, ok := lookUp(caller.Claims, b.path)
	switch {
	case !ok:
		c.Seen, c.Remedy = "no such claim", missingClaimRemedy(caller)
	case b.matches(value):
		c.Seen, c.Pass = describe(value), true
	default:
		c.Seen, c.Remedy = describe(value), "run a job whose claims fit, or have an administrator change the role"
	}
	return c
}

func (b boundClaim) matches(value any) bool {
	if list, ok := value.([]any); ok {
		return slices.ContainsFunc(list, b.matchesOne)
	}
	return b.matchesOne(value)
}

func (b boundClaim) matchesOne(value any) bool {
	if b.globs != nil {
		text, ok := value.(string)
		return ok && matchAny(b.globs, text)
	}
	s, ok := newScalar(value)
	return ok && slices.Contains(b.values, s)
}

// lookUp follows a path through objects and lists.
func lookUp(claims map[string]any, path []string) (any, bool) {
	value, ok := claims[path[0]]
	for _, token := range path[1:] {
		switch v := value.(type) {
		case map[string]any:
			value, ok = v[token]
		case []any:
			var i uint64
			i, ok = listIndex(token)
			if ok = ok && i < uint64(len(v)); ok {
				value = v[i]
			}
		default:
			ok = false
		}
		if !ok {
			return nil, false
		}
	}
	return value, ok
}

// listIndex reads an element's number, which has one spelling.
func listIndex(token string) (uint64, bool) {
	i, err := strconv.ParseUint(token, 10, 32)
	return i, err == nil && token == strconv.FormatUint(i, 10)
}

// scalar is a text, a number or a boolean in a form that is equal (==) where the
// values are: true is not "true", 5 not "5", but 5 is 5.0.
type scalar struct {
	kind byte // 's', 'n' or 'b'
	text string
}

func newScalar(value any) (scalar, bool) {
	switch v := value.(type) {
	case string:
		return scalar{'s', v}, true
	case bool:
		return scalar{'b', strconv.FormatBool(v)}, true
	case json.Number:
		return scalar{'n', canonical(v.String())}, true
	case int:
		return scalar{'n', canonical(strconv.Itoa(v))}, true
	case float64:
		// Beyond 2^53 a float64 does not say which number the token holds.
		if math.Abs(v) <= maxID {
			return scalar{'n', canonical(strconv.FormatFloat(v, 'g', -1, 64))}, true
		}
	}
	return scalar{}, false
}

// canonical writes a JSON number as digits that neither begin nor end in 0, and
// a power of ten, so that equal numbers have equal texts. It works on the digits:
// as floats, large ids that differ would be equal.
func canonical(number string) string {
	mantissa, power, _ := strings.Cut(strings.ToLower(number), "e")
	digits, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	significant := strings.TrimRight(digits, "0")
	if significant == "" {
		return "0"
	}
	exponent, err := strconv.ParseInt(power, 10, 32)
	if err != nil && power != "" {
		return number // a power that is out of all bounds equals only itself
	}
	exponent += int64(len(digits) - len(significant) - len(fraction))
	sign := ""
	if negative {
		sign = "-"
	}
	return sign + significant + "e" + strconv.FormatInt(exponent, 10)
}

// wholeNumber is a float64 that holds a whole number exactly.
func wholeNumber(v float64) (int64, bool) {
	if math.Abs(v) > maxID || v != math.Trunc(v) {
		return 0, false
	}
	return int64(v), true
}
