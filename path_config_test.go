package githubsecrets

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-github/internal/githubtest"
)

// appData is a configuration that the fake GitHub accepts, changed by data.
func (e *engine) appData(data map[string]any) map[string]any {
	config := map[string]any{
		"client_id": e.app.ClientID, "private_key": e.app.PrivateKeyPEM(), "base_url": e.github.APIURL,
	}
	for field, value := range data {
		config[field] = value
		if value == nil {
			delete(config, field)
		}
	}
	return config
}

func TestConfigShowsTheAppAndNeverItsKey(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	written := e.must(logical.CreateOperation, "config", e.appData(nil))
	read := e.must(logical.ReadOperation, "config", nil)
	for _, answer := range []answer{written, read} {
		if answer.data("slug") != "ci-broker" || answer.data("owner") == "" || answer.data("fingerprint") == "" || answer.data("permissions") == nil {
			t.Errorf("slug, owner, fingerprint or permissions are missing: %v", answer.Data)
		}
		text, err := json.Marshal(answer.Data)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "PRIVATE") || strings.Contains(string(text), e.app.PrivateKeyPEM()[100:140]) {
			t.Error("the answer holds the private key")
		}
	}
}

func TestConfigIsTheAppCalledDefault(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	if diff := cmp.Diff(e.must(logical.ReadOperation, "config", nil).Data, e.must(logical.ReadOperation, "config/default", nil).Data); diff != "" {
		t.Error(diff)
	}
	e.must(logical.CreateOperation, "config/ghes.example-1", e.appData(nil))
	list := e.must(logical.ListOperation, "config/", nil)
	if diff := cmp.Diff([]string{"default", "ghes.example-1"}, list.Data["keys"]); diff != "" {
		t.Error(diff)
	}
	e.must(logical.DeleteOperation, "config/default", nil)
	if a := e.do(t.Context(), logical.ReadOperation, "config", nil); a.Response != nil {
		t.Error("config is still there")
	}
}

func TestConfigWriteIsRefused(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	other := e.github.AddApp("other", map[string]string{"metadata": "read"})
	tests := map[string]struct {
		change map[string]any
		status int
		parts  []string
	}{
		"without any id":             {map[string]any{"client_id": nil}, 400, []string{"client_id or app_id"}},
		"without a key":              {map[string]any{"private_key": nil}, 400, []string{"private_key is missing"}},
		"with a text as key":         {map[string]any{"private_key": "no"}, 400, []string{"private_key: it is not a PEM block"}},
		"with another App's key":     {map[string]any{"private_key": other.PrivateKeyPEM()}, 400, []string{"does not know the key with fingerprint", "401"}},
		"with another App's app_id":  {map[string]any{"app_id": other.ID}, 400, []string{"app_id: the key belongs to the App \"ci-broker\""}},
		"with an App that is none":   {map[string]any{"client_id": "Iv23none"}, 400, []string{"Integration not found"}},
		"with another id and key":    {map[string]any{"client_id": e.app.ClientID, "app_id": other.ID}, 400, []string{"app_id"}},
		"with user info in base_url": {map[string]any{"base_url": "https://a:b@ghe.example"}, 400, []string{"base_url: it must not hold user information"}},
		"with another scheme":        {map[string]any{"base_url": "file:///etc/passwd"}, 400, []string{"base_url", "https"}},
		"with http elsewhere":        {map[string]any{"base_url": "http://ghe.example/api/v3"}, 400, []string{"base_url", "use https"}},
		"with a CA that is none":     {map[string]any{"ca_pem": "no"}, 400, []string{"ca_pem"}},
		"with a proxy that is none":  {map[string]any{"proxy_url": "socks5://proxy"}, 400, []string{"proxy_url"}},
		"with no time to answer":     {map[string]any{"request_timeout": 0}, 400, []string{"request_timeout: 0s is not between"}},
		"with an hour to answer":     {map[string]any{"request_timeout": "1h"}, 400, []string{"request_timeout"}},
		"with app_id in octal":       {map[string]any{"app_id": "010"}, 400, []string{"app_id", "leading zeros"}},
		"with nobody at base_url":    {map[string]any{"base_url": "http://127.0.0.1:1"}, 502, []string{"verify=false", "refused"}},
		"with a wrong path":          {map[string]any{"base_url": e.github.URL + "/nothing"}, 400, []string{"404"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := e.do(t.Context(), logical.CreateOperation, "config", e.appData(test.change))
			a.wantRefusal(t, test.status, test.parts...)
			if strings.Contains(a.err, "-----BEGIN") || strings.Contains(a.err, "eyJ") {
				t.Error("the error holds a secret")
			}
			if e.do(t.Context(), logical.ReadOperation, "config", nil).Response != nil {
				t.Error("it was written all the same")
			}
		})
	}
}

