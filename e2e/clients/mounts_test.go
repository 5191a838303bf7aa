package clients

import (
	"fmt"
	"strings"
	"testing"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// TestManyMountsInOneProcess mounts the engine at twenty more paths, gets tokens
// from each by the page's role, and unmounts them all.
func TestManyMountsInOneProcess(t *testing.T) {
	t.Parallel()
	w, p := newClientWorld(t)
	const count = 20
	var names []string
	for n := range count {
		names = append(names, fmt.Sprintf("team-%02d", n))
	}
	w.variables["APPS"] = strings.Join(names, " ")
	w.admin(p.block("run", "mounts"))
	root := w.vault.Root()
	for _, name := range names {
		mount := "github-app-" + name
		w.write(mount+"/roles/ci", map[string]any{
			"organization": "acme", "repositories": "api", "permissions": map[string]string{"contents": "read"},
		})
		secret := root.Get(t, mount+"/token/ci").Secret(t)
		if !strings.HasPrefix(secret.LeaseID, mount+"/token/ci/") {
			t.Errorf("the lease is %s", secret.LeaseID)
		}
		token, _ := secret.Data["token"].(string)
		w.wantLive(token)
	}
	w.awaitLiveTokens(count)
	w.wantProcesses(1)
	for _, name := range names {
		root.Delete(t, "sys/mounts/github-app-"+name)
	}
	w.awaitLiveTokens(0)
	w.wantProcesses(1) // for the mount at github/
	root.Delete(t, "sys/mounts/github")
	w.wantProcesses(0)
}

// wantProcesses waits until the engine has so many processes.
func (w *world) wantProcesses(want int) {
	w.t.Helper()
	vaulttest.Eventually(w.t, patience, func() error {
		running, err := w.vault.PluginProcesses(engineName)
		if err == nil && len(running) != want {
			err = fmt.Errorf("the engine has %d processes, not %d", len(running), want)
		}
		return err
	})
}
