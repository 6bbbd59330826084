package tarsum

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
)

// A Reader hands a tar on compressed and sums its files on the way. What it
// hands on is not the tar it was given: it is written anew, header by header,
// as docker 1.8 sends it over V1 (P-427). It is not safe for concurrent use.
//
// Each Read asks the tar for at most as much as it was asked for, and flushes
// the compressor, so that the reader of the result paces the reader of the tar;
// a Reader holds about two reads' worth and one sum for each file.
type Reader struct {
	in  *tar.Reader
	out *tar.Writer
	zip *gzip.Writer

	plain  bytes.Buffer // tar written and not yet compressed
	packed bytes.Buffer // compressed and not yet read

	sums     sums
	chunk    []byte
	finished bool
}

// NewReader makes a Reader of an uncompressed tar. The caller closes layer.
func NewReader(layer io.Reader) *Reader {
	r := &Reader{in: tar.NewReader(layer)}
	r.out = tar.NewWriter(&r.plain)
	r.zip = gzip.NewWriter(&r.packed)
	return r
}

// Read implements io.Reader. It may return 0 and no error.
//
// Errors: the layer's reader's, archive/tar's for what is no tar or cannot be
// written as one, io.EOF at the end.
func (r *Reader) Read(p []byte) (int, error) {
	if r.finished || r.packed.Len() >= len(p) {
		return r.packed.Read(p)
	}
	if len(r.chunk) < len(p) {
		r.chunk = make([]byte, len(p))
	}
	n, err := r.in.Read(r.chunk[:len(p)])
	switch {
	case n > 0 && errors.Is(err, io.EOF): // the end of this file comes again at the next Read
	case errors.Is(err, io.EOF):
		return r.next(p)
	case err != nil:
		return 0, err
	}
	r.sums.Write(r.chunk[:n]) //nolint:errcheck // a hash never fails
	if _, err := r.out.Write(r.chunk[:n]); err != nil {
		return 0, err
	}
	if err := r.flush(); err != nil {
		return 0, err
	}
	return r.read(p)
}

// next goes on to the next file of the tar, or to its end.
func (r *Reader) next(p []byte) (int, error) {
	r.sums.end()
	header, err := r.in.Next()
	if errors.Is(err, io.EOF) {
		return 0, r.finish()
	}
	if err != nil {
		return 0, err
	}
	r.sums.begin(header)
	if err := r.out.WriteHeader(header); err != nil {
		return 0, err
	}
	if err := r.flush(); err != nil {
		return 0, err
	}
	return r.read(p)
}

// flush compresses what was written of the tar. Between two files it also
// writes the padding of the first; within one there is none yet.
func (r *Reader) flush() error {
	_ = r.out.Flush() // complains when more of the file is to come
	if _, err := r.plain.WriteTo(r.zip); err != nil {
		return err
	}
	return r.zip.Flush()
}

// finish writes the end of the tar and of the compressed stream.
func (r *Reader) finish() error {
	if err := r.out.Close(); err != nil {
		return err
	}
	if _, err := r.plain.WriteTo(r.zip); err != nil {
		return err
	}
	r.finished = true
	return r.zip.Close()
}

// read hands on what is compressed, which may be nothing yet.
func (r *Reader) read(p []byte) (int, error) {
	n, err := r.packed.Read(p)
	if errors.Is(err, io.EOF) {
		return n, nil
	}
	return n, err
}

// Sum is the tarsum of what was read so far, keyed as Compute keys it. After
// io.EOF it is the layer's.
func (r *Reader) Sum(key []byte) string { return r.sums.sum(key) }
