package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-github/bench/load"
	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/oidctest"
)

const (
	enginePlugin = "vault-plugin-secrets-github"
	nullPlugin   = "nullplugin"
)

// world is a real Vault with the engine at github/ and the null plugin at null/,
// both tuned alike, with a file audit device; and a job that has logged in.
type world struct {
	vault  *vaulttest.Server
	root   *api.Client
	github *github
	issuer *oidctest.Issuer
	job    string // its Vault token, a service token

	vaultPID, enginePID, nullPID int
}

func newWorld(ctx context.Context, s settings) (w *world, err error) {
	vaulttest.ForgetEnvironment()
	w = &world{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.github, err = startGitHub(); err != nil {
		return w, err
	}
	if w.issuer, err = oidctest.Start("127.0.0.1:0"); err != nil {
		return w, err
	}
	if w.vault, err = vaulttest.StartServer(ctx, s.vault); err != nil {
		return w, err
	}
	if w.root, err = w.vault.Root().API(); err != nil {
		return w, err
	}
	w.root.SetClientTimeout(10 * time.Minute) // to revoke 10,000 leases takes its time
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return w.mount(ctx, s.plugins, enginePlugin, "github") },
		func(ctx context.Context) error { return w.mount(ctx, s.plugins, nullPlugin, "null") },
		w.configure, w.login, w.findProcesses,
	} {
		if err := step(ctx); err != nil {
			return w, err
		}
	}
	return w, nil
}

func (w *world) close() error {
	var failed []error
	if w.vault != nil {
		failed = append(failed, w.vault.Close())
	}
	if w.issuer != nil {
		w.issuer.Close()
	}
	if w.github != nil {
		failed = append(failed, w.github.close())
	}
	return errors.Join(failed...)
}

func (w *world) mount(ctx context.Context, dir, plugin, path string) error {
	installed, err := w.vault.InstallPlugin(filepath.Join(dir, plugin), plugin)
	if err != nil {
		return err
	}
	version := ""
	if plugin == enginePlugin {
		out, err := exec.CommandContext(ctx, filepath.Join(dir, plugin), "-version").Output() //#nosec G204 -- the plugin under test
		if err != nil {
			return fmt.Errorf("ask the plugin for its version: %w", err)
		}
		version = strings.TrimSpace(string(out))
	}
	if err := w.vault.RegisterPlugin(ctx, installed, plugin, version); err != nil {
		return err
	}
	if err := w.write(ctx, "sys/mounts/"+path, map[string]any{"type": plugin}); err != nil {
		return err
	}
	return w.write(ctx, "sys/mounts/"+path+"/tune", map[string]any{
		"default_lease_ttl": "30m", "max_lease_ttl": "1h",
		"audit_non_hmac_response_keys": []string{"hashed_token", "scope", "role", "subject", "expires_at"},
	})
}

func (w *world) write(ctx context.Context, path string, data map[string]any) error {
	_, err := w.root.Logical().WriteWithContext(ctx, path, data)
	return err // which names the path
}

