package idtoken

import "fmt"

// InvalidError says why an ID token is not taken: its bearer's fault. Its text
// holds nothing of the token but what does not fit: an algorithm, a key ID, a
// claim.
type InvalidError struct{ Reason string }

func (e *InvalidError) Error() string { return "the ID token is refused: " + e.Reason }

func invalidf(format string, args ...any) error {
	return &InvalidError{fmt.Sprintf(format, args...)}
}

// UnavailableError says why the issuer's keys cannot be had, so that a token
// cannot be judged.
type UnavailableError struct{ Err error }

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("the issuer's keys cannot be had: %s", e.Err)
}

func (e *UnavailableError) Unwrap() error { return e.Err }
