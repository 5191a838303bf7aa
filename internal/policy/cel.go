package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
)

// conditionEnv is what a condition may use. The variables of identity and
// request have each a type of their own, so that a misspelt one is found at
// write.
var conditionEnv = sync.OnceValues(func() (*cel.Env, error) {
	stringMap := cel.MapType(cel.StringType, cel.StringType)
	return cel.NewEnv(
		cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("identity.entity_id", cel.StringType),
		cel.Variable("identity.entity_name", cel.StringType),
		cel.Variable("identity.alias_name", cel.StringType),
		cel.Variable("identity.groups", cel.ListType(cel.StringType)),
		cel.Variable("identity.metadata", stringMap),
		cel.Variable("request.permissions", stringMap),
		cel.Variable("request.ttl", cel.DurationType),
		cel.Variable("request.repositories", cel.ListType(cel.StringType)),
		cel.Variable("request.repository_ids", cel.ListType(cel.IntType)),
		cel.Variable("request.remote_address", cel.StringType),
		cel.Variable("now", cel.TimestampType),
		ext.Strings(),
		boundedReplace(),
		cel.CustomTypeAdapter(jsonAdapter{}),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals()),
		cel.RegexProgramSizeLimit(maxPattern),
	)
})

// jsonAdapter gives CEL the values of decoded JSON: a whole number is an int,
// any other a double.
type jsonAdapter struct{}

func (a jsonAdapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case map[string]any:
		return types.NewStringInterfaceMap(a, v)
	case []any:
		return types.NewDynamicList(a, v)
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return types.Int(i)
		}
		f, err := v.Float64()
		if err != nil {
			return types.NewErr("the number %s is out of bounds", describe(v))
		}
		return a.NativeToValue(f)
	case float64:
		if i, ok := wholeNumber(v); ok {
			return types.Int(i)
		}
		return types.Double(v)
	}
	return types.DefaultTypeAdapter.NativeToValue(value)
}

// boundedReplace takes the place of the strings extension's replace: costs are
// counted when a call is done, and this one's result can be as long as the product
// of its arguments.
func boundedReplace() cel.EnvOption {
	replace := cel.FunctionBinding(func(args ...ref.Val) ref.Val {
		text, old, with := string(args[0].(types.String)), string(args[1].(types.String)), string(args[2].(types.String))
		times := strings.Count(text, old)
		if len(args) == 4 && args[3].(types.Int) >= 0 {
			times = min(times, int(args[3].(types.Int)))
		}
		if len(text)+times*len(with) > maxConditionText {
			return types.NewErr("replace: the text would be longer than %d bytes", maxConditionText)
		}
		return types.String(strings.Replace(text, old, with, times))
	})
	return cel.Function("replace",
		cel.MemberOverload("string_replace_string_string",
			[]*cel.Type{cel.StringType, cel.StringType, cel.StringType}, cel.StringType, replace),
		cel.MemberOverload("string_replace_string_string_int",
			[]*cel.Type{cel.StringType, cel.StringType, cel.StringType, cel.IntType}, cel.StringType, replace))
}

// anyClaim stands for claims that are looked up by a name that is not written in
// the condition.
const anyClaim = "*"

// usedClaims names the claims that an expression selects, as claims.x,
// claims["x"] or "x" in claims.
func usedClaims(checked *ast.AST) []string {
	var names []string
	for _, ident := range ast.MatchDescendants(ast.NavigateAST(checked), ast.KindMatcher(ast.IdentKind)) {
		if ident.AsIdent() == "claims" {
			names = append(names, selectedClaim(ident))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// looksAtCaller reports whether an expression can tell one job from another.
func looksAtCaller(checked *ast.AST) bool {
	idents := ast.MatchDescendants(ast.NavigateAST(checked), ast.KindMatcher(ast.IdentKind))
	return slices.ContainsFunc(idents, func(ident ast.NavigableExpr) bool {
		name := ident.AsIdent()
		return name == "claims" || name == "request.remote_address" || strings.HasPrefix(name, "identity.")
	})
}

func selectedClaim(claims ast.NavigableExpr) string {
	parent, ok := claims.Parent()
	if !ok {
		return anyClaim
	}
	switch parent.Kind() {
	case ast.SelectKind:
		return parent.AsSelect().FieldName()
	case ast.CallKind:
		if call := parent.AsCall(); call.FunctionName() == operators.Index || call.FunctionName() == operators.In {
			return literalText(call.Args())
		}
	}
	return anyClaim
}

// literalText is the one among the arguments, or anyClaim.
func literalText(args []ast.Expr) string {
	for _, arg := range args {
		if arg.Kind() != ast.LiteralKind {
			continue
		}
		if text, ok := arg.AsLiteral().(types.String); ok {
			return string(text)
		}
	}
	return anyClaim
}
