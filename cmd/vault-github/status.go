package main

import (
	"errors"
	"fmt"
	"strings"

	"vault-plugin-secrets-github/internal/jobtoken"
)

// Exit statuses. Those above 63 are sysexits.h's, which leaves the low ones to
// the commands that exec runs.
const (
	statusFailed      = 1  // anything else; check: refused; doctor: something to mend
	statusFindings    = 3  // audit: findings, or requests that would be refused
	statusUsage       = 64 // EX_USAGE: the command line
	statusUnavailable = 69 // EX_UNAVAILABLE: no ID token to be had
	statusTemporary   = 75 // EX_TEMPFAIL: Vault or GitHub does not answer, or limits the rate
	statusRefused     = 77 // EX_NOPERM: refused by a rule, a policy, or GitHub

	statusNotExecutable = 126 // as shells have it
	statusNotFound      = 127
	statusSignal        = 128 // and the signal's number
)

// exitError ends the program with a status; nothing is said of a nil error.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &exitError{statusUsage, fmt.Errorf(format, args...)}
}

// report tells of a failure, and returns the status to exit with.
func report(t *terminal, err error) int {
	if err == nil {
		return 0
	}
	if text := strings.TrimSpace(err.Error()); text != "" {
		fmt.Fprintf(t.err, "vault-github: %s\n", text)
	}
	return statusOf(err)
}

func statusOf(err error) int {
	var (
		exit   *exitError
		failed *jobtoken.Error
	)
	switch {
	case errors.As(err, &exit):
		return exit.status
	case errors.As(err, &failed) && failed.Refused():
		return statusRefused
	case errors.As(err, &failed):
		return statusTemporary
	}
	return statusFailed
}
