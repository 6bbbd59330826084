package image

import (
	_ "crypto/sha256" // digests of the store and of its sources
	_ "crypto/sha512" // digests of sources
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"github.com/opencontainers/go-digest"
)

// A Descriptor is media type, digest and size of bytes that the store keeps.
type Descriptor struct {
	MediaType string        `json:"mediaType,omitempty"`
	Digest    digest.Digest `json:"digest"`
	Size      int64         `json:"size"` // bytes
	// URLs are where a layer that registries do not keep can be had; nil for all
	// other content.
	URLs []string `json:"urls,omitempty"`
}

// OpenBlob opens bytes that the store keeps under their digest. The caller
// closes it. Its last Read returns an error in place of io.EOF when the bytes do
// not have that digest.
//
// Errors: ErrNoBlob.
func (s *Store) OpenBlob(d digest.Digest) (io.ReadCloser, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f, err := s.openBlobFile(d)
	if err != nil {
		return nil, err
	}
	return verify(f, f, expected{what: "blob " + string(d), digest: d, size: -1}), nil
}

// HasBlob tells whether the store keeps bytes under a digest. It does not read them.
func (s *Store) HasBlob(d digest.Digest) bool {
	if d.Validate() != nil {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	there, err := s.disk.exists(s.blobPath(d))
	return err == nil && there
}

// openBlobFile opens a blob unverified. The caller holds mu.
func (s *Store) openBlobFile(d digest.Digest) (fs.File, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("blob %q: %w", d, err)
	}
	f, err := s.disk.files.Open(s.blobPath(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s: %w", d, ErrNoBlob)
	}
	return f, err
}

// blobPath is where the blob of a valid digest lies.
func (s *Store) blobPath(d digest.Digest) string {
	return join("blobs", d.Algorithm().String(), d.Encoded())
}

// expected is what a stream must turn out to be.
type expected struct {
	what   string // "layer 5f70…"
	digest digest.Digest
	size   int64 // bytes; -1 is any
}

// A verifier hands a stream on and compares it at its end.
type verifier struct {
	io.Closer
	r    io.Reader
	hash hash.Hash
	size int64
	want expected
}

func verify(r io.Reader, c io.Closer, want expected) io.ReadCloser {
	return &verifier{Closer: c, r: r, hash: want.digest.Algorithm().Hash(), want: want}
}

// Read implements io.Reader.
func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.hash.Write(p[:n])
	v.size += int64(n)
	if err == nil || !errors.Is(err, io.EOF) {
		if err != nil {
			err = fmt.Errorf("%s: %w", v.want.what, err)
		}
		return n, err
	}
	if v.want.size >= 0 && v.size != v.want.size {
		return n, fmt.Errorf("%s: the store has %d bytes of %d; delete it and load it again", v.want.what, v.size, v.want.size)
	}
	if got := digest.NewDigest(v.want.digest.Algorithm(), v.hash); got != v.want.digest {
		return n, fmt.Errorf("%s: its bytes in the store have digest %s, not %s; delete it and load it again", v.want.what, got, v.want.digest)
	}
	return n, io.EOF
}

// closers closes one after the other.
type closers []io.Closer

// Close implements io.Closer.
func (c closers) Close() error {
	var errs []error
	for _, closer := range c {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}
