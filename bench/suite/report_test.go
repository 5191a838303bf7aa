package main

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-github/bench/load"
)

func TestAMissedTargetIsSaidToBe(t *testing.T) {
	t.Parallel()
	r := results{figures: []figure{
		{name: "low", value: 2, format: "%.1f ×", limit: 3, raw: "x"},
		{name: "high", value: 4, format: "%.1f ×", limit: 3, raw: "x"},
		{name: "fast", value: 4, format: "%.1f /s", limit: 3, atLeast: true, raw: "x"},
		{name: "slow", value: 2, format: "%.1f /s", limit: 3, atLeast: true, raw: "x"},
	}}
	got := r.markdown()
	for _, line := range []string{
		"| low | at most 3.0 × | 2.0 × | met |",
		"| high | at most 3.0 × | 4.0 × | **MISSED** |",
		"| fast | at least 3.0 /s | 4.0 /s | met |",
		"| slow | at least 3.0 /s | 2.0 /s | **MISSED** |",
		"2 of 4 met.",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("there is no %q in\n%s", line, got)
		}
	}
}

func TestARatioIsTheMedianOfTheRounds(t *testing.T) {
	t.Parallel()
	round := func(cpu time.Duration) sample {
		return sample{Result: load.Result{Statuses: map[int]int{200: 10}}, plugin: cpu}
	}
	ours := []sample{round(20 * time.Millisecond), round(30 * time.Millisecond), round(900 * time.Millisecond)}
	null := []sample{round(10 * time.Millisecond), round(10 * time.Millisecond), round(10 * time.Millisecond)}
	got, raw := ratio(ours, null, "µs", func(s sample) float64 { return s.perToken(s.plugin) })
	if got != 3 || !strings.Contains(raw, "ratio 2.00 to 90.00 in 3 rounds") {
		t.Errorf("%g, %s", got, raw)
	}
}

func TestVaultsMetricsAreRead(t *testing.T) {
	t.Parallel()
	text := "# TYPE vault_barrier_get summary\nvault_barrier_get{quantile=\"0.5\"} 3\nvault_barrier_get_sum 9\nvault_barrier_get_count 17\nvault_barrier_put_count 4\n"
	found := barrierCounts.FindAllStringSubmatch(text, -1)
	if len(found) != 2 || found[0][1] != "17" || found[1][1] != "4" {
		t.Errorf("%q", found)
	}
}
