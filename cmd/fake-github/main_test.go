package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// start runs the command until the test ends and returns what it wrote.
func start(t *testing.T) connection {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "world")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-dir", dir}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
	deadline := time.After(30 * time.Second)
	for {
		content, err := os.ReadFile(filepath.Join(dir, "fake-github.json"))
		if err == nil {
			var written connection
			if err := json.Unmarshal(content, &written); err != nil {
				t.Fatal(err)
			}
			return written
		}
		select {
		case <-deadline:
			t.Fatal("it does not listen")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// send returns the status and decodes an answer in JSON.
func send(t *testing.T, method, url, body string, into any) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode
}

func TestWritesWhatAClientNeeds(t *testing.T) {
	t.Parallel()
	world := start(t)
	key, err := os.ReadFile(world.PrivateKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode(key); block == nil || block.Type != "RSA PRIVATE KEY" {
		t.Error("the key is not PKCS#1")
	}
	if info, err := os.Stat(world.PrivateKeyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v (%v), want 0600", info.Mode(), err)
	}
	if world.Organization != "acme" || world.InstallationID == 0 || world.AppID == 0 || world.ClientID == "" || world.PID != os.Getpid() {
		t.Errorf("%+v", world)
	}
	if status := send(t, http.MethodGet, world.APIURL+"/meta", "", nil); status != http.StatusOK {
		t.Errorf("GET /meta: %d", status)
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	world := start(t)
	faults, meta := world.URL+"/_fake/faults", world.APIURL+"/meta"
	steps := []struct {
		method, url, body string
		status            int
	}{
		{http.MethodPost, faults, `{"match":"GET /meta","status":502,"times":1,"latency":"1ms"}`, 204},
		{http.MethodGet, meta, "", 502},
		{http.MethodGet, meta, "", 200},
		{http.MethodPost, faults, `{"status":503}`, 204},
		{http.MethodGet, meta, "", 503},
		{http.MethodDelete, faults, "", 204},
		{http.MethodGet, meta, "", 200},
		{http.MethodPost, faults, `{"statsu":503}`, 400},
		{http.MethodPost, faults, `{"latency":"soon"}`, 400},
	}
	for _, step := range steps {
		if got := send(t, step.method, step.url, step.body, nil); got != step.status {
			t.Errorf("%s %s %s: %d, want %d", step.method, step.url, step.body, got, step.status)
		}
	}
	var log []any
	if status := send(t, http.MethodGet, world.URL+"/_fake/audit-log", "", &log); status != http.StatusOK || log == nil || len(log) > 0 {
		t.Errorf("the audit log: %d %v", status, log)
	}
	var tokens map[string]any
	send(t, http.MethodGet, world.URL+"/_fake/tokens", "", &tokens)
	if diff := cmp.Diff(map[string]any{"count": 0.0, "minted": 0.0, "tokens": []any{}}, tokens); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
}

func TestMistakesInTheArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"-dir", t.TempDir(), "extra"}, {"-dri", "x"}, {"-dir", t.TempDir(), "-listen", "nowhere"}} {
		if err := run(t.Context(), args); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
