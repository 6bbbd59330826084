package image

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
)

// examine reads a layer through: whether it is a tar, and what its diff ID is.
// blob is its descriptor where the source has one.
func (s *source) examine(ctx context.Context, name string, file stagedFile, blob *Descriptor) (part, error) {
	f, err := os.Open(file.path)
	if err != nil {
		return part{}, err
	}
	defer func() { _ = f.Close() }()
	packed := &counter{r: contextReader{ctx, f}}
	buffered := bufio.NewReaderSize(packed, 64<<10)
	how := sniff(buffered)
	if how.name == "" {
		// The tar reader skips over content by seeking.
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return part{}, err
		}
		if err := readTar(f); err != nil {
			return part{}, explainLayer(err, s.name, name)
		}
		return part{diffID: file.digest, size: file.size}, nil
	}
	if how.open == nil || how.media == "" {
		return part{}, s.fail(name, "it is compressed with "+how.name+"; a layer is plain or compressed with gzip or zstd", adviceRebuild)
	}
	plain, err := how.open(buffered)
	if err != nil {
		return part{}, explainLayer(err, s.name, name)
	}
	defer func() { _ = plain.Close() }()
	bound := s.batch.store.bound
	unpacked := &hashing{hash: sha256.New(), r: limited{plain, &allowance{packed: packed, free: bound.free, ratio: bound.layerRatio}}}
	if err := readTar(unpacked); err != nil {
		return part{}, explainLayer(err, s.name, name)
	}
	if _, err := copyBuffered(io.Discard, unpacked); err != nil {
		return part{}, explainLayer(err, s.name, name)
	}
	if blob == nil {
		blob = &Descriptor{MediaType: how.media, Digest: file.digest, Size: file.size}
	}
	return part{diffID: digest.NewDigest(digest.SHA256, unpacked.hash), size: unpacked.n, blob: blob}, nil
}

func explainLayer(err error, source, name string) error {
	if errors.Is(err, tar.ErrHeader) {
		return &LoadError{Source: source, Entry: name, Problem: "the layer is not a tar", Advice: adviceAgain}
	}
	return explain(err, source, name, "the layer cannot be read", adviceAgain)
}

// readTar reads the headers of a tar to its end marker.
func readTar(r io.Reader) error {
	for t := tar.NewReader(r); ; {
		if _, err := t.Next(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// A hashing reader hashes and counts what is read through it.
type hashing struct {
	r    io.Reader
	hash hash.Hash
	n    int64 // bytes
}

// Read implements io.Reader.
func (h *hashing) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.hash.Write(p[:n])
	h.n += int64(n)
	return n, err
}
