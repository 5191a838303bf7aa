package vaulttest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/vault/api"
)

// Server is a Vault of a single node: initialized, unsealed, with a file audit
// device.
type Server struct {
	*Node

	// AuditFile is where the audit device writes.
	AuditFile string
	// RootToken may do everything.
	RootToken string

	workspace *workspace
	unsealKey string
}

// StartServer runs the vault binary. Close ends it.
func StartServer(ctx context.Context, binary string) (_ *Server, err error) {
	w, err := newWorkspace()
	if err != nil {
		return nil, err
	}
	s := &Server{workspace: w, AuditFile: filepath.Join(w.dir, "audit.log")}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := os.Mkdir(s.pluginDir(), 0o700); err != nil {
		return nil, fmt.Errorf("make the plugin directory: %w", err)
	}
	if s.Node, err = newNode(w, binary, "n1"); err != nil {
		return nil, err
	}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	if err := s.initialize(ctx); err != nil {
		return nil, err
	}
	return s, s.enableAudit(ctx)
}

// Close ends Vault and removes everything that it wrote.
func (s *Server) Close() error {
	var stopped error
	if s.Node != nil && s.cmd != nil && s.cmd.Process != nil {
		stopped = s.Stop()
	}
	return errors.Join(stopped, s.workspace.close())
}

func (s *Server) initialize(ctx context.Context) error {
	client, err := s.Client("").API()
	if err != nil {
		return err
	}
	keys, err := client.Sys().InitWithContext(ctx, &api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		return fmt.Errorf("initialize Vault: %w", err)
	}
	s.RootToken, s.unsealKey = keys.RootToken, keys.KeysB64[0]
	if err := s.Unseal(ctx, s.unsealKey); err != nil {
		return err
	}
	return s.AwaitActive(ctx)
}

// Unseal unseals the node.
func (n *Node) Unseal(ctx context.Context, key string) error {
	client, err := n.Client("").API()
	if err != nil {
		return err
	}
	if _, err := client.Sys().UnsealWithContext(ctx, key); err != nil {
		return fmt.Errorf("unseal Vault: %w", err)
	}
	return nil
}

// AwaitActive waits until the node is the one that serves requests.
func (n *Node) AwaitActive(ctx context.Context) error {
	client, err := n.Client("").API()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return poll(ctx, func() error {
		health, err := client.Sys().HealthWithContext(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("ask for Vault's health: %w", err)
		case health.Sealed || health.Standby:
			return fmt.Errorf("not the active node: %+v", health)
		}
		return nil
	})
}

func (s *Server) enableAudit(ctx context.Context) error {
	client, err := s.Root().API()
	if err != nil {
		return err
	}
	err = client.Sys().EnableAuditWithOptionsWithContext(ctx, "file", &api.EnableAuditOptions{
		Type: "file", Options: map[string]string{"file_path": s.AuditFile},
	})
	if err != nil {
		return fmt.Errorf("enable the audit device: %w", err)
	}
	return nil
}

func (s *Server) pluginDir() string { return filepath.Join(s.workspace.dir, "plugins") }

// Plugin is a secrets engine's binary where Vault runs it from.
type Plugin struct {
	// Command is its name below Vault's plugin directory.
	Command string
	SHA256  string
}

// InstallPlugin copies a binary into Vault's plugin directory as command.
func (s *Server) InstallPlugin(binary, command string) (Plugin, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return Plugin{}, fmt.Errorf("read the plugin: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.pluginDir(), command), content, 0o700); err != nil {
		return Plugin{}, fmt.Errorf("install the plugin: %w", err)
	}
	sum := sha256.Sum256(content)
	return Plugin{Command: command, SHA256: hex.EncodeToString(sum[:])}, nil
}

// RegisterPlugin enters the plugin into Vault's catalog under a name; version
// may be empty.
func (s *Server) RegisterPlugin(ctx context.Context, p Plugin, name, version string) error {
	client, err := s.Root().API()
	if err != nil {
		return err
	}
	return client.Sys().RegisterPluginWithContext(ctx, &api.RegisterPluginInput{
		Name: name, Type: api.PluginTypeSecrets, Command: p.Command, SHA256: p.SHA256, Version: version,
	})
}
