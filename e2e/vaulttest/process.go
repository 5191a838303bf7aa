package vaulttest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// PluginProcesses returns the ids of the node's running processes of a plugin,
// by its command.
func (n *Node) PluginProcesses(command string) ([]int, error) {
	return processes(func(executable string, parent int) bool {
		return parent == n.PID() && filepath.Base(executable) == command
	})
}

// killProcessesIn ends what runs from a directory: the plugins of a Vault that
// was killed outlive it.
func killProcessesIn(dir string) error {
	pids, err := processes(func(executable string, _ int) bool { return filepath.Dir(executable) == dir })
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // an error means that it has ended
	}
	return err
}

// processes returns the ids of those running whose executable and parent match.
func processes(match func(executable string, parent int) bool) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []int
	for _, stat := range stats {
		content, err := os.ReadFile(stat)
		if err != nil {
			continue // it ended meanwhile
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", stat, err)
		}
		exe, err := os.Readlink(filepath.Join(filepath.Dir(stat), "exe"))
		if err == nil && match(exe, parent(string(content))) {
			found = append(found, pid)
		}
	}
	return found, nil
}

// parent reads the fourth field of /proc/PID/stat, the second of which is a name
// in parentheses that may hold anything.
func parent(stat string) int {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 2 {
		return 0
	}
	pid, _ := strconv.Atoi(fields[1]) // 0 is nobody's parent here
	return pid
}
