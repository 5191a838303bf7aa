package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-github/internal/githubtest"
)

// github is a fake GitHub in a process of its own, so that what it costs is not
// taken for Vault's or the engine's.
type github struct {
	githubInfo
	process *exec.Cmd
}

// githubInfo is what the process says of itself once it listens.
type githubInfo struct {
	APIURL       string `json:"api_url"`
	URL          string `json:"url"`
	ClientID     string `json:"client_id"`
	PrivateKey   string `json:"private_key"`
	RepositoryID int64  `json:"repository_id"`
}

// mostRepositories is how many one token can be for.
const mostRepositories = 500

// serveGitHub is the process: acme has one repository, big has 500.
func serveGitHub(ctx context.Context) error {
	asked := new(atomic.Int64) // but for revocations
	server, err := githubtest.Start(githubtest.WithoutValidation(), githubtest.WithRequestLog(func(method, path string, _ int) {
		if method != http.MethodDelete && !strings.HasPrefix(path, "/_bench/") {
			asked.Add(1)
		}
	}))
	if err != nil {
		return err
	}
	defer server.Close()
	permissions := map[string]string{"contents": "write", "metadata": "read"}
	app := server.AddApp("ci-broker", permissions)
	server.AddOrganization("acme")
	server.AddOrganization("big")
	api := server.AddRepository("acme", "api", nil)
	for i := range mostRepositories {
		server.AddRepository("big", fmt.Sprintf("repository-%03d", i), nil)
	}
	for _, organization := range []string{"acme", "big"} {
		server.Install(app, organization, githubtest.InstallOptions{RepositorySelection: "all", Permissions: permissions})
	}
	serveControl(server, asked)
	err = json.NewEncoder(os.Stdout).Encode(githubInfo{
		APIURL: server.APIURL, URL: server.URL, ClientID: app.ClientID, PrivateKey: app.PrivateKeyPEM(), RepositoryID: api.ID,
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// counts is what the fake has been asked; Requests are all but revocations, and
// but the suite's own.
type counts struct {
	Minted   int `json:"minted"`
	Live     int `json:"live"`
	Requests int `json:"requests"`
}

// serveControl serves the suite: what was asked, and how long it takes to answer.
func serveControl(server *githubtest.Server, asked *atomic.Int64) {
	var mu sync.Mutex
	fast := func() {}
	server.Handle("GET /_bench/counts", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c := counts{Minted: server.Minted(), Live: len(server.LiveTokens()), Requests: int(asked.Load())}
		_ = json.NewEncoder(w).Encode(c) // an error means that the suite has ended
	}))
	server.Handle("PUT /_bench/latency", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		latency, err := time.ParseDuration(r.URL.Query().Get("of"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		fast()
		fast = server.Inject(githubtest.Fault{Match: r.URL.Query().Get("on"), Latency: latency})
	}))
}

// startGitHub runs this program as the fake GitHub.
func startGitHub() (*github, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	g := &github{process: exec.Command(self, "-serve-github")} //#nosec G204 -- itself
	g.process.Stderr = os.Stderr
	output, err := g.process.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("read from the fake GitHub: %w", err)
	}
	if err := g.process.Start(); err != nil {
		return nil, fmt.Errorf("start the fake GitHub: %w", err)
	}
	if err := json.NewDecoder(bufio.NewReader(output)).Decode(&g.githubInfo); err != nil {
		return nil, fmt.Errorf("the fake GitHub does not say where it listens: %w", err)
	}
	return g, nil
}

func (g *github) close() error {
	// A Control-C has reached it, too.
	if err := g.process.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end the fake GitHub: %w", err)
	}
	return g.process.Wait()
}

// counts asks the fake what it has been asked.
func (g *github) counts(ctx context.Context) (c counts, err error) {
	resp, err := g.do(ctx, http.MethodGet, "/_bench/counts")
	if err != nil {
		return c, err
	}
	defer resp.Body.Close()
	return c, json.NewDecoder(resp.Body).Decode(&c)
}

// setLatency makes the fake wait before it answers requests to an endpoint, named
// as for githubtest's Server.Requests.
func (g *github) setLatency(ctx context.Context, endpoint string, latency time.Duration) error {
	resp, err := g.do(ctx, http.MethodPut, "/_bench/latency?of="+latency.String()+"&on="+urlEscape(endpoint))
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (g *github) do(ctx context.Context, method, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, g.URL+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the fake GitHub: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close() // its status says enough
		return nil, fmt.Errorf("the fake GitHub answered %s", resp.Status)
	}
	return resp, nil
}
