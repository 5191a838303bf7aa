package main

import (
	"testing"
	"time"
)

func TestProgressTellsHowFarAndHowFast(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		done, total int64
		want        string
	}{
		"half":                {500e6, 1000e6, "███████████████░░░░░░░░░░░░░░░  50 %  500 MB of 1000 MB  250 MB/s  2s left"},
		"large":               {5e9, 20e9, "███████░░░░░░░░░░░░░░░░░░░░░░░  25 %  5000 MB of 20.0 GB  2500 MB/s  6s left"},
		"of unknown size":     {500e6, 0, "500 MB read, 250 MB/s"},
		"more than there was": {500e6, 400e6, "500 MB read, 250 MB/s"},
		"all that there is":   {400e6, 400e6, "██████████████████████████████ 100 %  400 MB of 400 MB  200 MB/s  0s left"},
	} {
		if got := progressLine(test.done, test.total, 2*time.Second); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestTimesOfTheCommandLine(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 2, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                     {},
		"24h":                  now.Add(-24 * time.Hour),
		"2026-06-01":           time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
		"2026-06-01T08:00:00Z": time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC),
		"2026-06-01T08:00:00":  time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC),
	} {
		if got, err := parseTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "-3h", "2026-13-01", "0s"} {
		if got, err := parseTime(text, now); err == nil {
			t.Errorf("%s is taken for %s", text, got)
		}
	}
}

func TestACellOfAJobsIsNoFormula(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"": "", "acme/api": "acme/api", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx",
	} {
		if got := inertCell(cell); got != want {
			t.Errorf("%q becomes %q, want %q", cell, got, want)
		}
	}
}
