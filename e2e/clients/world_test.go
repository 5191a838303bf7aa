package clients

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/githubtest"
	"vault-plugin-secrets-github/internal/oidctest"
)

// world is what one test has to itself: a Vault, set up as steps 2 to 4 of the
// README say; a GitHub with the App ci-broker on the organization acme, which has
// the repositories api and web; and an issuer of job identities.
type world struct {
	t      *testing.T
	vault  *vaulttest.Server
	github *githubtest.Server
	issuer *oidctest.Issuer
	app    *githubtest.App
	api    *githubtest.Repository

	// variables are the environment of every command.
	variables map[string]string
}

// newWorld starts a world; config is added to the configuration of its Vault.
func newWorld(t *testing.T, config ...string) *world {
	t.Helper()
	w := &world{t: t, github: githubtest.New(t), issuer: oidctest.New(t)}
	w.populateGitHub()
	w.startVault(config)
	w.variables = map[string]string{
		"PATH":        w.commands() + string(os.PathListSeparator) + os.Getenv("PATH"),
		"VAULT_ADDR":  w.vault.Addr,
		"PLUGIN_DIR":  absolute(t, engineDir),
		"GITHUB_API":  w.github.APIURL,
		"GITHUB_URL":  w.github.URL,
		"CLIENT_ID":   w.app.ClientID,
		"PRIVATE_KEY": w.keyFile(),
	}
	readme := readPage(t, "README.md")
	w.admin(strings.Join([]string{readme.block("demo", "register"), readme.block("demo", "mount"), readme.block("demo", "config")}, "\n"))
	// Runs before Vault is stopped: unmounting ends every lease, and no token may
	// be left then.
	t.Cleanup(w.end)
	return w
}

func (w *world) populateGitHub() {
	w.app = w.github.AddApp("ci-broker", map[string]string{"contents": "write", "issues": "write", "pull_requests": "write"})
	w.github.AddOrganization("acme")
	w.api = w.github.AddRepository("acme", "api", map[string]string{"README.md": "api\n"})
	w.github.AddRepository("acme", "web", map[string]string{"README.md": "web\n"})
	w.github.Install(w.app, "acme", githubtest.InstallOptions{})
}

func (w *world) startVault(config []string) {
	w.t.Helper()
	var err error
	if w.vault, err = vaulttest.StartServer(context.Background(), vaultBinary(), config...); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := w.vault.Close(); err != nil {
			w.t.Error(err)
		}
	})
	if _, err := w.vault.InstallPlugin(filepath.Join(engineDir, engineName), engineName); err != nil {
		w.t.Fatal(err)
	}
}

// commands is a directory with the vault command in it.
func (w *world) commands() string {
	w.t.Helper()
	dir := w.t.TempDir()
	if err := os.Symlink(absolute(w.t, vaultBinary()), filepath.Join(dir, "vault")); err != nil {
		w.t.Fatal(err)
	}
	return dir
}

// addCommand puts a shell script in the way of the commands that a CI provides.
func (w *world) addCommand(name, script string) {
	w.t.Helper()
	dir, _, _ := strings.Cut(w.variables["PATH"], string(os.PathListSeparator))
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nset -eu\n"+script), 0o700); err != nil { //#nosec G306 -- a command
		w.t.Fatal(err)
	}
}

func (w *world) keyFile() string {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "app.private-key.pem")
	if err := os.WriteFile(file, []byte(w.app.PrivateKeyPEM()), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return file
}

// end unmounts the engine and looks for what is left.
func (w *world) end() {
	if a := w.vault.Root().Delete(w.t, "sys/mounts/github"); a.Status != http.StatusNoContent {
		w.t.Errorf("unmount the engine: %d %s", a.Status, a.Errors())
	}
	w.awaitLiveTokens(0)
	for _, file := range []string{w.vault.LogFile(), w.vault.AuditFile()} {
		if content, err := os.ReadFile(file); err != nil || secret.Match(content) {
			w.t.Errorf("%s holds a token (%v)", filepath.Base(file), err)
		}
	}
}

