package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-github/internal/jobtoken"
)

var (
	tokenFormats = []string{"text", "json", "env", "github-output", "netrc"}
	tableFormats = []string{"table", "json"}
)

// formatFlag is a flag with one of some values.
type formatFlag struct {
	value   string
	allowed []string
}

func (f *formatFlag) String() string { return f.value }
func (f *formatFlag) Type() string   { return "format" }

func (f *formatFlag) Set(value string) error {
	if !slices.Contains(f.allowed, value) {
		return fmt.Errorf("it is one of %s", strings.Join(f.allowed, ", "))
	}
	f.value = value
	return nil
}

// gitUser is the user name that GitHub wants with an installation token as the
// password.
//
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
const gitUser = "x-access-token"

// writeToken prints a token. Its form has been checked: it holds nothing that
// would end a line.
func writeToken(w io.Writer, format, host string, lease *jobtoken.Lease) error {
	token := lease.Token()
	switch format {
	case "json":
		return writeJSON(w, lease.Answer())
	case "env":
		return printf(w, "GITHUB_TOKEN=%[1]s\nGH_TOKEN=%[1]s\n", token)
	case "github-output":
		return printf(w, "token=%s\nexpires-at=%s\nscope=%s\n", token, lease.Ends().UTC().Format(time.RFC3339), lease.Scope())
	case "netrc":
		return printf(w, "machine %s\nlogin %s\npassword %s\n", hostName(host), gitUser, token)
	}
	return printf(w, "%s\n", token)
}

// hostName is a host without its port, which netrc does not know.
func hostName(host string) string {
	name, _, _ := strings.Cut(host, ":")
	return name
}

func printf(w io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(w, format, args...)
	return err
}

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
