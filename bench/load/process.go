package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has used since it began.
type Usage struct {
	// CPU is user and system time together, to 10 ms.
	CPU time.Duration `json:"cpu_ns"`
	// RSS is the resident memory in bytes, PeakRSS the most since the process
	// began or since ResetPeak.
	RSS     int64 `json:"rss_bytes"`
	PeakRSS int64 `json:"peak_rss_bytes"`
}

// UsageOf reads what a process has used, from Linux' /proc.
func UsageOf(pid int) (Usage, error) {
	stat, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return Usage{}, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
	}
	status, err := os.ReadFile(procFile(pid, "status"))
	if err != nil {
		return Usage{}, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	u := Usage{RSS: statusBytes(status, "VmRSS:"), PeakRSS: statusBytes(status, "VmHWM:")}
	u.CPU, err = cpuTime(string(stat))
	return u, err
}

// ResetPeak makes PeakRSS begin anew.
func ResetPeak(pid int) error {
	if err := os.WriteFile(procFile(pid, "clear_refs"), []byte("5"), 0); err != nil {
		return fmt.Errorf("reset the peak memory of process %d: %w", pid, err)
	}
	return nil
}

func procFile(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// tick is the unit of CPU time in /proc: USER_HZ, 100 on every Linux.
const tick = 10 * time.Millisecond

// cpuTime adds fields 14 and 15 of /proc/PID/stat, the second of which is a name
// in parentheses that may hold anything. See proc_pid_stat(5).
func cpuTime(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/PID/stat has %d fields after the name", len(fields))
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read /proc/PID/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// statusBytes reads a line of /proc/PID/status like "VmRSS:  1234 kB"; 0 if
// there is none.
func statusBytes(status []byte, name string) int64 {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			kilobytes, _ := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}