var (
	// gitHubToken matches installation tokens.
	gitHubToken = regexp.MustCompile(`ghs_[A-Za-z0-9._-]{36,}`)
	// secret matches what must stand in no log: those, Vault's tokens, ID tokens.
	secret = regexp.MustCompile(gitHubToken.String() + `|hvs\.[A-Za-z0-9_-]{20,}|eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.`)
)

var exported = regexp.MustCompile(`(?m)^export (\w+)=`)

// setUp runs what a page's administrator does, in the blocks with these names or
// in all of them. The page's variables are the test's, of which none may be
// missing.
func (w *world) setUp(p *page, variables map[string]string, names ...string) {
	w.t.Helper()
	maps.Copy(w.variables, variables)
	for _, match := range exported.FindAllStringSubmatch(p.all("variables", names...), -1) {
		if w.variables[match[1]] == "" {
			w.t.Fatalf("%s: the test does not set %s", p.path, match[1])
		}
	}
	w.admin(p.all("admin", names...))
}

// admin runs commands as Vault's administrator.
func (w *world) admin(script string) {
	w.t.Helper()
	admin := w.command("bash", "-euo", "pipefail", "-c", script)
	admin.Env = append(admin.Env, "VAULT_TOKEN="+w.vault.RootToken)
	out, err := admin.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s\n%s\n%s", script, err, out)
	}
	if bytes.Contains(out, []byte("WARNING")) {
		w.t.Errorf("%s\nis warned of:\n%s", script, out)
	}
}

// command is a command in an empty directory, with an empty home.
func (w *world) command(name string, args ...string) *exec.Cmd {
	w.t.Helper()
	c := exec.Command(name, args...)
	c.Dir = w.t.TempDir()
	c.Env = []string{"HOME=" + w.t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
	for name, value := range w.variables {
		c.Env = append(c.Env, name+"="+value)
	}
	return c
}

// login logs a job in, and returns its Vault token.
func (w *world) login(mount, role string, claims map[string]any) string {
	w.t.Helper()
	a := w.vault.Client("").Post(w.t, "auth/"+mount+"/login", map[string]any{"role": role, "jwt": w.issuer.Sign(claims)})
	return a.Secret(w.t).Auth.ClientToken
}

// write writes as root, and must succeed.
func (w *world) write(path string, fields map[string]any) {
	w.t.Helper()
	if a := w.vault.Root().Post(w.t, path, fields); a.Status >= http.StatusBadRequest {
		w.t.Fatalf("write %s: %d %s", path, a.Status, a.Errors())
	}
}

// isLive asks whether GitHub takes the token.
func (w *world) isLive(token string) bool {
	return slices.ContainsFunc(w.github.LiveTokens(), func(live githubtest.Token) bool { return live.Value == token })
}

// wantLive checks that a text is a token that GitHub takes.
func (w *world) wantLive(token string) {
	w.t.Helper()
	if !w.isLive(token) {
		w.t.Errorf("GitHub does not take %.12q…, of %d bytes", token, len(token))
	}
}

// patience is time enough for Vault to try a revocation again.
const patience = 30 * time.Second

// awaitLiveTokens waits until GitHub has so many.
func (w *world) awaitLiveTokens(want int) {
	w.t.Helper()
	vaulttest.Eventually(w.t, patience, func() error {
		if got := len(w.github.LiveTokens()); got != want {
			return fmt.Errorf("GitHub has %d live tokens, not %d", got, want)
		}
		return nil
	})
}

// wantMinted checks how many tokens GitHub has made.
func (w *world) wantMinted(want int) {
	w.t.Helper()
	if got := w.github.Minted(); got != want {
		w.t.Errorf("GitHub made %d tokens, not %d", got, want)
	}
}

// wantPrivate checks that nobody but its owner may use a file.
func wantPrivate(t *testing.T, file string) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if others := info.Mode().Perm() & 0o077; others != 0 {
		t.Errorf("%s has the mode %s, which lets others use it", filepath.Base(file), info.Mode().Perm())
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}
