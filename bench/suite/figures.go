package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"vault-plugin-secrets-github/bench/load"
	"vault-plugin-secrets-github/internal/githubtest"
)

// figure is one line of the results.
type figure struct {
	name   string
	value  float64
	format string // of the value
	// limit is what the value may at most be, or at least if atLeast.
	limit   float64
	atLeast bool
	// raw is what the value was computed from, in words.
	raw string
}

func (f figure) met() bool {
	if f.atLeast {
		return f.value >= f.limit
	}
	return f.value <= f.limit
}

func (f figure) verdict() string {
	if f.met() {
		return "met"
	}
	return "**MISSED**"
}

func (f figure) target() string {
	if f.atLeast {
		return "at least " + fmt.Sprintf(f.format, f.limit)
	}
	return "at most " + fmt.Sprintf(f.format, f.limit)
}

func (f figure) String() string {
	return fmt.Sprintf("%s: "+f.format+" (%s): %s", f.name, f.value, f.target(), f.verdict())
}

// measurement is figures that are measured together.
type measurement struct {
	name    string
	measure func(context.Context, *world, size) ([]figure, error)
}

var measurements = []measurement{
	{"the cost of a token", measureCost},
	{"the cost of a token with an ID token", measurePresented},
	{"latency beside GitHub's own", measureLatency},
	{"an answer with 500 repositories", measureLarge},
	{"revocation by prefix", measureRevocation},
	{"memory over many tokens", measureMemory},
}

// sample is one round of requests to one target.
type sample struct {
	load.Result
	vault, plugin time.Duration // CPU time, for all of them
}

func (s sample) perToken(cpu time.Duration) float64 {
	return float64(cpu.Microseconds()) / float64(s.OK())
}

// sampleOf loads a target and takes the CPU time of both processes, until the last
// answer.
func (w *world) sampleOf(ctx context.Context, t target, o load.Options) (sample, error) {
	before, err := w.cpu(t)
	if err != nil {
		return sample{}, err
	}
	result, err := w.load(ctx, t, o)
	if err != nil {
		return sample{}, err
	}
	after, err := w.cpu(t)
	return sample{Result: result, vault: after[0] - before[0], plugin: after[1] - before[1]}, err
}

func (w *world) cpu(t target) (used [2]time.Duration, err error) {
	for i, pid := range []int{w.vaultPID, w.pid(t)} {
		u, err := load.UsageOf(pid)
		if err != nil {
			return used, err
		}
		used[i] = u.CPU
	}
	return used, nil
}

// compare takes samples of a target and of the null plugin by turns, so that what
// else the machine does falls on both, and ends their leases in between.
func (w *world) compare(ctx context.Context, t target, rounds int, o load.Options) (ours, null []sample, err error) {
	for range rounds {
		for _, side := range []struct {
			target  target
			samples *[]sample
		}{{nullTarget, &null}, {t, &ours}} {
			s, err := w.sampleOf(ctx, side.target, o)
			if err != nil {
				return nil, nil, err
			}
			*side.samples = append(*side.samples, s)
			if _, err := w.revoke(ctx, side.target); err != nil {
				return nil, nil, err
			}
		}
	}
	return ours, null, nil
}

