package image

import (
	"archive/tar"
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"
)

// An unpacked is what a layer turned out to be.
type unpacked struct {
	diffID digest.Digest
	size   int64 // of the uncompressed tar, bytes
	// media is the media type of a layer compressed so; "" for a plain tar.
	media string
}

// part is the layer in a file, whose diff ID has to be want; "" is any. blob is
// its descriptor where the source has one.
func (s *source) part(ctx context.Context, name string, file stagedFile, want digest.Digest, blob *Descriptor) (part, error) {
	u, ok := s.seen[file.digest]
	if !ok {
		var err error
		if u, err = s.examine(ctx, name, file); err != nil {
			return part{}, err
		}
		s.seen[file.digest] = u
	}
	if want != "" && want != u.diffID {
		return part{}, s.fail(name, fmt.Sprintf("the uncompressed layer has digest %s, but the config says %s", u.diffID, want), adviceAgain)
	}
	p := part{diffID: u.diffID, size: u.size}
	switch {
	case u.media == "" && (blob == nil || len(blob.URLs) == 0):
	case blob != nil:
		p.blob = blob
	default:
		p.blob = &Descriptor{MediaType: u.media, Digest: file.digest, Size: file.size}
	}
	return p, nil
}

// examine reads a layer through: whether it is a tar, and what its diff ID is.
func (s *source) examine(ctx context.Context, name string, file stagedFile) (unpacked, error) {
	f, err := s.batch.store.disk.files.Open(file.path)
	if err != nil {
		return unpacked{}, err
	}
	defer func() { _ = f.Close() }()
	packed := &counter{r: contextReader{ctx, f}}
	buffered := bufio.NewReaderSize(packed, 64<<10)
	how := sniff(buffered)
	if how.name == "" {
		err := s.readPlain(f, buffered)
		if err = orNoTar(err, file.size); err != nil {
			return unpacked{}, explainLayer(err, s.name, name)
		}
		return unpacked{diffID: file.digest, size: file.size}, nil
	}
	if how.open == nil || how.media == "" {
		return unpacked{}, s.fail(name, "it is compressed with "+how.name+"; a layer is plain or compressed with gzip or zstd", adviceRebuild)
	}
	plain, err := how.open(buffered)
	if err != nil {
		return unpacked{}, explainLayer(err, s.name, name)
	}
	defer func() { _ = plain.Close() }()
	bound := s.batch.store.bound
	h := &hashing{hash: sha256.New(), r: limited{plain, &allowance{packed: packed, free: bound.free, ratio: bound.layerRatio}}}
	err = readTar(h)
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) { // of the tar, or of what it is packed in
		_, rest := copyBuffered(io.Discard, h)
		err = cmp.Or(rest, orNoTar(err, h.n))
	}
	if err != nil {
		return unpacked{}, explainLayer(err, s.name, name)
	}
	return unpacked{diffID: digest.NewDigest(digest.SHA256, h.hash), size: h.n, media: how.media}, nil
}

// readPlain reads the tar of a file that is buffered. The tar reader skips over
// content by seeking, where the file can do that.
func (s *source) readPlain(f io.Reader, buffered io.Reader) error {
	seeker, ok := f.(io.ReadSeeker)
	if !ok {
		return readTar(buffered)
	}
	if _, err := seeker.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return readTar(seeker)
}

// orNoTar is err, unless what was read is too short for a tar's first header.
func orNoTar(err error, size int64) error {
	if errors.Is(err, io.ErrUnexpectedEOF) && size < tarBlock {
		return tar.ErrHeader
	}
	return err
}

// tarBlock is how long a tar's header is, bytes.
const tarBlock = 512

func explainLayer(err error, source, name string) error {
	if errors.Is(err, tar.ErrHeader) {
		return &LoadError{Source: source, Entry: name, Problem: "the layer is not a tar", Advice: adviceAgain}
	}
	if errors.Is(err, errBomb) {
		return &LoadError{Source: source, Entry: name, Problem: err.Error(), Advice: "if it is meant to, save the image with plain layers"}
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
