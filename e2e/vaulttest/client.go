package vaulttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
)

// Client speaks to a node of Vault as the holder of one token.
type Client struct {
	Token string
	node  *Node
}

// Client speaks for the token's holder; nobody's if it is empty.
func (n *Node) Client(token string) *Client { return &Client{Token: token, node: n} }

// Answer is what Vault said over HTTP.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends one request below /v1/, once, whatever comes of it. The body is sent
// as it is if it is bytes, else as JSON; nil is none. Headers are pairs of name
// and value.
func (c *Client) Do(t testing.TB, method, path string, body any, headers ...string) Answer {
	t.Helper()
	// Not the test's context: that has ended when clean-up runs.
	req := c.request(t, context.Background(), method, path, body)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %s", method, path, err)
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode, Header: resp.Header}
	if a.Body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatalf("%s %s: read the answer: %s", method, path, err)
	}
	return a
}

// Pending is a request whose answer nobody has waited for yet.
type Pending struct {
	ended chan struct{}
	// HangUp closes the connection, unless the answer has come.
	HangUp context.CancelFunc
}

// Begin sends a request and does not wait for the answer.
func (c *Client) Begin(t testing.TB, method, path string) *Pending {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req := c.request(t, ctx, method, path, nil)
	p := &Pending{ended: make(chan struct{}), HangUp: cancel}
	t.Cleanup(func() {
		p.HangUp()
		p.Wait()
	})
	go func() {
		defer close(p.ended)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	return p
}

// Wait waits for the answer, or until the connection is closed.
func (p *Pending) Wait() { <-p.ended }

func (c *Client) request(t testing.TB, ctx context.Context, method, path string, body any) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, c.node.Addr+"/v1/"+path, encode(t, body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", c.Token)
	return req
}

func encode(t testing.TB, body any) io.Reader {
	t.Helper()
	switch b := body.(type) {
	case nil:
		return nil
	case []byte:
		return bytes.NewReader(b)
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(encoded)
}

// Get reads a path.
func (c *Client) Get(t testing.TB, path string) Answer {
	t.Helper()
	return c.Do(t, http.MethodGet, path, nil)
}

// Post writes to a path.
func (c *Client) Post(t testing.TB, path string, body any) Answer {
	t.Helper()
	return c.Do(t, http.MethodPost, path, body)
}

// Delete deletes a path.
func (c *Client) Delete(t testing.TB, path string) Answer {
	t.Helper()
	return c.Do(t, http.MethodDelete, path, nil)
}

// Secret is the answer as Vault's Go client understands it; the test fails if it
// is not one.
func (a Answer) Secret(t testing.TB) *api.Secret {
	t.Helper()
	if a.Status != http.StatusOK {
		t.Fatalf("Vault answered %d: %s", a.Status, a.Body)
	}
	secret, err := api.ParseSecret(bytes.NewReader(a.Body))
	if err != nil {
		t.Fatalf("not a secret: %s\n%s", err, a.Body)
	}
	return secret
}

// Errors are the messages of an answer that is not a success.
func (a Answer) Errors() string {
	var body struct{ Errors []string }
	if err := json.Unmarshal(a.Body, &body); err != nil {
		return string(a.Body)
	}
	return strings.Join(body.Errors, "\n")
}

// API is Vault's Go client.
func (c *Client) API() (*api.Client, error) {
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, config.Error
	}
	config.Address = c.node.Addr
	client, err := api.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("make Vault's client: %w", err)
	}
	client.SetToken(c.Token)
	return client, nil
}

// Output is what a command left behind.
type Output struct {
	Stdout, Stderr string
	Code           int
}

// CLI runs the vault command.
func (c *Client) CLI(t testing.TB, args ...string) Output {
	t.Helper()
	return c.CLIWithInput(t, "", args...)
}

// CLIWithInput runs the vault command with something to read on its standard
// input.
func (c *Client) CLIWithInput(t testing.TB, stdin string, args ...string) Output {
	t.Helper()
	cmd := exec.Command(c.node.binary, args...)
	cmd.Env = append(bareEnv(t.TempDir()), "VAULT_ADDR="+c.node.Addr, "VAULT_TOKEN="+c.Token)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run vault %s: %s", strings.Join(args, " "), err)
	}
	return Output{Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}
}
