package auditlog

import (
	"bytes"
	"errors"
	"io"
	"slices"
)

// chunkSize is how much of a log is decoded at once; maxLine bounds a line. An
// entry of Vault's with 500 repositories is a few hundred kB.
const (
	chunkSize = 1 << 20
	maxLine   = 16 << 20
)

// readSize is how much is read at once.
const readSize = 256 << 10

// lineReader cuts a log into chunks of whole lines.
type lineReader struct {
	r    io.Reader
	rest []byte // of the last read, behind its last line
	// tooLong counts lines beyond maxLine, which are left out.
	tooLong  int64
	skipping bool // within such a line
	ended    bool
	failed   error // why it ended, if not by its end
}

// next returns whole lines, the last perhaps without its newline. The buffer's
// memory is used for them if it is large enough. At the end it is io.EOF, or the
// error that broke the log off.
func (l *lineReader) next(buffer []byte) ([]byte, error) {
	chunk := append(buffer[:0], l.rest...)
	l.rest = l.rest[:0]
	searched := 0 // of the chunk, without finding the end of a line
	for !l.ended {
		chunk = slices.Grow(chunk, readSize)
		n, err := l.r.Read(chunk[len(chunk) : len(chunk)+readSize])
		chunk = chunk[:len(chunk)+n]
		if err != nil {
			l.ended = true
			if !errors.Is(err, io.EOF) {
				l.failed = err
			}
		}
		if l.skipping {
			chunk = l.skip(chunk)
		}
		if l.ended || len(chunk) < chunkSize {
			continue
		}
		if last := bytes.LastIndexByte(chunk[searched:], '\n'); last >= 0 {
			end := searched + last + 1
			l.rest = append(l.rest, chunk[end:]...)
			return chunk[:end], nil
		}
		searched = len(chunk)
		if len(chunk) > maxLine {
			l.tooLong++
			l.skipping, chunk, searched = true, chunk[:0], 0
		}
	}
	switch {
	case len(chunk) > 0:
		return chunk, nil
	case l.failed != nil:
		return nil, l.failed
	}
	return nil, io.EOF
}

// skip leaves out what belongs to a line that is too long.
func (l *lineReader) skip(chunk []byte) []byte {
	end := bytes.IndexByte(chunk, '\n')
	if end < 0 {
		return chunk[:0]
	}
	l.skipping = false
	return append(chunk[:0], chunk[end+1:]...)
}
