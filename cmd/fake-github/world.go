package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"vault-plugin-secrets-github/internal/githubtest"
)

// connection is what a client needs to know of the fake GitHub.
type connection struct {
	APIURL         string `json:"api_url"`
	URL            string `json:"url"`
	AppID          int64  `json:"app_id"`
	ClientID       string `json:"client_id"`
	PrivateKeyFile string `json:"private_key_file"`
	Organization   string `json:"organization"`
	InstallationID int64  `json:"installation_id"`
	PID            int    `json:"pid"`

	privateKey string
}

// seed makes the world that usage tells of.
func seed(server *githubtest.Server) connection {
	app := server.AddApp("ci-broker", map[string]string{
		"contents": "write", "issues": "write", "pull_requests": "write", "metadata": "read",
	})
	server.AddOrganization("acme")
	for _, name := range []string{"api", "web", "secret-plans"} {
		server.AddRepository("acme", name, readme(name))
	}
	server.AddUser("octocat")
	server.AddRepository("octocat", "hello", readme("hello"))

	installation := server.Install(app, "acme", githubtest.InstallOptions{})
	server.Install(app, "octocat", githubtest.InstallOptions{})
	return connection{
		APIURL:         server.APIURL,
		URL:            server.URL,
		AppID:          app.ID,
		ClientID:       app.ClientID,
		Organization:   installation.Account,
		InstallationID: installation.ID,
		PID:            os.Getpid(),
		privateKey:     app.PrivateKeyPEM(),
	}
}

func readme(name string) map[string]string {
	return map[string]string{"README.md": "# " + name + "\n\nA repository of the fake GitHub.\n"}
}

// write puts the key and then, in one step, the addresses into the directory:
// whoever sees the addresses may use them.
func (c connection) write(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find the directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the directory: %w", err)
	}
	c.PrivateKeyFile = filepath.Join(dir, "app.private-key.pem")
	if err := os.WriteFile(c.PrivateKeyFile, []byte(c.privateKey), 0o600); err != nil {
		return fmt.Errorf("write the App's private key: %w", err)
	}
	content, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the addresses: %w", err)
	}
	file := filepath.Join(dir, "fake-github.json")
	if err := os.WriteFile(file+".part", append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the addresses: %w", err)
	}
	return os.Rename(file+".part", file)
}
