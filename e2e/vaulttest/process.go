package vaulttest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// PluginProcesses returns the ids of the node's running processes of a plugin,
// by its command.
func (n *Node) PluginProcesses(command string) ([]int, error) {
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
		if err == nil && parent(string(content)) == n.PID() && filepath.Base(exe) == command {
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