// ratio is the median of the rounds' ratios, with what it was made of.
func ratio(ours, null []sample, unit string, of func(sample) float64) (float64, string) {
	var ratios, mine, floor []float64
	for i := range ours {
		mine, floor = append(mine, of(ours[i])), append(floor, of(null[i]))
		ratios = append(ratios, of(ours[i])/of(null[i]))
	}
	return median(ratios), fmt.Sprintf("ours %.0f %s, null %.0f %s; ratio %.2f to %.2f in %d rounds",
		median(mine), unit, median(floor), unit, slices.Min(ratios), slices.Max(ratios), len(ratios))
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

const closedWorkers = 16

func measureCost(ctx context.Context, w *world, n size) ([]figure, error) {
	o := load.Options{Workers: closedWorkers, Requests: n.requests}
	if _, _, err := w.compare(ctx, boundTarget, 1, o); err != nil { // warm
		return nil, err
	}
	storage, err := w.storageOperations(ctx, o)
	if err != nil {
		return nil, err
	}
	before, err := w.github.counts(ctx)
	if err != nil {
		return nil, err
	}
	ours, null, err := w.compare(ctx, boundTarget, n.rounds, o)
	if err != nil {
		return nil, err
	}
	after, err := w.github.counts(ctx)
	if err != nil {
		return nil, err
	}
	plugin, pluginRaw := ratio(ours, null, "µs", func(s sample) float64 { return s.perToken(s.plugin) })
	vault, vaultRaw := ratio(ours, null, "µs", func(s sample) float64 { return s.perToken(s.vault) })
	rate, rateRaw := ratio(ours, null, "tokens/s", sample.rate)
	calls := float64(after.Requests-before.Requests) / float64(after.Minted-before.Minted)
	return []figure{
		{name: "plugin CPU per token, against null", value: plugin, format: "%.2f ×", limit: 3, raw: pluginRaw},
		{name: "Vault CPU per token, against null", value: vault, format: "%.2f ×", limit: 1.3, raw: vaultRaw},
		{name: "tokens per second, against null", value: rate, format: "%.2f ×", limit: 0.65, atLeast: true, raw: rateRaw},
		{name: "GitHub calls per token, warm", value: calls, format: "%.2f", limit: 1,
			raw: fmt.Sprintf("%d calls for %d tokens", after.Requests-before.Requests, after.Minted-before.Minted)},
		storage,
	}, nil
}

func (s sample) rate() float64 { return s.Rate() }

// storageOperations is how many operations of Vault's storage a token takes more
// than the null plugin's, of which Vault makes some for every lease.
func (w *world) storageOperations(ctx context.Context, o load.Options) (figure, error) {
	var each [2]float64
	for i, t := range []target{boundTarget, nullTarget} {
		before, err := w.barrierOperations(ctx)
		if err != nil {
			return figure{}, err
		}
		if _, err := w.load(ctx, t, o); err != nil {
			return figure{}, err
		}
		after, err := w.barrierOperations(ctx)
		if err != nil {
			return figure{}, err
		}
		each[i] = (after - before) / float64(o.Requests)
		if _, err := w.revoke(ctx, t); err != nil {
			return figure{}, err
		}
	}
	// Vault's own background work makes a few operations meanwhile.
	return figure{name: "storage operations by the plugin per token, warm", value: max(0, each[0]-each[1]), format: "%.1f", limit: 0.04,
		raw: fmt.Sprintf("Vault's barrier: ours %.3f, null %.3f a token", each[0], each[1])}, nil
}

func measurePresented(ctx context.Context, w *world, n size) ([]figure, error) {
	ours, null, err := w.compare(ctx, presentTarget, n.rounds, load.Options{Workers: closedWorkers, Requests: n.requests})
	if err != nil {
		return nil, err
	}
	plugin, raw := ratio(ours, null, "µs", func(s sample) float64 { return s.perToken(s.plugin) })
	return []figure{{name: "plugin CPU per token with an ID token presented and verified, against null", value: plugin, format: "%.2f ×", limit: 5, raw: raw}}, nil
}

const (
	githubLatency  = 50 * time.Millisecond
	latencyWorkers = 32
	// pacedRate is a sixth of what two cores can do: what is added at it is the
	// engine's work, not a queue for the machine.
	pacedRate = 100
)

func measureLatency(ctx context.Context, w *world, n size) ([]figure, error) {
	if err := w.github.setLatency(ctx, githubtest.MintToken, githubLatency); err != nil {
		return nil, err
	}
	ours, null, err := w.compare(ctx, boundTarget, 3, load.Options{Workers: latencyWorkers, Requests: n.slow / 3})
	if err != nil {
		return nil, err
	}
	paced, pacedNull, err := w.compare(ctx, boundTarget, 3, load.Options{Workers: latencyWorkers, Requests: n.slow / 3, Rate: pacedRate})
	if err != nil {
		return nil, err
	}
	if err := w.github.setLatency(ctx, githubtest.MintToken, 0); err != nil {
		return nil, err
	}
	waiting, _, err := w.compare(ctx, waitTarget, 3, load.Options{Workers: latencyWorkers, Requests: n.slow / 3})
	if err != nil {
		return nil, err
	}
	added := func(samples []sample) float64 {
		return milliseconds(samples, 50) - float64(githubLatency.Milliseconds())
	}
	return []figure{
		{
			name: "latency added to GitHub's 50 ms, 32 workers, median", format: "%.1f ms", limit: 6, value: added(ours),
			raw: fmt.Sprintf("ours p50 %.1f ms, p95 %.1f ms, p99 %.1f ms; null p50 %.1f ms, and %.1f ms if it waits 50 ms, too",
				milliseconds(ours, 50), milliseconds(ours, 95), milliseconds(ours, 99), milliseconds(null, 50), milliseconds(waiting, 50)),
		},
		{
			name: "the same at 100 tokens a second, against null", format: "%.1f ms", limit: 6, value: added(paced) - milliseconds(pacedNull, 50),
			raw: fmt.Sprintf("ours p50 %.1f ms, p95 %.1f ms, p99 %.1f ms; null, which waits for nothing, p50 %.1f ms",
				milliseconds(paced, 50), milliseconds(paced, 95), milliseconds(paced, 99), milliseconds(pacedNull, 50)),
		},
	}, nil
}

// milliseconds is the median of the rounds' percentile.
func milliseconds(samples []sample, percentile float64) float64 {
	var each []float64
	for _, s := range samples {
		each = append(each, float64(s.Percentile(percentile).Microseconds())/1000)
	}
	return median(each)
}

func measureLarge(ctx context.Context, w *world, n size) ([]figure, error) {
	if _, err := w.load(ctx, largeTarget, load.Options{Workers: 1, Requests: 5}); err != nil { // warm
		return nil, err
	}
	all, err := w.sampleOf(ctx, largeTarget, load.Options{Workers: 1, Requests: n.large})
	if err != nil {
		return nil, err
	}
	var extra []float64
	for range n.fresh {
		more, err := w.extraMemory(ctx)
		if err != nil {
			return nil, err
		}
		extra = append(extra, more)
	}
	if _, err := w.revoke(ctx, largeTarget); err != nil {
		return nil, err
	}
	return []figure{
		{name: "500-repository answer: plugin CPU per request", value: all.perToken(all.plugin) / 1000, format: "%.1f ms", limit: 8,
			raw: fmt.Sprintf("%d requests, one at a time", n.large)},
		{name: "500-repository answer: peak extra memory per request", value: slices.Max(extra), format: "%.1f MB", limit: 6,
			raw: fmt.Sprintf("most of %d fresh processes' first such request: peak resident memory less that before; median %.1f MB", len(extra), median(extra))},
	}, nil
}

// extraMemory is by how many MB the first answer with 500 repositories makes the
// engine's process grow. The process is a fresh one, warm with small answers: a
// heap that once held a large one keeps room for the next, which would count as
// nothing.
func (w *world) extraMemory(ctx context.Context) (float64, error) {
	if err := w.restartEngine(ctx); err != nil {
		return 0, err
	}
	if _, err := w.load(ctx, boundTarget, load.Options{Workers: 1, Requests: 20}); err != nil {
		return 0, err
	}
	if err := load.ResetPeak(w.enginePID); err != nil {
		return 0, err
	}
	before, err := load.UsageOf(w.enginePID)
	if err != nil {
		return 0, err
	}
	if _, err := w.load(ctx, largeTarget, load.Options{Workers: 1, Requests: 1}); err != nil {
		return 0, err
	}
	after, err := load.UsageOf(w.enginePID)
	return float64(after.PeakRSS-before.RSS) / 1e6, err
}

func measureRevocation(ctx context.Context, w *world, n size) ([]figure, error) {
	o := load.Options{Workers: closedWorkers, Requests: n.liveLease}
	took := map[target]time.Duration{}
	for _, t := range []target{nullTarget, boundTarget} {
		if _, err := w.load(ctx, t, o); err != nil {
			return nil, err
		}
		if t == boundTarget {
			if err := w.github.setLatency(ctx, githubtest.RevokeToken, githubLatency); err != nil {
				return nil, err
			}
		}
		var err error
		if took[t], err = w.revoke(ctx, t); err != nil {
			return nil, err
		}
	}
	if err := w.github.setLatency(ctx, githubtest.RevokeToken, 0); err != nil {
		return nil, err
	}
	left, err := w.github.counts(ctx)
	if err != nil {
		return nil, err
	}
	if left.Live != 0 {
		return nil, fmt.Errorf("%d tokens are live at GitHub after every lease was revoked", left.Live)
	}
	own := time.Duration(n.liveLease) * githubLatency / githubConcurrency
	return []figure{{
		name:  fmt.Sprintf("%d leases revoked by prefix, less GitHub's own time, against null", n.liveLease),
		value: (took[boundTarget] - own).Seconds() / took[nullTarget].Seconds(), format: "%.2f ×", limit: 1.5,
		raw: fmt.Sprintf("ours %.1f s, of which GitHub's own at %d concurrent %.1f s; null %.1f s",
			took[boundTarget].Seconds(), githubConcurrency, own.Seconds(), took[nullTarget].Seconds()),
	}}, nil
}

// githubConcurrency is the App's max_concurrent_requests.
const githubConcurrency = 50

// measureMemory makes many tokens in a fresh process, of which so many are live at
// once.
func measureMemory(ctx context.Context, w *world, n size) ([]figure, error) {
	if err := w.restartEngine(ctx); err != nil {
		return nil, err
	}
	var resident []float64
	for made := 0; made < n.tokens; made += n.liveLease {
		if made > 0 {
			if _, err := w.revoke(ctx, boundTarget); err != nil {
				return nil, err
			}
		}
		if _, err := w.load(ctx, boundTarget, load.Options{Workers: closedWorkers, Requests: n.liveLease}); err != nil {
			return nil, err
		}
		u, err := load.UsageOf(w.enginePID)
		if err != nil {
			return nil, err
		}
		resident = append(resident, float64(u.RSS)/1e6)
	}
	if _, err := w.revoke(ctx, boundTarget); err != nil {
		return nil, err
	}
	first, last := resident[0], resident[len(resident)-1]
	return []figure{{
		name:  fmt.Sprintf("plugin memory after %d tokens, against after %d, %d leases live", n.tokens, n.liveLease, n.liveLease),
		value: last / first, format: "%.2f ×", limit: 1.1,
		raw: fmt.Sprintf("resident after each %d tokens: %.0f MB", n.liveLease, resident),
	}}, nil
}
