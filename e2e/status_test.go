package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-github/internal/githubtest"
)

// status reads the status of the App as the vault command does.
func (w *world) status() map[string]any {
	w.t.Helper()
	return w.root.Get(w.t, w.path("status/default")).Secret(w.t).Data
}

// wantProblem checks that the status names just one problem.
func (w *world) wantProblem(says string) {
	w.t.Helper()
	s := w.status()
	problems, _ := s["problems"].([]any)
	if len(problems) != 1 || s["healthy"] != false || !strings.Contains(problems[0].(string), says) {
		w.t.Errorf("healthy is %v and the problems are %q, want one that says %q", s["healthy"], problems, says)
	}
}

// A monitor reads what stands between jobs and their tokens before they do.
func TestTheStatusOfAnAppTellsWhatIsWrongAtGitHub(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if s := w.status(); s["healthy"] != true || s["key_valid"] != true || s["slug"] != "ci-broker" {
		t.Fatalf("the status of an App that is well is %v", s)
	}
	w.writeRole("checks", map[string]any{"permissions": map[string]string{"checks": "write"}})
	w.wantProblem(`role "checks": it asks for checks=write, and acme has none`)
	w.root.Delete(t, w.path("roles/checks"))

	w.github.Suspend(w.installation)
	w.wantProblem(`role "api-read": the installation on acme is suspended`)
	w.github.Unsuspend(w.installation)

	w.github.AddOrganization("umbrella")
	w.github.Suspend(w.github.Install(w.app, "umbrella", githubtest.InstallOptions{})) // which no role uses
	installed := w.root.Get(t, w.path("installations")).Secret(t).Data["installations"].([]any)
	accounts := map[any]any{}
	for _, i := range installed {
		accounts[i.(map[string]any)["organization"]] = i.(map[string]any)["suspended"]
	}
	if len(installed) != 2 || accounts["acme"] != false || accounts["umbrella"] != true {
		t.Errorf("the installations are %v", installed)
	}

	up := w.github.Inject(githubtest.BadGateway())
	w.wantProblem("GitHub answered 502")
	if s := w.status(); s["key_valid"] != false || s["reason"] != "github_unavailable" {
		t.Errorf("while GitHub is down the status is %v", s)
	}
	up()

	w.app.RotateKey()
	w.app.RemoveKey()
	w.wantProblem("GitHub does not take the key with fingerprint ")
	if s := w.status(); s["reason"] != "github_unauthorized" {
		t.Errorf("after the key was deleted the status is %v", s)
	}
	w.write(w.path("config"), map[string]any{"private_key": w.app.PrivateKeyPEM()})
	leaks.WatchFor(w.app.PrivateKeyPEM())
	if s := w.status(); s["healthy"] != true {
		t.Errorf("with a new key the status is %v", s)
	}
}

func TestTheStatusIsListedAndReadByTheCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if out := w.root.CLI(t, "list", w.path("status")); out.Code != 0 || !slices.Contains(strings.Fields(out.Stdout), "default") {
		t.Errorf("vault list: %d\n%s%s", out.Code, out.Stdout, out.Stderr)
	}
	out := w.root.CLI(t, "read", "-field=healthy", w.path("status/default"))
	if out.Code != 0 || strings.TrimSpace(out.Stdout) != "true" {
		t.Errorf("vault read: %d\n%s%s", out.Code, out.Stdout, out.Stderr)
	}
	if a := w.root.Get(t, w.path("status/none")); a.Status != http.StatusNotFound {
		t.Errorf("an App that does not exist: %d %s", a.Status, a.Body)
	}
	wantError(t, w.job().Get(t, w.path("status/default")), http.StatusForbidden, "permission denied")
}
