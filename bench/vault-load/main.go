// Command vault-load loads a Vault with one request, over and over, and tells how
// long that took and what it cost.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"vault-plugin-secrets-github/bench/load"
)

const usage = `vault-load asks a Vault for the same thing over and over.

  VAULT_ADDR=… VAULT_TOKEN=… vault-load -workers 16 -duration 30s github/token/ci

It is a closed loop, in which each worker asks again once it is answered, or with
-rate an open one, in which requests begin by the clock. With the ids of Vault's
and the plugin's processes, on the same machine, it tells what they used.

It ends with 0 if every request was answered with 200, with 1 if one was not, and
with 2 if it could not begin.

Flags:
`

// errRefused is that not every request got what it asked for.
var errRefused = errors.New("not every request was answered with 200")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errRefused):
		fmt.Fprintln(os.Stderr, "vault-load:", err)
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "vault-load:", err)
		os.Exit(2)
	}
}

type settings struct {
	load.Options
	format              string
	data                string
	vaultPID, pluginPID int
}

func parse(args []string) (settings, error) {
	s := settings{Options: load.Options{Address: os.Getenv("VAULT_ADDR"), Token: os.Getenv("VAULT_TOKEN")}}
	flags := flag.NewFlagSet("vault-load", flag.ContinueOnError)
	flags.StringVar(&s.Method, "method", "GET", "HTTP `method`")
	flags.StringVar(&s.data, "data", "", "body of each request, `JSON`")
	flags.IntVar(&s.Workers, "workers", 16, "how many requests are under way at most")
	flags.Float64Var(&s.Rate, "rate", 0, "begin so many requests a `second` (an open loop)")
	flags.DurationVar(&s.Duration, "duration", 0, "end after so `long`")
	flags.IntVar(&s.Requests, "requests", 0, "end after so many requests")
	flags.IntVar(&s.vaultPID, "vault-pid", 0, "process `id` of Vault")
	flags.IntVar(&s.pluginPID, "plugin-pid", 0, "process `id` of the plugin")
	flags.StringVar(&s.format, "format", "text", "text or json")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() != 1 {
		return s, errors.New("give one path, e.g. github/token/ci; -h explains")
	}
	if s.format != "text" && s.format != "json" {
		return s, fmt.Errorf("-format %q is neither text nor json", s.format)
	}
	s.Path, s.Body = flags.Arg(0), []byte(s.data)
	return s, nil
}

func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	processes := map[string]int{}
	for name, pid := range map[string]int{"vault": s.vaultPID, "plugin": s.pluginPID} {
		if pid != 0 {
			processes[name] = pid
		}
	}
	before, err := usages(processes)
	if err != nil {
		return err
	}
	s.Progress = progress(os.Stderr)
	result, err := load.Run(ctx, s.Options)
	if err != nil {
		return err
	}
	after, err := usages(processes)
	if err != nil {
		return err
	}
	r := newReport(result, before, after)
	if s.format == "json" {
		err = r.writeJSON(os.Stdout)
	} else {
		err = r.writeText(os.Stdout)
	}
	if err == nil && (result.OK() == 0 || len(result.Statuses) > 1) {
		return errRefused
	}
	return err
}

func usages(processes map[string]int) (map[string]load.Usage, error) {
	used := map[string]load.Usage{}
	for name, pid := range processes {
		u, err := load.UsageOf(pid)
		if err != nil {
			return nil, err
		}
		used[name] = u
	}
	return used, nil
}

// progress shows a line that changes, on a terminal only.
func progress(to *os.File) func(int) {
	info, err := to.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	began := time.Now()
	return func(done int) {
		if done%100 == 0 {
			fmt.Fprintf(to, "\r%d requests, %.0f a second \x1b[K", done, float64(done)/time.Since(began).Seconds())
		}
	}
}

// report is a run for programs; durations are in milliseconds.
type report struct {
	Requests   int                `json:"requests"`
	PerSecond  float64            `json:"per_second"`
	Seconds    float64            `json:"seconds"`
	Statuses   map[int]int        `json:"statuses"`
	FirstError string             `json:"first_error,omitempty"`
	Latency    map[string]float64 `json:"latency_ms"`
	Processes  map[string]process `json:"processes,omitempty"`
}

type process struct {
	CPUSeconds    float64 `json:"cpu_seconds"`
	CPUPerRequest float64 `json:"cpu_ms_per_request"`
	RSSMB         float64 `json:"rss_mb"`
}

var percentiles = []float64{50, 90, 95, 99, 100}

func newReport(r load.Result, before, after map[string]load.Usage) report {
	made := report{
		Requests: r.OK(), PerSecond: r.Rate(), Seconds: r.Elapsed.Seconds(), Statuses: r.Statuses, FirstError: r.FirstError,
		Latency: map[string]float64{}, Processes: map[string]process{},
	}
	for _, p := range percentiles {
		made.Latency[fmt.Sprintf("p%g", p)] = float64(r.Percentile(p).Microseconds()) / 1000
	}
	for name, u := range after {
		cpu := (u.CPU - before[name].CPU).Seconds()
		made.Processes[name] = process{CPUSeconds: cpu, CPUPerRequest: 1000 * cpu / float64(max(1, r.OK())), RSSMB: float64(u.RSS) / 1e6}
	}
	return made
}

func (r report) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

func (r report) writeText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "answered\t%d in %.1f s, %.1f a second\n", r.Requests, r.Seconds, r.PerSecond)
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		if status != 200 {
			fmt.Fprintf(t, "status %d\t%d\n", status, r.Statuses[status])
		}
	}
	if r.FirstError != "" {
		fmt.Fprintf(t, "first error\t%q\n", r.FirstError)
	}
	for _, p := range percentiles {
		name := fmt.Sprintf("p%g", p)
		fmt.Fprintf(t, "%s\t%.1f ms\n", name, r.Latency[name])
	}
	for _, name := range slices.Sorted(maps.Keys(r.Processes)) {
		p := r.Processes[name]
		fmt.Fprintf(t, "%s\t%.2f s CPU, %.2f ms a request, %.0f MB\n", name, p.CPUSeconds, p.CPUPerRequest, p.RSSMB)
	}
	return t.Flush()
}
