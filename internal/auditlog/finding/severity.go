package finding

import (
	"fmt"
	"slices"
	"strings"
)

// severities in rising order.
var severities = []Severity{Info, Low, Medium, High, Critical}

// ParseSeverity reads the name of a severity.
func ParseSeverity(name string) (Severity, error) {
	if s := Severity(strings.ToLower(name)); slices.Contains(severities, s) {
		return s, nil
	}
	return "", fmt.Errorf("%q is no severity: it is one of info, low, medium, high, critical", name)
}

// AtLeast reports whether s matters as much as the other.
func (s Severity) AtLeast(other Severity) bool {
	return slices.Index(severities, s) >= slices.Index(severities, other)
}
