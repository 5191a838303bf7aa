package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-github/e2e/vaulttest"
)

// device is an audit device of the shared Vault: its path below sys/audit, and
// the file in which its lines end up.
type device struct{ path, file string }

// enableDevices adds to the file device of every Vault in tests a second one and
// a socket.
func enableDevices(socket *auditSocket) ([]device, error) {
	client, err := vault.Root().API()
	if err != nil {
		return nil, err
	}
	second := filepath.Join(filepath.Dir(vault.AuditFile()), "audit-second.log")
	for path, o := range map[string]*api.EnableAuditOptions{
		"second": {Type: "file", Options: map[string]string{"file_path": second}},
		"socket": {Type: "socket", Options: map[string]string{"address": socket.address(), "socket_type": "unix"}},
	} {
		if err := client.Sys().EnableAuditWithOptionsWithContext(context.Background(), path, o); err != nil {
			return nil, fmt.Errorf("enable the audit device %s: %w", path, err)
		}
	}
	return []device{{"file", vault.AuditFile()}, {"second", second}, {"socket", socket.file}}, nil
}

// auditSocket writes what Vault sends to a socket device into a file.
type auditSocket struct {
	listener net.Listener
	file     string
	written  sync.WaitGroup
}

func listenForAudit(dir string) (*auditSocket, error) {
	listener, err := net.Listen("unix", filepath.Join(dir, "audit.sock"))
	if err != nil {
		return nil, fmt.Errorf("listen for the audit device: %w", err)
	}
	s := &auditSocket{listener: listener, file: filepath.Join(dir, "audit-socket.log")}
	out, err := os.OpenFile(s.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make a file for the audit device: %w", err)
	}
	s.written.Go(func() {
		defer out.Close()
		for {
			connection, err := listener.Accept()
			if err != nil {
				return // it is closed
			}
			s.written.Go(func() {
				defer connection.Close()
				_, _ = io.Copy(out, connection) // Vault ends it
			})
		}
	})
	return s, nil
}

func (s *auditSocket) address() string { return s.listener.Addr().String() }

func (s *auditSocket) close() { _ = s.listener.Close() }

// entry is a line of an audit log, as it is.
type entry map[string]any

// at is what stands at a path of keys; nil if there is nothing.
func (e entry) at(keys ...string) any {
	var here any = map[string]any(e)
	for _, key := range keys {
		object, _ := here.(map[string]any)
		here = object[key]
	}
	return here
}

func (e entry) text(keys ...string) string {
	text, _ := e.at(keys...).(string)
	return text
}

// entries returns those in a device's file that are kept.
func (d device) entries(t testing.TB, keep func(entry) bool) []entry {
	t.Helper()
	content, err := os.ReadFile(d.file)
	if err != nil {
		t.Fatal(err)
	}
	var kept []entry
	for line := range bytes.Lines(content) {
		var e entry
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is still being written
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s holds a line that is not JSON: %s", d.path, err)
		}
		if keep(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

// settleTimeout is time enough for Vault to do in the background what it does.
const settleTimeout = 30 * time.Second

// pair is the request and the response entry of the newest request for a path.
func (d device) pair(t testing.TB, path string) (request, response entry) {
	t.Helper()
	vaulttest.Eventually(t, settleTimeout, func() error {
		found := d.entries(t, func(e entry) bool { return e.text("request", "path") == path })
		if len(found) < 2 || found[len(found)-1].text("type") != "response" {
			return fmt.Errorf("%s has %d entries about %s", d.path, len(found), path)
		}
		request, response = found[len(found)-2], found[len(found)-1]
		return nil
	})
	if request.text("type") != "request" || request.text("request", "id") != response.text("request", "id") {
		t.Fatalf("%s: not a request and its response: %v %v", d.path, request, response)
	}
	return request, response
}
