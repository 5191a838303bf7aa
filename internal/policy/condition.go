package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// A condition is written by an administrator, but what it works on comes from
// outside, so its source, its steps and the size of its values are all bounded.
const (
	maxConditionLength = 4096
	// maxConditionCost is in CEL's units, about one for each operation and for
	// ten characters that one reads. Conditions cost tens of them; the most takes
	// milliseconds.
	maxConditionCost = 20_000
	// maxConditionMemory bounds every value on the way, in elements of lists and
	// maps and tens of characters: 500 repositories are about 2000.
	maxConditionMemory = 4096
	maxConditionText   = 10 * maxConditionMemory
	// maxPattern bounds a regular expression, in instructions of its program.
	maxPattern = 2000
)

// condition is a CEL expression, compiled once.
type condition struct {
	source  string
	program cel.Program
	claims  []string // that it uses, or anyClaim
	caller  bool     // it looks at who asks
}

func compileCondition(source string) (*condition, error) {
	if len(source) > maxConditionLength {
		return nil, fmt.Errorf("condition: %d bytes are too many: at most %d", len(source), maxConditionLength)
	}
	env, err := conditionEnv()
	if err != nil {
		return nil, fmt.Errorf("condition: set CEL up: %w", err)
	}
	compiled, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, conditionError(issues)
	}
	if compiled.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("condition: it is of type %s, not bool; compare it with something, as in claims.ref == %q",
			cel.FormatCELType(compiled.OutputType()), "refs/heads/main")
	}
	program, err := env.Program(compiled,
		cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxConditionCost), cel.MemoryLimit(maxConditionMemory))
	if err != nil {
		return nil, fmt.Errorf("condition: %w", err)
	}
	parsed := compiled.NativeRep()
	return &condition{source, program, usedClaims(parsed), looksAtCaller(parsed)}, nil
}

// conditionError is the first thing that is wrong with a condition, and where.
func conditionError(issues *cel.Issues) error {
	first := issues.Errors()[0]
	if first.Location.Line() < 1 { // it is about the whole
		return fmt.Errorf("condition: %s", first.Message)
	}
	return fmt.Errorf("condition: line %d, column %d: %s", first.Location.Line(), first.Location.Column()+1, first.Message)
}

// check evaluates the condition. A claim that it uses must be known or, by a
// verified ID token, known to be absent: else a job would meet !has(claims.x) by
// not presenting its ID token.
func (c *condition) check(caller Caller, grant Grant, now time.Time) Check {
	check := Check{Rule: "condition", Wanted: c.line()}
	if unknown := c.unknownClaim(caller); unknown != "" {
		check.Seen, check.Remedy = unknown, missingClaimRemedy(caller)
		return check
	}
	met, err := c.eval(caller, grant, now)
	switch {
	case err != nil:
		check.Seen, check.Remedy = "an error: "+err.Error(), "have an administrator correct the condition, or test a claim with has() first"
	case !met:
		check.Seen, check.Remedy = "false"+c.seenClaims(caller), remedyRole
	default:
		check.Seen, check.Pass = "true", true
	}
	return check
}

// undecided is the check where it is not known what would be granted.
func (c *condition) undecided() Check {
	return Check{Rule: "condition", Wanted: c.line(), Seen: "not evaluated, as it is open what would be granted", Remedy: "see the rule refused above"}
}

// line is the source in one line.
func (c *condition) line() string { return strings.Join(strings.Fields(c.source), " ") }

// unknownClaim names one that only the ID token would tell of, "" if there is none.
func (c *condition) unknownClaim(caller Caller) string {
	if caller.Verified {
		return ""
	}
	for _, name := range c.claims {
		if name == anyClaim {
			return "a look at any claim, of which not all are known"
		}
		if _, known := caller.Claims[name]; !known {
			return "no such claim: " + name
		}
	}
	return ""
}

// seenClaims shows the claims that made the condition false.
func (c *condition) seenClaims(caller Caller) string {
	var seen []string
	for _, name := range c.claims {
		if value, ok := caller.Claims[name]; ok {
			seen = append(seen, name+"="+describe(value))
		}
	}
	if seen == nil {
		return ""
	}
	return " with " + strings.Join(seen, ", ")
}

func (c *condition) eval(caller Caller, grant Grant, now time.Time) (bool, error) {
	result, _, err := c.program.Eval(variables(caller, grant, now))
	if err != nil {
		return false, err
	}
	met, ok := result.(types.Bool)
	if !ok {
		return false, fmt.Errorf("the result is of type %s, not bool", result.Type().TypeName())
	}
	return bool(met), nil
}

// variables are what a condition is evaluated over. The list of repositories
// that does not say which the token would be for is an error to use. A name that
// the role does not spell is in lower case: GitHub does not care for the case that
// the job wrote it in, and neither must the condition.
func variables(caller Caller, grant Grant, now time.Time) map[string]any {
	names := slices.Clone(grant.Repositories)
	for i, name := range names {
		if !slices.Contains(grant.AllowedNames, name) {
			names[i] = strings.ToLower(name)
		}
	}
	vars := map[string]any{
		"claims":                 caller.Claims,
		"identity.entity_id":     caller.EntityID,
		"identity.entity_name":   caller.EntityName,
		"identity.alias_name":    caller.Subject,
		"identity.groups":        caller.Groups,
		"identity.metadata":      caller.Metadata,
		"request.permissions":    grant.Permissions,
		"request.ttl":            grant.TTL,
		"request.repositories":   names,
		"request.repository_ids": grant.RepositoryIDs,
		"request.remote_address": caller.RemoteAddress,
		"now":                    now.UTC(),
	}
	if grant.AllRepositories || len(grant.RepositoryIDs) > 0 {
		vars["request.repositories"] = types.NewErr("request.repositories is not known: the token would be for repositories that are not named")
	}
	if grant.AllRepositories || len(grant.Repositories) > 0 {
		vars["request.repository_ids"] = types.NewErr("request.repository_ids is not known: the token would be for repositories without their ids")
	}
	return vars
}
