package clients

import (
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// daemon is a command that runs until the end of the test.
type daemon struct {
	t   *testing.T
	cmd *exec.Cmd
	log *log
}

// log is what a command prints while it runs.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs a command beside its files until the end of the test. What it
// prints must not hold a token of any kind.
func (w *world) start(command string, files map[string]string) *daemon {
	w.t.Helper()
	d := &daemon{t: w.t, cmd: w.command("bash", "-c", command), log: &log{}}
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // to end the shell with what it runs
	for path, content := range files {
		writeFile(w.t, d.path(path), content)
	}
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	if err := d.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := syscall.Kill(-d.cmd.Process.Pid, syscall.SIGTERM); err != nil {
			d.t.Errorf("%s ended by itself (%v):\n%s", command, err, d.log)
		}
		_ = d.cmd.Wait() // the shell's status says that it was told to stop
		if secret.MatchString(d.log.String()) {
			d.t.Errorf("%s printed a token", command)
		}
	})
	return d
}

// path is a file in the directory of the command.
func (d *daemon) path(name string) string { return filepath.Join(d.cmd.Dir, name) }
