package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// socketVariable tells the credential helper where the exec that it runs below
// listens.
const socketVariable = "VAULT_GITHUB_SOCKET"

// credentialSocket is where the commands of an exec get tokens: a socket in a
// directory that only their user can enter. No token is on disk.
//
// A connection carries one operation of git's credential-helper protocol: its
// name in a line, then what git wrote to the helper. The answer is what the
// helper writes to git.
type credentialSocket struct {
	dir      string
	listener net.Listener
	serving  sync.WaitGroup
}

// path is what socketVariable holds.
func (s *credentialSocket) path() string { return s.listener.Addr().String() }

func listen() (*credentialSocket, error) {
	dir, err := os.MkdirTemp("", "vault-github-") // 0700
	if err != nil {
		return nil, fmt.Errorf("make a directory for the credential socket: %w", err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on the credential socket: %w", err), os.RemoveAll(dir))
	}
	return &credentialSocket{dir: dir, listener: listener}, nil
}

// serve answers until the socket is closed. Failures are told to whoever runs
// the exec.
func (s *credentialSocket) serve(ctx context.Context, server *url.URL, store credentialStore, failed func(error)) {
	s.serving.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return // closed
			}
			s.serving.Go(func() {
				defer conn.Close()
				if err := answerConnection(ctx, conn, server, store); err != nil {
					failed(err)
				}
			})
		}
	})
}

func answerConnection(ctx context.Context, conn net.Conn, server *url.URL, store credentialStore) error {
	hangUp := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer hangUp()
	in := bufio.NewReader(conn)
	operation, err := in.ReadString('\n')
	if err != nil {
		return nil // who connected has left without a word
	}
	return answerGit(ctx, server, store, strings.TrimSuffix(operation, "\n"), in, conn)
}

// close ends every connection, once the context of serve has ended.
func (s *credentialSocket) close() error {
	err := s.listener.Close()
	s.serving.Wait()
	return errors.Join(err, os.RemoveAll(s.dir))
}

// forwardToSocket is the credential helper below an exec.
func forwardToSocket(ctx context.Context, path, operation string, in io.Reader, out io.Writer) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("%s: the vault-github exec that this runs below does not answer: %w", socketVariable, err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, operation+"\n"); err != nil {
		return fmt.Errorf("ask the vault-github exec: %w", err)
	}
	if _, err := io.Copy(conn, in); err != nil {
		return fmt.Errorf("ask the vault-github exec: %w", err)
	}
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		return fmt.Errorf("ask the vault-github exec: %w", err)
	}
	if _, err := io.Copy(out, conn); err != nil {
		return fmt.Errorf("read the answer of the vault-github exec: %w", err)
	}
	return nil
}
