package githubsecrets

import (
	"errors"
	"testing"
)

func TestCacheKeepsUntilDropped(t *testing.T) {
	t.Parallel()
	var c cache[int]
	loads := 0
	load := func() (*int, error) { loads++; return &loads, nil }
	for range 3 {
		if _, err := c.get("a", load); err != nil {
			t.Fatal(err)
		}
	}
	if loads != 1 {
		t.Errorf("loaded %d times, want once", loads)
	}
	c.drop("a")
	if _, err := c.get("a", load); err != nil || loads != 2 {
		t.Errorf("after a drop: loaded %d times, error %v; want twice", loads, err)
	}
}

func TestCacheForgetsWhatAWriteOvertook(t *testing.T) {
	t.Parallel()
	var c cache[string]
	old, renewed := "old", "new"
	_, _ = c.get("a", func() (*string, error) {
		c.drop("a") // a write, while the old entry is being loaded
		return &old, nil
	})
	got, err := c.get("a", func() (*string, error) { return &renewed, nil })
	if err != nil || *got != renewed {
		t.Errorf("got %q, %v; want %q: the old entry was kept after the write", *got, err, renewed)
	}
}

func TestCacheKeepsNeitherErrorsNorAbsence(t *testing.T) {
	t.Parallel()
	var c cache[string]
	value := "there"
	failure := errors.New("storage is down")
	if _, err := c.get("a", func() (*string, error) { return nil, failure }); !errors.Is(err, failure) {
		t.Fatalf("got %v, want the load's error", err)
	}
	if got, err := c.get("a", func() (*string, error) { return nil, nil }); got != nil || err != nil {
		t.Fatalf("got %v, %v; want nothing", got, err)
	}
	if len(c.entries) != 0 {
		t.Error("what is not there was kept; names that callers invent would fill the memory")
	}
	if got, err := c.get("a", func() (*string, error) { return &value, nil }); err != nil || *got != value {
		t.Errorf("got %v, %v; want %q", got, err, value)
	}
}

func TestCacheGivesAllWhoLoadAtOnceTheSameEntry(t *testing.T) {
	t.Parallel()
	var c cache[string]
	first, second := "first", "second"
	got, err := c.get("a", func() (*string, error) {
		if _, err := c.get("a", func() (*string, error) { return &first, nil }); err != nil {
			t.Fatal(err)
		}
		return &second, nil
	})
	if err != nil || got != &first {
		t.Errorf("got %q, %v; want the entry that is kept", *got, err)
	}
}
