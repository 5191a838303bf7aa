package cli

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-github/internal/auditlog/auditlogtest"
	"vault-plugin-secrets-github/internal/oidctest"
)

// reader is somebody who types what is printed, in order, in a world where
// everything has the names that are printed.
type reader struct {
	*world
	variables []string
}

func newReader(t *testing.T) *reader {
	t.Helper()
	w := newWorld(t)
	w.mountExistingPlugin()
	dir := filepath.Join(w.home, "home")
	for name, content := range map[string]string{
		"claims.json":           `{"repository": "acme/api", "ref": "refs/heads/main", "event_name": "push"}`,
		"go.mod":                "module example.com/job\n",
		"new.private-key.pem":   w.app.PrivateKeyPEM(),
		".gitconfig":            fmt.Sprintf("[url %q]\n\tinsteadOf = https://github.com/\n", w.github.URL+"/"),
		"../temp/github-env":    "",
		"../temp/github-output": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writeLogs(t, dir)
	git := exec.Command("git", "init", "-q", dir)
	if out, err := git.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%s", err, out)
	}
	temp := filepath.Join(w.home, "temp")
	return &reader{w, []string{
		"GITHUB_ENV=" + temp + "/github-env", "GITHUB_OUTPUT=" + temp + "/github-output",
		"GOPATH=" + temp + "/go", "GOCACHE=" + temp + "/cache", "GOFLAGS=-mod=mod -modcacherw", "GOTOOLCHAIN=local",
		"APP_ID=" + fmt.Sprint(w.app.ID), "GITHUB_API=" + w.github.APIURL,
	}}
}

// writeLogs writes what the commands for auditors read.
func writeLogs(t *testing.T, dir string) {
	t.Helper()
	var vaultLog, github, server bytes.Buffer
	if _, err := (auditlogtest.Log{Requests: 200}).Write(&vaultLog, &github, &server); err != nil {
		t.Fatal(err)
	}
	var rotated bytes.Buffer
	compressed := gzip.NewWriter(&rotated)
	if _, err := compressed.Write(vaultLog.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := compressed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"audit.log": vaultLog.Bytes(), "github.json": github.Bytes(), "vault.log": server.Bytes(), "logs/audit.log.1.gz": rotated.Bytes(),
		"roles.txt": []byte("github/role-01\n"), "token.txt": []byte("ghs_" + strings.Repeat("x", 36) + "\n"),
		"role.json": []byte(`{"organization": "acme", "repositories": "api", "permissions": "contents=read"}`),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// mountExistingPlugin mounts what answers as the existing plugin does.
func (w *world) mountExistingPlugin() {
	w.t.Helper()
	old := w.mount + "-old"
	w.write("sys/mounts/"+old, map[string]any{"type": "kv"})
	w.write(old+"/config", map[string]any{"app_id": w.app.ID, "prv_key": "<configured>", "base_url": w.github.APIURL})
	w.write(old+"/permissionsets/deploy", map[string]any{"listed": true})
	w.write(old+"/permissionset/deploy", map[string]any{
		"org_name": "acme", "installation_id": 0, "repositories": []string{"api"}, "repository_ids": nil,
		"permissions": map[string]string{"contents": "write"},
	})
}

// What is printed is everybody's; a world has names of its own.
var (
	mountNames = regexp.MustCompile(`(^|[\s"])github(-old)?(/|$|\s)`)
	exports    = regexp.MustCompile(`(?m)^export VAULT_.*$`)
)

func (r *reader) inThisWorld(text string) string {
	text = exports.ReplaceAllString(text, "")
	text = mountNames.ReplaceAllString(text, "${1}"+r.mount+"${2}${3}")
	return strings.ReplaceAll(text, "https://api.github.com", r.github.APIURL)
}

// types runs what is printed, and it must succeed.
func (r *reader) types(t *testing.T, printed string, environment ...string) {
	t.Helper()
	bash := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", r.inThisWorld(printed))
	bash.Dir = filepath.Join(r.home, "home")
	bash.Env = append(append(r.environment(), r.variables...), environment...)
	if out, err := bash.CombinedOutput(); err != nil {
		t.Errorf("%s\n%s\n%s", printed, err, out)
	}
}

// asAdministrator is the environment of somebody who may do all, outside of CI.
func asAdministrator() []string {
	return []string{"VAULT_TOKEN=" + vault.RootToken, "GITHUB_ACTIONS=", "VAULT_GITHUB_AUTH_ROLE="}
}

// asLoggedInJob is the environment of a job that has a Vault token already.
func (r *reader) asLoggedInJob() []string {
	login := vault.Client("").Post(r.t, "auth/"+r.auth+"/login", map[string]any{"role": "ci", "jwt": r.ci.Sign(oidctest.GitHubActionsClaims(nil))})
	return []string{"VAULT_TOKEN=" + login.Secret(r.t).Auth.ClientToken, "VAULT_GITHUB_AUTH_ROLE="}
}

// printedBlock is a block of commands, and before it perhaps who types it: the
// admin, or a job that has logged in.
var printedBlock = regexp.MustCompile("(?s)(?:<!-- (\\w+) -->\n)?```sh\n(.*?)```\n")

func TestEveryCommandInTheDocumentsRuns(t *testing.T) {
	t.Parallel()
	for _, document := range []string{"cli.md", "migrating.md"} {
		t.Run(document, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("..", "..", "docs", document))
			if err != nil {
				t.Fatal(err)
			}
			blocks := printedBlock.FindAllStringSubmatch(string(text), -1)
			if len(blocks) == 0 {
				t.Fatal("it prints no commands")
			}
			r := newReader(t)
			for _, block := range blocks {
				var as []string
				switch block[1] {
				case "admin":
					as = asAdministrator()
				case "job":
					as = r.asLoggedInJob()
				}
				r.types(t, block[2], as...)
			}
		})
	}
}

