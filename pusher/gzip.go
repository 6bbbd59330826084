package pusher

import (
	"bytes"
	"compress/gzip"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/gzips"
)

// A gzipReader compresses what it reads, with the memory of a few blocks, and
// hashes the result (P-367).
type gzipReader struct {
	in   io.Reader
	zip  *gzip.Writer // nil once all of in was read
	out  bytes.Buffer // compressed and not yet read
	sum  hash.Hash
	part []byte
	err  error // of in, after out
}

func newGzipReader(in io.Reader) *gzipReader {
	r := &gzipReader{in: in, sum: digest.SHA256.Hash(), part: make([]byte, copyBuffer)}
	r.zip = gzips.Writer(io.MultiWriter(&r.out, r.sum))
	return r
}

// Read implements io.Reader.
func (r *gzipReader) Read(p []byte) (int, error) {
	for r.out.Len() == 0 && r.err == nil {
		var n int
		n, r.err = r.in.Read(r.part)
		_, _ = r.zip.Write(r.part[:n]) // a buffer and a hash take everything
		if r.err == io.EOF {           //nolint:errorlint // io.Reader's contract
			_ = r.zip.Close()
			gzips.Return(r.zip)
			r.zip = nil
		}
	}
	if r.out.Len() == 0 {
		return 0, r.err
	}
	return r.out.Read(p)
}

// digest is that of what was read, once that was everything.
func (r *gzipReader) digest() digest.Digest { return digest.NewDigest(digest.SHA256, r.sum) }
