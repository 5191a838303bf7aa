package htmlreport

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
)

// blockWriter writes markup and data into a page, until the first error.
type blockWriter struct {
	w   io.Writer
	err error
}

// markup writes what this package made up itself, or escaped.
func (b *blockWriter) markup(s string) {
	if b.err == nil {
		_, b.err = io.WriteString(b.w, s)
	}
}

// block writes a value for the page's script: JSON, compressed, in base64. The
// browser runs no script of this type.
func (b *blockWriter) block(kind string, rows int, value any) {
	b.markup(fmt.Sprintf("<script type=\"application/gzip\" data-kind=%q data-rows=\"%d\">", kind, rows))
	if b.err == nil {
		b.err = encode(b.w, value)
	}
	b.markup("</script>\n")
}

func encode(w io.Writer, value any) error {
	armour := base64.NewEncoder(base64.StdEncoding, w)
	compressed, err := gzip.NewWriterLevel(armour, gzip.DefaultCompression)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(compressed).Encode(value); err != nil {
		return err
	}
	if err := compressed.Close(); err != nil {
		return err
	}
	return armour.Close()
}
