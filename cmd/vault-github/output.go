package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// output is where a report goes: standard output, or a file that appears only
// when it is complete.
type output struct {
	io.Writer
	path string
	file *os.File // with a name of its own until it is complete
}

// openOutput opens a file, which only its owner may read: an audit report names
// people and branches. No path is standard output.
func openOutput(t *terminal, path string) (*output, error) {
	if path == "" || path == "-" {
		return &output{Writer: t.out}, nil
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return nil, usagef("--output: %w", err)
	}
	return &output{Writer: file, path: path, file: file}, nil
}

// done ends the output: a file takes its name if all went well, and goes if not.
func (o *output) done(err error) error {
	if o.file == nil {
		return err
	}
	if closeErr := o.file.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("write %s: %w", o.path, closeErr)
	}
	if err == nil {
		err = os.Rename(o.file.Name(), o.path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(o.file.Name()))
	}
	return err
}
