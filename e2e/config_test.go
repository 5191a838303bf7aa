package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vault-plugin-secrets-github/internal/githubtest"
)

func TestConfigTellsOfTheAppButNeverItsKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"config", "config/default"} {
		a := w.root.Get(t, w.path(path))
		data := a.Secret(t).Data
		if data["slug"] != "ci-broker" || data["client_id"] != w.app.ClientID || data["base_url"] != w.github.APIURL || data["fingerprint"] == "" {
			t.Errorf("%s: %v", path, data)
		}
		if bytes.Contains(a.Body, []byte("PRIVATE")) || leaks.Find(a.Body) != "" {
			t.Errorf("%s shows the private key", path)
		}
	}
	out := w.root.CLI(t, "list", "-format=json", w.path("config"))
	if !strings.Contains(out.Stdout, `"default"`) {
		t.Errorf("vault list: %+v", out)
	}
}

func TestBadConfigIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stranger := w.github.AddApp("stranger", map[string]string{"contents": "read"})
	leaks.WatchFor(stranger.PrivateKeyPEM())
	for name, test := range map[string]struct {
		field, value string
		says         string
	}{
		"another App's key":                 {"private_key", stranger.PrivateKeyPEM(), "private_key"},
		"no key":                            {"private_key", "secret", "private_key"},
		"http to another host":              {"base_url", "http://ghe.example/api/v3", "https"},
		"a file":                            {"base_url", "file:///etc/passwd", "file"},
		"user information":                  {"base_url", "https://user:pass@ghe.example/api/v3", "user"},
		"a query":                           {"base_url", "https://ghe.example/api/v3?x=1", "query"},
		"a fragment":                        {"base_url", "https://ghe.example/api/v3#x", "fragment"},
		"a CA that is none":                 {"ca_pem", "certificate", "ca_pem"},
		"a proxy that is none":              {"proxy_url", "socks://proxy.example", "proxy_url"},
		"no time to answer":                 {"request_timeout", "0", "request_timeout"},
		"a client id that is not the key's": {"client_id", "Iv23liSOMEONEELSES", "Iv23liSOMEONEELSES"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.root.Post(t, w.path("config"), map[string]any{test.field: test.value})
			wantError(t, a, http.StatusBadRequest, test.says)
			if leaks.Find(a.Body) != "" {
				t.Error("the error shows the key")
			}
		})
	}
	w.token(w.job(), "api-read") // what was there before still works
}

func TestConfigByAppIDAndWithoutAskingGitHub(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(w.path("config/by-id"), map[string]any{
		"app_id": w.app.ID, "private_key": w.app.PrivateKeyPEM(), "base_url": w.github.URL + "/",
	})
	asked := w.github.Requests("GET /app")
	w.write(w.path("config/unverified"), map[string]any{
		"client_id": w.app.ClientID, "private_key": strings.ReplaceAll(w.app.PrivateKeyPEM(), "\n", "\r\n"),
		"base_url": w.github.APIURL + "/", "verify": false,
	})
	if n := w.github.Requests("GET /app"); n != asked {
		t.Error("verify=false asks GitHub")
	}
	for _, app := range []string{"by-id", "unverified"} {
		w.writeRole(app, map[string]any{"app": app})
		w.token(w.job(), app)
	}
}

func TestUnreachableGitHubIsSaidWhenTheAppIsWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.github.Inject(githubtest.Outage().On("GET /app"))
	a := w.root.Post(t, w.path("config"), map[string]any{"private_key": w.app.PrivateKeyPEM()})
	wantError(t, a, http.StatusBadGateway, "verify=false")
}

func TestDeletingAnAppInUseNamesItsRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.root.Delete(t, w.path("config"))
	if warnings := strings.Join(a.Secret(t).Warnings, "\n"); !strings.Contains(warnings, "api-read") {
		t.Errorf("warnings: %q", warnings)
	}
	wantError(t, w.job().Get(t, w.path("token/api-read")), http.StatusBadRequest, w.path("config"))
}

// What is read can be written back: Terraform sees no drift, and jq is all that
// a copy takes.
func TestReadsCanBeWrittenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.writeRole("full", map[string]any{
		"repositories": []string{"acme/api"}, "repository_ids": []int64{w.repositories["web"].ID},
		"permissions": map[string]string{"contents": "write", "pull-requests": "read"},
		"ttl":         "5m", "max_ttl": "30m", "description": "For releases.", "disabled": true,
	})
	for from, to := range map[string]string{"roles/full": "roles/copy", "roles/api-read": "roles/copy2", "config": "config"} {
		t.Run(from, func(t *testing.T) {
			before := w.root.Get(t, w.path(from)).Secret(t).Data
			encoded, err := json.Marshal(before)
			if err != nil {
				t.Fatal(err)
			}
			if out := w.root.CLIWithInput(t, string(encoded), "write", w.path(to), "-"); out.Code != 0 {
				t.Fatalf("vault write: %s", out.Stderr)
			}
			after := w.root.Get(t, w.path(to)).Secret(t).Data
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the copy differs:\n%s", diff)
			}
		})
	}
}

func TestPartialUpdateKeepsTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, change := range map[string]map[string]any{
		"config":         {"request_timeout": json.Number("20")},
		"roles/api-read": {"description": "Read the API."},
	} {
		want := w.root.Get(t, w.path(path)).Secret(t).Data
		for field, value := range change {
			want[field] = value
		}
		w.write(w.path(path), change)
		if diff := cmp.Diff(want, w.root.Get(t, w.path(path)).Secret(t).Data); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestReplacingTheKeyUnderLoadLosesNoRequest(t *testing.T) {
	t.Parallel()
	const jobs, rotations = 8, 4
	w := newWorld(t)
	job := w.job()
	w.token(job, "api-read")

	stop := make(chan struct{})
	var load sync.WaitGroup
	for range jobs {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if a := job.Get(t, w.path("token/api-read")); a.Status != http.StatusOK {
					t.Errorf("Vault answered %d: %s", a.Status, a.Body)
					return
				}
			}
		})
	}
	for range rotations {
		w.app.RotateKey()
		leaks.WatchFor(w.app.PrivateKeyPEM())
		w.write(w.path("config"), map[string]any{"private_key": w.app.PrivateKeyPEM()})
		w.awaitRequests(githubtest.MintToken, w.github.Requests(githubtest.MintToken)+2*jobs)
	}
	close(stop)
	load.Wait()
	for range rotations {
		w.app.RemoveKey()
	}
	w.token(job, "api-read") // with the last key
}