// configure writes the App, the issuer and the roles: bound decides by three
// claims from identity and has a template; large is for 500 repositories.
func (w *world) configure(ctx context.Context) error {
	if err := w.write(ctx, "sys/auth/jwt", map[string]any{"type": "jwt"}); err != nil {
		return err
	}
	mounts, err := w.root.Sys().ListAuthWithContext(ctx)
	if err != nil {
		return err
	}
	large := make([]string, mostRepositories)
	for i := range large {
		large[i] = fmt.Sprintf("repository-%03d", i)
	}
	bound := map[string]any{
		"organization": "{{claims.repository_owner}}", "repository_ids": "{{claims.repository_id}}",
		"permissions": map[string]string{"contents": "read"}, "ttl": "30m",
		"bound_claims": map[string]any{
			"repository": "acme/api", "repository_owner": "acme", "repository_id": strconv.FormatInt(w.github.RepositoryID, 10),
		},
	}
	for _, write := range []struct {
		path string
		data map[string]any
	}{
		{"auth/jwt/config", map[string]any{"oidc_discovery_url": w.issuer.URL, "bound_issuer": w.issuer.URL}},
		{"sys/policies/acl/job", map[string]any{"policy": `path "+/token/*" { capabilities = ["read", "update"] }`}},
		{"auth/jwt/role/ci", map[string]any{
			"role_type": "jwt", "user_claim": "repository", "bound_audiences": "vault", "bound_claims": map[string]any{"repository": "acme/api"},
			"claim_mappings": map[string]string{"repository_id": "repository_id", "repository_owner": "repository_owner"},
			"token_policies": "job", "token_ttl": "12h", "token_max_ttl": "24h",
		}},
		{"github/config", map[string]any{"client_id": w.github.ClientID, "private_key": w.github.PrivateKey, "base_url": w.github.APIURL}},
		{"github/issuers/default", map[string]any{
			"mount_accessor": mounts["jwt/"].Accessor, "user_claim": "repository", "stable_claims": "repository_id,repository_owner",
			"oidc_discovery_url": w.issuer.URL, "bound_issuer": w.issuer.URL, "bound_audiences": "vault",
		}},
		{"github/roles/bound", bound},
		{"github/roles/large", map[string]any{
			"organization": "big", "repositories": large, "permissions": map[string]string{"contents": "read"}, "ttl": "30m",
		}},
	} {
		if err := w.write(ctx, write.path, write.data); err != nil {
			return err
		}
	}
	return nil
}

// login makes the job.
func (w *world) login(ctx context.Context) error {
	client, err := w.vault.Client("").API()
	if err != nil {
		return err
	}
	secret, err := client.Logical().WriteWithContext(ctx, "auth/jwt/login", map[string]any{"role": "ci", "jwt": w.idToken()})
	if err != nil {
		return err
	}
	w.job = secret.Auth.ClientToken
	return nil
}

// idToken is the job's, good for five minutes.
func (w *world) idToken() string {
	return w.issuer.Sign(oidctest.GitHubActionsClaims(map[string]any{"repository_id": strconv.FormatInt(w.github.RepositoryID, 10)}))
}

// findProcesses asks each plugin for something, so that it runs.
func (w *world) findProcesses(ctx context.Context) error {
	for _, target := range []target{boundTarget, nullTarget} {
		r, err := w.load(ctx, target, load.Options{Workers: 1, Requests: 1})
		if err != nil {
			return err
		}
		if r.OK() != 1 {
			return fmt.Errorf("%s was answered: %s", target.path, r.FirstError)
		}
	}
	w.vaultPID = w.vault.PID()
	return w.readProcesses()
}

