package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"vault-plugin-secrets-github/internal/jobtoken"
)

func TestADirectoryThatIsNotTheUsersAloneIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open, file, link := filepath.Join(dir, "open"), filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(open, link); err != nil {
		t.Fatal(err)
	}
	if _, err := openCache(open); err != nil {
		t.Fatalf("a directory that is: %v", err)
	}
	if err := os.Chmod(open, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		open: "is open to other users",
		link: "is not a directory",
		file: "not a directory",
	} {
		if _, err := openCache(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", filepath.Base(path), err, want)
		}
	}
}

func TestWhatIsKeptIsReadBackAndPrivate(t *testing.T) {
	t.Parallel()
	c, err := openCache(filepath.Join(t.TempDir(), "new"))
	if err != nil {
		t.Fatal(err)
	}
	file := c.file("a\x00b")
	if file == c.file("a\x00c") {
		t.Error("two keys have one file")
	}
	if found, err := c.load(file); found != nil || err != nil {
		t.Errorf("before: %v, %v", found, err)
	}
	saved := jobtoken.Saved{Token: "t", Ends: time.Unix(1700000000, 0).UTC(), Lasts: time.Minute, LeaseID: "l", VaultToken: "v"}
	if err := c.save(file, saved); err != nil {
		t.Fatal(err)
	}
	found, err := c.load(file)
	if diff := cmp.Diff(&saved, found); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want mode 0600", info.Mode(), err)
	}
	files, err := c.all()
	if diff := cmp.Diff([]string{file}, files); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}
