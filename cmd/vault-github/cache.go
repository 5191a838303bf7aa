package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"vault-plugin-secrets-github/internal/jobtoken"
)

// cache is a directory that holds a job's tokens between calls of the
// credential helper, each in a file. Whoever can read the files can use the
// tokens, so it is refused unless it is this user's alone; and it should go away
// with the job.
type cache struct{ dir string }

// tokenFile is how the files of the cache end.
const tokenFile = ".json"

func openCache(dir string) (*cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return nil, fmt.Errorf("%s is not a directory", dir)
	case !ok || int(owner.Uid) != os.Getuid():
		return nil, fmt.Errorf("%s belongs to another user", dir)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s is open to other users (mode %#o): chmod 700", dir, info.Mode().Perm())
	}
	return &cache{dir: dir}, nil
}

// lock keeps other calls out until unlock: git starts several at once, and one
// token is enough for them.
func (c *cache) lock() (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(c.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the directory for tokens: %w", err), file.Close())
	}
	return func() { _ = file.Close() }, nil // which unlocks
}

func (c *cache) file(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(c.dir, hex.EncodeToString(sum[:16])+tokenFile)
}

// load returns the token of a file; nil if there is none.
func (c *cache) load(file string) (*jobtoken.Saved, error) {
	content, err := os.ReadFile(file) //#nosec G304 -- its name is a hash, in our directory
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var saved jobtoken.Saved
	if err := json.Unmarshal(content, &saved); err != nil {
		return nil, fmt.Errorf("%s is not one of our files; remove it", file)
	}
	return &saved, nil
}

// save replaces a file as a whole.
func (c *cache) save(file string, saved jobtoken.Saved) error {
	content, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	fresh, err := os.CreateTemp(c.dir, "new-") // 0600
	if err != nil {
		return err
	}
	_, writing := fresh.Write(content)
	if err := errors.Join(writing, fresh.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh.Name()))
	}
	return os.Rename(fresh.Name(), file)
}

// all are the files that there are.
func (c *cache) all() ([]string, error) {
	return filepath.Glob(filepath.Join(c.dir, "*"+tokenFile))
}

// revoke ends those of the kept tokens that are chosen, and forgets them. A nil
// cache keeps none.
func (c *cache) revoke(ctx context.Context, config jobtoken.Config, chosen func(jobtoken.Saved) bool) error {
	if c == nil {
		return nil
	}
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	files, err := c.all()
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		saved, err := c.load(file)
		switch {
		case err != nil:
			errs = append(errs, err)
		case saved != nil && chosen(*saved):
			errs = append(errs, config.Revoke(ctx, *saved), os.Remove(file))
		}
	}
	return errors.Join(errs...)
}
