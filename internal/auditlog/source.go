package auditlog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Source is one log: a file, or standard input.
type Source struct {
	Name string
	// Open opens it as it is stored. It may be called twice: the first entry's
	// time decides in which order sources are read.
	Open func() (io.ReadCloser, error)
	// Size is that of what Open reads, in bytes; 0 if it is not known.
	Size int64
	// Once says that Open works only once.
	Once bool
}

// Files are the sources of a command line: files, directories, which stand for
// the files in them, and "-" for standard input.
func Files(paths []string, stdin io.Reader) ([]Source, error) {
	var sources []Source
	for _, path := range paths {
		if path == "-" {
			sources = append(sources, Source{Name: "standard input", Once: true, Open: func() (io.ReadCloser, error) {
				return io.NopCloser(stdin), nil
			}})
			continue
		}
		found, err := filesAt(path)
		if err != nil {
			return nil, err
		}
		sources = append(sources, found...)
	}
	return sources, nil
}

func filesAt(path string) ([]Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []Source{fileSource(path, info)}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var sources []Source
	for _, entry := range entries {
		info, err := os.Stat(filepath.Join(path, entry.Name()))
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			sources = append(sources, fileSource(filepath.Join(path, entry.Name()), info))
		}
	}
	if len(sources) == 0 {
		return nil, fmt.Errorf("%s: no file is in this directory", path)
	}
	return sources, nil
}

func fileSource(path string, info os.FileInfo) Source {
	size := info.Size()
	if !info.Mode().IsRegular() {
		return Source{Name: path, Once: true, Open: func() (io.ReadCloser, error) { return os.Open(path) }} //#nosec G304 -- the user names it
	}
	// A log that grows is read as far as it reached when the command began.
	return Source{Name: path, Size: size, Open: func() (io.ReadCloser, error) {
		f, err := os.Open(path) //#nosec G304 -- the user names it
		if err != nil {
			return nil, err
		}
		return readCloser{io.LimitReader(f, size), f}, nil
	}}
}

type readCloser struct {
	io.Reader
	io.Closer
}

// open opens a source and undoes its compression, told by its first bytes. What
// is read of the source as it is stored is added to done.
func (s Source) open(done *atomic.Int64) (io.ReadCloser, error) {
	raw, err := s.Open()
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReaderSize(&countingReader{raw, done}, 256<<10)
	plain, err := decompressed(buffered)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", s.Name, err), raw.Close())
	}
	return readCloser{plain, closers{plain, raw}}, nil
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// maxZstdWindow bounds what a compressed log can make the reader hold.
const maxZstdWindow = 64 << 20

func decompressed(r *bufio.Reader) (io.ReadCloser, error) {
	magic, err := r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		return gzip.NewReader(r)
	case bytes.HasPrefix(magic, zstdMagic):
		d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}

type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, closer := range c {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}

type countingReader struct {
	r    io.Reader
	done *atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done.Add(int64(n))
	return n, err
}
