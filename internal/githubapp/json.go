package githubapp

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// What reads JSON as it streams by. A null is as good as a value that is missing.

// readObject gives every member of an object to the function, which reads or
// skips its value. The name is JSON as it stands there, in quotes and not
// copied: 500 repositories have 50,000 of them.
func readObject(d *jsontext.Decoder, member func(d *jsontext.Decoder, name jsontext.Value) error) error {
	if open, err := open(d, jsontext.KindBeginObject); err != nil || !open {
		return err
	}
	for d.PeekKind() != jsontext.KindEndObject {
		name, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := member(d, name); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// readArray calls the function for every element of an array, to read it.
func readArray(d *jsontext.Decoder, element func(d *jsontext.Decoder) error) error {
	if open, err := open(d, jsontext.KindBeginArray); err != nil || !open {
		return err
	}
	for d.PeekKind() != jsontext.KindEndArray {
		if err := element(d); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// open reads the beginning of an object or array; false if it is null.
func open(d *jsontext.Decoder, kind jsontext.Kind) (bool, error) {
	begin, err := d.ReadToken()
	switch {
	case err != nil:
		return false, err
	case begin.Kind() == jsontext.KindNull:
		return false, nil
	case begin.Kind() != kind:
		return false, fmt.Errorf("%s where %s is expected", begin.Kind(), kind)
	}
	return true, nil
}

// readEnd reads what follows the value: nothing. A connection can be used again
// only once its answer was read to the end.
func readEnd(d *jsontext.Decoder) error {
	switch _, err := d.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return errors.New("more than one value")
}

func readString(d *jsontext.Decoder) (string, error) {
	value, err := d.ReadToken()
	switch {
	case err != nil:
		return "", err
	case value.Kind() == jsontext.KindNull:
		return "", nil
	case value.Kind() != jsontext.KindString:
		return "", fmt.Errorf("%s where a string is expected", value.Kind())
	}
	return value.String(), nil
}

func readID(d *jsontext.Decoder) (int64, error) {
	value, err := d.ReadToken()
	switch {
	case err != nil:
		return 0, err
	case value.Kind() == jsontext.KindNull:
		return 0, nil
	case value.Kind() != jsontext.KindNumber:
		return 0, fmt.Errorf("%s where a number is expected", value.Kind())
	}
	return strconv.ParseInt(value.String(), 10, 64)
}