func TestConfigTakesEveryGoodForm(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	tests := map[string]map[string]any{
		"app_id":                   {"client_id": nil, "app_id": e.app.ID},
		"app_id as text":           {"client_id": nil, "app_id": idText(e.app.ID)},
		"both ids":                 {"app_id": e.app.ID},
		"a base_url without path":  {"base_url": e.github.URL},
		"a base_url with a slash":  {"base_url": e.github.APIURL + "/"},
		"a key from Windows":       {"private_key": strings.ReplaceAll(e.app.PrivateKeyPEM(), "\n", "\r\n")},
		"nobody there, unverified": {"base_url": "http://127.0.0.1:1", "verify": false},
		"what a read computes":     {"slug": "x", "owner": "y", "fingerprint": "z", "key_written": "w", "permissions": "contents=read"},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			e.must(logical.CreateOperation, "config", e.appData(change))
			read := e.must(logical.ReadOperation, "config", nil)
			if read.data("slug") == "x" || read.data("fingerprint") == "z" || read.data("key_written") == "w" {
				t.Error("a computed field was taken from the request")
			}
			e.must(logical.DeleteOperation, "config", nil)
		})
	}
}

func TestConfigUpdateKeepsTheRest(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	before := e.must(logical.ReadOperation, "config", nil).Data
	e.must(logical.UpdateOperation, "config", map[string]any{"request_timeout": "20s"})
	after := e.must(logical.ReadOperation, "config", nil).Data
	before["request_timeout"] = 20
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	e.mustWriteRole("api", nil)
	e.must(logical.ReadOperation, "token/api", nil) // the key was kept, too
}

func TestConfigReadCanBeWrittenBack(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.must(logical.UpdateOperation, "config", map[string]any{"proxy_url": "http://user:secret@127.0.0.1:1", "verify": false})
	read := e.must(logical.ReadOperation, "config", nil).Data
	if read["proxy_url"] != "http://user:xxxxx@127.0.0.1:1" {
		t.Errorf("proxy_url reads %v, want its password masked", read["proxy_url"])
	}
	read["verify"] = false
	e.must(logical.UpdateOperation, "config", read)
	stored, err := loadApp(t.Context(), e.storage, defaultApp)
	if err != nil {
		t.Fatal(err)
	}
	if stored.ProxyURL != "http://user:secret@127.0.0.1:1" {
		t.Errorf("proxy_url became %q", stored.ProxyURL)
	}
}

func TestReplacingTheKeyLosesNoRequest(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("api", nil)
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if a := e.do(t.Context(), logical.ReadOperation, "token/api", nil); a.status != http.StatusOK {
						t.Errorf("status %d: %s", a.status, a.err)
						return
					}
				}
			}
		})
	}
	for range 3 {
		old := e.app.PrivateKeyPEM()
		e.app.RotateKey()
		if e.app.PrivateKeyPEM() == old {
			t.Fatal("the key was not rotated")
		}
		e.must(logical.UpdateOperation, "config", map[string]any{"private_key": e.app.PrivateKeyPEM()})
	}
	close(stop)
	workers.Wait()
}

func TestDeletingAnAppNamesTheRolesThatUseIt(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("one", nil)
	e.mustWriteRole("two", nil)
	e.mustWriteRole("else", map[string]any{"app": "another"})
	a := e.must(logical.DeleteOperation, "config", nil)
	if a.Response == nil || len(a.Warnings) != 1 || !strings.Contains(a.Warnings[0], "one, two") || strings.Contains(a.Warnings[0], "else") {
		t.Errorf("warnings are %v, want one that names one and two", a.Response)
	}
	e.wantRefusal(logical.ReadOperation, "token/one", nil, http.StatusBadRequest, `the App "default" is not configured`, "github/config")
}

func TestAnAppIsTakenFromOtherNodesWhenTheyWriteIt(t *testing.T) {
	t.Parallel()
	e := newReadyEngine(t)
	e.mustWriteRole("api", nil)
	e.must(logical.ReadOperation, "token/api", nil)
	stored, err := loadApp(t.Context(), e.storage, defaultApp)
	if err != nil {
		t.Fatal(err)
	}
	stored.Disabled = true
	entry, err := logical.StorageEntryJSON("config/default", stored)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.storage.Put(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	e.InvalidateKey(t.Context(), "config/default")
	e.wantRefusal(logical.ReadOperation, "token/api", nil, http.StatusForbidden, `App "default" is disabled`)
}

func TestThePrivateKeyIsSealWrapped(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string{"config/", "watched/"}, newBackend(nil).PathsSpecial.SealWrapStorage); diff != "" {
		t.Error(diff)
	}
}

func TestGitHubEnterpriseServerWithItsOwnCA(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	ghes := githubtest.New(t, githubtest.WithTLS())
	app := ghes.AddApp("ghes-broker", map[string]string{"contents": "read", "metadata": "read"})
	data := map[string]any{"app_id": app.ID, "private_key": app.PrivateKeyPEM(), "base_url": ghes.APIURL}
	a := e.do(t.Context(), logical.CreateOperation, "config", data)
	a.wantRefusal(t, http.StatusBadGateway, "certificate")
	data["ca_pem"] = ghes.CAPEM()
	e.must(logical.CreateOperation, "config", data)
}