// restartEngine replaces the engine's process, and waits until the old one is gone.
func (w *world) restartEngine(ctx context.Context) error {
	if _, err := w.root.Sys().ReloadPluginWithContext(ctx, &api.ReloadPluginInput{Plugin: enginePlugin}); err != nil {
		return fmt.Errorf("restart the engine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, restartTimeout)
	defer cancel()
	for {
		err := w.readProcesses()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("restart the engine: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// restartTimeout is more than go-plugin lets a process that it asked to end.
const restartTimeout = 15 * time.Second

// readProcesses finds the one process of each plugin.
func (w *world) readProcesses() error {
	for plugin, pid := range map[string]*int{enginePlugin: &w.enginePID, nullPlugin: &w.nullPID} {
		found, err := w.vault.PluginProcesses(plugin)
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("%s runs in %d processes, not in one", plugin, len(found))
		}
		*pid = found[0]
	}
	return nil
}

// target is a request that is measured.
type target struct {
	method, path string
	idToken      bool // present one
}

var (
	boundTarget    = target{method: http.MethodGet, path: "github/token/bound"}
	presentTarget  = target{method: http.MethodPost, path: "github/token/bound", idToken: true}
	largeTarget    = target{method: http.MethodGet, path: "github/token/large"}
	nullTarget     = target{method: http.MethodGet, path: "null/token/x"}
	waitTarget     = target{method: http.MethodGet, path: "null/token/50ms"}
	errNotAnswered = errors.New("a request was not answered with 200")
)

func (w *world) load(ctx context.Context, t target, o load.Options) (load.Result, error) {
	o.Address, o.Token, o.Method, o.Path = w.vault.Addr, w.job, t.method, t.path
	if t.idToken {
		o.Body = []byte(`{"id_token":"` + w.idToken() + `"}`)
	}
	r, err := load.Run(ctx, o)
	if err == nil {
		err = ctx.Err() // an interrupted run is not one that was refused
	}
	if err == nil && r.OK() != o.Requests {
		err = fmt.Errorf("%w: %s: %s", errNotAnswered, t.path, r.FirstError)
	}
	return r, err
}

// pid is the process of the plugin that a target leads to.
func (w *world) pid(t target) int {
	if strings.HasPrefix(t.path, "null/") {
		return w.nullPID
	}
	return w.enginePID
}

// revoke ends every lease of a target as "vault lease revoke -prefix" does, waits
// until none is left, and tells how long that took. (With -sync Vault would
// revoke one after another.)
func (w *world) revoke(ctx context.Context, t target) (time.Duration, error) {
	began := time.Now()
	if err := w.root.Sys().RevokeWithOptionsWithContext(ctx, &api.RevokeOptions{LeaseID: t.path, Prefix: true}); err != nil {
		return 0, err
	}
	for {
		left, err := w.root.Logical().ListWithContext(ctx, "sys/leases/lookup/"+t.path)
		if err != nil {
			return 0, err
		}
		if left == nil {
			return time.Since(began), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// barrierOperations is how often Vault has read from and written to its storage.
func (w *world) barrierOperations(ctx context.Context) (float64, error) {
	resp, err := w.root.Logical().ReadRawWithDataWithContext(ctx, "sys/metrics", url.Values{"format": {"prometheus"}})
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, fmt.Errorf("read Vault's metrics: %w", err)
	}
	found := barrierCounts.FindAllSubmatch(text, -1)
	if len(found) == 0 {
		return 0, errors.New("no counts of the storage in the metrics of Vault")
	}
	var sum float64
	for _, match := range found {
		n, err := strconv.ParseFloat(string(match[1]), 64)
		if err != nil {
			return 0, fmt.Errorf("read Vault's metrics: %w", err)
		}
		sum += n
	}
	return sum, nil
}

var barrierCounts = regexp.MustCompile(`(?m)^vault_barrier_(?:get|put|delete|list)_count (\S+)$`)

func urlEscape(s string) string { return url.QueryEscape(s) }

// versions are those of what was measured.
func (w *world) versions(ctx context.Context, vault string) []string {
	var lines []string
	for _, command := range [][]string{{vault, "version"}, {"go", "version"}} {
		out, err := exec.CommandContext(ctx, command[0], command[1:]...).Output() //#nosec G204 -- of these two
		if err != nil {
			out = []byte(command[0] + ": " + err.Error())
		}
		lines = append(lines, strings.TrimSpace(string(out)))
	}
	info, err := w.root.Logical().ReadWithContext(ctx, "github/info")
	if err == nil && info != nil {
		line := fmt.Sprintf("%s %s", enginePlugin, info.Data["version"])
		if revision, ok := info.Data["revision"]; ok {
			line += fmt.Sprintf(", revision %v", revision)
		}
		lines = append(lines, line)
	}
	return lines
}

// thisMachine describes what the figures were measured on.
func thisMachine() string {
	cpu, cores := "unknown CPU", 0
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				cpu = strings.TrimSpace(strings.TrimLeft(name, "\t :"))
				cores++
			}
		}
	}
	memory := ""
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		first, _, _ := strings.Cut(string(info), "\n")
		memory = strings.Join(strings.Fields(first)[1:], " ")
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d × %s, %s memory, Linux %s", cores, cpu, memory, strings.TrimSpace(string(kernel)))
}
