package clients

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// daemon is a command that runs until it is told to stop.
type daemon struct {
	cmd *exec.Cmd
	log *log
	// stop tells the command to stop and waits until it has.
	stop func()
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

// start runs a command beside its files, at most until the end of the test. What
// it prints must not hold a token of any kind.
func (w *world) start(command string, files map[string]string) *daemon {
	w.t.Helper()
	d := &daemon{cmd: w.command("bash", "-c", command), log: &log{}}
	for path, content := range files {
		writeFile(w.t, d.path(path), content)
	}
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	d.cmd.SysProcAttr = ownGroup()
	if err := d.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	endGroup := w.reap(d.cmd.Process.Pid)
	d.stop = sync.OnceFunc(func() {
		if err := endGroup(); err != nil {
			w.t.Errorf("%s ended by itself (%v):\n%s", command, err, d.log)
		}
		_ = d.cmd.Wait() // the shell's status says that it was told to stop
		if secret.MatchString(d.log.String()) {
			w.t.Errorf("%s printed a token", command)
		}
	})
	w.t.Cleanup(d.stop)
	return d
}

// reap ends a group of processes when it is told to, or when the tests end
// without a clean-up, as after a panic: a shell waits for either at the end of a
// pipe.
func (w *world) reap(group int) (end func() error) {
	w.t.Helper()
	reaper := exec.Command("sh", "-c", `cat; kill -- "-$0"`, strconv.Itoa(group))
	reaper.SysProcAttr = ownGroup()
	hold, err := reaper.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := reaper.Start(); err != nil {
		w.t.Fatal(err)
	}
	return func() error { return errors.Join(hold.Close(), reaper.Wait()) }
}

// ownGroup puts a command and its children in a group of processes of their own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// path is a file in the directory of the command.
func (d *daemon) path(name string) string { return filepath.Join(d.cmd.Dir, name) }
