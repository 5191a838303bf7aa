package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
	"vault-plugin-secrets-github/internal/jobtoken"
)

// verification finds the issuance of one token that somebody holds.
type verification struct {
	on     bool
	device string
}

func (v *verification) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&v.on, "verify-token", false, "show only the issuance of a token, which is read from standard input or asked for")
	flags.StringVar(&v.device, "audit-device", "", "`PATH` of the audit device, to have Vault hash the token's hash as the device does")
}

// matcher tells the token's issuance; nil if none is looked for.
func (v *verification) matcher(cmd *cobra.Command, t *terminal, c *connection, paths []string) (func(*ledger.Account) bool, error) {
	if !v.on {
		if v.device != "" {
			return nil, usagef("--audit-device is for --verify-token")
		}
		return nil, nil
	}
	if slices.Contains(paths, "-") {
		return nil, usagef("--verify-token reads the token from standard input, which is the log already; give the log as a file")
	}
	token, err := readToken(t)
	if err != nil {
		return nil, err
	}
	hashes := []string{auditlog.HashToken(token)}
	if v.device != "" {
		hash, err := auditHash(cmd, c, v.device, paddedHash(token))
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return func(a *ledger.Account) bool { return a.Grant != nil && slices.Contains(hashes, a.Grant.HashedToken) }, nil
}

// paddedHash is the hash as the engine answers it, which is what Vault hashed.
func paddedHash(token string) string {
	hash := auditlog.HashToken(token)
	return hash + strings.Repeat("=", (4-len(hash)%4)%4)
}

var tokenForm = regexp.MustCompile(`^gh[a-z]_[A-Za-z0-9._-]{20,}$`)

// readToken never takes a token from the command line, where others on the
// machine see it.
func readToken(t *terminal) (string, error) {
	var text string
	if isTerminal(t.in) {
		fmt.Fprint(t.err, "Token: ")
		hidden, err := term.ReadPassword(int(t.in.Fd()))
		fmt.Fprintln(t.err)
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		text = string(hidden)
	} else {
		line, err := bufio.NewReader(io.LimitReader(t.in, 4096)).ReadString('\n')
		if err != nil && line == "" {
			return "", usagef("--verify-token: standard input holds no token")
		}
		text = line
	}
	text = strings.TrimSpace(text)
	if !tokenForm.MatchString(text) {
		return "", usagef("--verify-token: what was read is no GitHub token (ghs_...)")
	}
	return text, nil
}

// auditHash asks Vault how an audit device writes a value down.
//
// https://developer.hashicorp.com/vault/api-docs/system/audit-hash
func auditHash(cmd *cobra.Command, c *connection, device, value string) (hash string, err error) {
	err = c.withSession(cmd, func(session *jobtoken.Session) error {
		secret, err := session.Write(cmd.Context(), "sys/audit-hash/"+strings.Trim(device, "/"), map[string]any{"input": value})
		if err != nil {
			return err
		}
		if secret != nil {
			hash, _ = secret.Data["hash"].(string)
		}
		if hash == "" {
			return fmt.Errorf("sys/audit-hash/%s answered no hash", device)
		}
		return nil
	})
	return hash, err
}
