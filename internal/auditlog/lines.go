package auditlog

import (
	"bytes"
	"errors"
	"io"
)

// chunkSize is how much of a log is decoded at once; maxLine bounds a line. An
// entry of Vault's with 500 repositories is a few hundred kB.
const (
	chunkSize = 1 << 20
	maxLine   = 16 << 20
)

// lineReader cuts a log into chunks of whole lines.
type lineReader struct {
	r    io.Reader
	rest []byte // of the last read, behind its last line
	// tooLong counts lines beyond maxLine, which are left out.
	tooLong  int64
	skipping bool // within such a line
	ended    bool
}

// next returns whole lines, the last perhaps without its newline. The buffer's
// memory is used for them if it is large enough. At the end it is io.EOF.
func (l *lineReader) next(buffer []byte) ([]byte, error) {
	chunk := append(buffer[:0], l.rest...)
	l.rest = l.rest[:0]
	for !l.ended {
		chunk = grow(chunk, chunkSize)
		n, err := io.ReadFull(l.r, chunk[len(chunk):cap(chunk)])
		chunk = chunk[:len(chunk)+n]
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			l.ended = true
		} else if err != nil {
			return nil, err
		}
		if l.skipping {
			chunk = l.skip(chunk)
		}
		if end := bytes.LastIndexByte(chunk, '\n') + 1; end > 0 && !l.ended {
			l.rest = append(l.rest, chunk[end:]...)
			return chunk[:end], nil
		}
		if len(chunk) > maxLine {
			l.tooLong++
			l.skipping, chunk = true, chunk[:0]
		}
	}
	if len(chunk) == 0 {
		return nil, io.EOF
	}
	return chunk, nil
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

// grow makes room for so many bytes more.
func grow(chunk []byte, more int) []byte {
	if cap(chunk)-len(chunk) >= more/2 {
		return chunk
	}
	return append(make([]byte, 0, 2*len(chunk)+more), chunk...)
}