// TestEveryExampleInTheHelpRuns goes through the help of every command.
func TestEveryExampleInTheHelpRuns(t *testing.T) {
	t.Parallel()
	r := newReader(t)
	lease := vault.Root().Post(t, r.mount+"/token/api-read", nil).Secret(t).LeaseID
	for _, command := range []string{
		"token", "exec", "git-credential", "git-credential install", "git-credential uninstall", "revoke",
		"check", "doctor", "setup", "import permission-sets",
		"audit", "audit report", "audit findings", "audit replay", "audit export",
	} {
		help, err := exec.Command(built("vault-github"), append(strings.Fields(command), "--help")...).Output()
		if err != nil {
			t.Fatalf("%s: %s", command, err)
		}
		as := []string{"LEASE_ID=" + lease}
		if strings.HasPrefix(command, "import") || strings.HasPrefix(command, "audit") || command == "setup" {
			as = asAdministrator()
		}
		examples := examplesOf(string(help))
		if len(examples) == 0 {
			t.Errorf("%s: no examples", command)
		}
		for _, example := range examples {
			if strings.Contains(example, "--claims") {
				r.types(t, example, asAdministrator()...)
				continue
			}
			r.types(t, example, as...)
		}
	}
}

func examplesOf(help string) []string {
	_, examples, _ := strings.Cut(help, "\nExamples:\n")
	examples, _, _ = strings.Cut(examples, "\n\n")
	return strings.Split(strings.TrimSpace(examples), "\n")
}

// TestTheDocumentNamesEveryFlagVariableAndCommand keeps docs/cli.md complete.
func TestTheDocumentNamesEveryFlagVariableAndCommand(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	help, err := exec.Command(built("vault-github"), "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	credential, err := exec.Command(built("vault-github"), "git-credential", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`--[a-z-]{3,}|VAULT_GITHUB_[A-Z_]+|(?m:^  [a-z-]+  )`).FindAllString(string(help)+string(credential), -1)
	if len(named) < 20 {
		t.Fatalf("the help names only %q", named)
	}
	for _, name := range named {
		name = strings.TrimSpace(name)
		if !strings.Contains(string(document), name) && name != "--help" && name != "--version" && name != "help" {
			t.Errorf("docs/cli.md does not name %s", name)
		}
	}
}
