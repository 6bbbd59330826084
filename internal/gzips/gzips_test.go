package gzips_test

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/internal/gzips"
)

// TestWriterIsAsNew: whatever a writer was used for before, it writes what one
// from gzip.NewWriter would.
func TestWriterIsAsNew(t *testing.T) {
	t.Parallel()
	var got, want bytes.Buffer
	left := gzips.Writer(&got)
	left.Name = "somebody's"
	if _, err := left.Write([]byte("not finished")); err != nil {
		t.Fatal(err)
	}
	gzips.Return(left)
	for _, text := range []string{"", "a layer", strings.Repeat("another one ", 9000)} {
		got.Reset()
		want.Reset()
		z, fresh := gzips.Writer(&got), gzip.NewWriter(&want)
		for _, w := range []*gzip.Writer{z, fresh} {
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		gzips.Return(z)
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%d bytes of text: %d bytes, and not those of a new writer", len(text), got.Len())
		}
	}
}
