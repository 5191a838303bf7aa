package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-github/e2e/vaulttest"
	"vault-plugin-secrets-github/internal/githubtest"
)

func TestPluginRegistersWithAndWithoutVersion(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]string{"with": engine.version, "without": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plugin := pluginName + "-" + name + "-version"
			if err := vault.RegisterPlugin(t.Context(), engine.Plugin, plugin, version); err != nil {
				t.Fatal(err)
			}
			path, root := "engine-"+name+"-version", vault.Root()
			mount(t, path, plugin)
			if running := root.Get(t, path+"/info").Secret(t).Data["version"]; running != engine.version {
				t.Errorf("version %q runs, not %q", running, engine.version)
			}
			mounted := root.Get(t, "sys/mounts/"+path).Secret(t).Data["running_plugin_version"]
			if mounted != engine.version {
				t.Errorf("Vault thinks that version %q runs, not %q", mounted, engine.version)
			}
		})
	}
}

func TestPluginIsNotRegisteredAsAnotherVersion(t *testing.T) {
	t.Parallel()
	err := vault.RegisterPlugin(t.Context(), engine.Plugin, pluginName, "v99.0.0")
	if err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("registering another version: %v", err)
	}
}

// privateEngine registers a copy of the engine under a name of its own. Vault
// runs it in another process than the other tests': a reload of one mount ends
// the process of all.
func privateEngine(t *testing.T, name string) {
	t.Helper()
	plugin, err := vault.InstallPlugin(engineBinary(), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := vault.RegisterPlugin(t.Context(), plugin, name, engine.version); err != nil {
		t.Fatal(err)
	}
}

func TestReloadKeepsRolesAndLeases(t *testing.T) {
	t.Parallel()
	const name = "github-reloaded"
	privateEngine(t, name)
	w := newWorldOf(t, name)
	job := w.job()
	secret := w.token(job, "api-read")
	w.write("sys/plugins/reload/backend", map[string]any{"mounts": []string{w.mount}})
	w.token(job, "api-read")
	w.mustRevoke(secret)
}

// A plugin that is asked to stop takes back the token that is on its way.
func TestReloadDuringAMintLeavesNoToken(t *testing.T) {
	t.Parallel()
	const name = "github-reloaded-busy"
	privateEngine(t, name)
	for _, whose := range []string{"its own", "another"} {
		t.Run(whose+" mount", func(t *testing.T) {
			w, reloaded := newWorldOf(t, name), newWorldOf(t, name)
			if whose == "its own" {
				reloaded = w
			}
			w.github.Inject(githubtest.Fault{LateBy: time.Second / 2}.On(githubtest.MintToken).Once())
			request := w.job().Begin(t, http.MethodGet, w.path("token/api-read"))
			w.awaitRequests(githubtest.MintToken, 1)
			reloaded.write("sys/plugins/reload/backend", map[string]any{"mounts": []string{reloaded.mount}})
			request.Wait()
			w.write("sys/leases/revoke-prefix/"+w.mount, nil) // Vault may have tried again
			w.awaitLiveTokens(0)
		})
	}
}

// A reload forgets no token whose answer was lost just before it: neither of the
// mount that is reloaded, nor of another in the same process.
func TestReloadAfterHangUpsLeavesNoToken(t *testing.T) {
	t.Parallel()
	const name = "github-reloaded-hung-up"
	privateEngine(t, name)
	w, other := newWorldOf(t, name), newWorldOf(t, name)
	var jobs sync.WaitGroup
	for _, w := range []*world{w, other} {
		jobs.Go(func() { w.hangUp(25) })
	}
	jobs.Wait()
	w.write("sys/plugins/reload/backend", map[string]any{"mounts": []string{w.mount}})
	for _, w := range []*world{w, other} {
		w.write(w.path("roles/api-read"), map[string]any{"ttl": "1m"}) // so that the mount is served again
		w.awaitDeath(time.Minute)
	}
}

func TestMountsShareOneProcess(t *testing.T) {
	t.Parallel()
	const name = "github-shared"
	privateEngine(t, name)
	for i := range 3 {
		path := fmt.Sprintf("%s-%d", name, i)
		mount(t, path, name)
		vault.Root().Get(t, path+"/info").Secret(t)
	}
	if pids := pluginProcesses(t, name); len(pids) != 1 {
		t.Errorf("three mounts run in the processes %v, not in one", pids)
	}
}

func pluginProcesses(t *testing.T, command string) []int {
	t.Helper()
	pids, err := vault.PluginProcesses(command)
	if err != nil {
		t.Fatal(err)
	}
	return pids
}

func TestKilledPluginComesBackWithItsLeases(t *testing.T) {
	t.Parallel()
	const name = "github-killed"
	privateEngine(t, name)
	w := newWorldOf(t, name)
	job := w.job()
	secret := w.token(job, "api-read")
	for _, pid := range pluginProcesses(t, name) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	// Vault starts the plugin again for the first request after it has noticed.
	vaulttest.Eventually(t, requestTimeout, func() error {
		if a := job.Get(t, w.path("token/api-read")); a.Status != http.StatusOK {
			return fmt.Errorf("answered with %d: %s", a.Status, a.Body)
		}
		return nil
	})
	w.mustRevoke(secret)
}

func TestEveryPathHasHelp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"", "config", "config/default", "roles", "roles/api-read", "token/api-read", "info"} {
		out := w.root.CLI(t, "path-help", w.path(path))
		if out.Code != 0 || !strings.Contains(out.Stdout, "## DESCRIPTION") {
			t.Errorf("vault path-help %s ended with %d: %s%s", path, out.Code, out.Stdout, out.Stderr)
		}
	}
}

func TestOpenAPIDescribesEveryOperation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	a := w.root.Get(t, "sys/internal/specs/openapi")
	if err := json.Unmarshal(a.Body, &document); err != nil {
		t.Fatal(err)
	}
	found := 0
	for path, item := range document.Paths {
		if !strings.HasPrefix(path, "/"+w.mount+"/") {
			continue
		}
		found++
		for _, method := range []string{"get", "post", "delete"} {
			raw, ok := item[method]
			if !ok {
				continue
			}
			var operation struct {
				Summary   string
				Responses map[string]any
			}
			if err := json.Unmarshal(raw, &operation); err != nil {
				t.Fatal(err)
			}
			if operation.Summary == "" || len(operation.Responses) == 0 {
				t.Errorf("%s %s has no summary or no response", method, path)
			}
		}
	}
	if found == 0 {
		t.Error("Vault's OpenAPI document has no path of the engine")
	}
}
