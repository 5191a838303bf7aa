package vaulttest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// workspace is a temporary directory that goes away with the processes that use
// it, however they end: a panic in a test skips every deferred call.
//
// Each process of Vault's inherits the write end of a pipe; the reaper, a shell,
// reads the other end. When the last holder is gone it removes the directory.
type workspace struct {
	dir    string
	hold   *os.File
	reaper *exec.Cmd
}

func newWorkspace() (*workspace, error) {
	dir, err := os.MkdirTemp("", "vault-e2e-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for Vault: %w", err)
	}
	read, hold, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the reaper's pipe: %w", err), os.RemoveAll(dir))
	}
	defer read.Close()
	reaper := exec.Command("sh", "-c", `cat; rm -rf -- "$0"`, dir)
	reaper.Stdin = read
	// Control-C reaches the whole process group; the reaper is to outlive it.
	reaper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := reaper.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the reaper: %w", err), hold.Close(), os.RemoveAll(dir))
	}
	return &workspace{dir: dir, hold: hold, reaper: reaper}, nil
}

// close lets go of the directory and waits until it is gone. It fails if a
// process that was started in it does not end.
func (w *workspace) close() error {
	if err := w.hold.Close(); err != nil {
		return fmt.Errorf("let go of %s: %w", w.dir, err)
	}
	gone := make(chan error, 1)
	go func() { gone <- w.reaper.Wait() }()
	select {
	case err := <-gone:
		return err
	case <-time.After(stopTimeout):
		return fmt.Errorf("a process that uses %s is still running", w.dir)
	}
}
