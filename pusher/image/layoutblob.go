package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// An absentError says that a blob is not in the layout.
type absentError struct{ error }

// A notImageError says that a manifest is none of an image.
type notImageError struct{ error }

// blob fetches what a descriptor is of, and holds it against it.
func (s *source) blob(ctx context.Context, from string, d Descriptor) (string, stagedFile, error) {
	if err := s.checkDigest(from, d.Digest); err != nil {
		return "", stagedFile{}, err
	}
	name := blobName(d.Digest)
	file, err := s.fetch(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return name, file, s.absent(from, d.Digest)
	}
	if err != nil {
		return name, file, err
	}
	if file.size != d.Size {
		return name, file, s.fail(name, fmt.Sprintf("it has %d bytes, but %s says %d", file.size, from, d.Size), adviceAgain)
	}
	got, err := s.batch.digestOf(ctx, file, d.Digest.Algorithm())
	if err != nil {
		return name, file, err
	}
	if got != d.Digest {
		return name, file, s.fail(name, fmt.Sprintf("its digest is %s, not the one in its name", got), adviceAgain)
	}
	return name, file, nil
}

// blobName is where a layout has a blob.
func blobName(d digest.Digest) string {
	return path.Join(v1.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

// absent is the error of a blob that the layout has not and from names.
func (s *source) absent(from string, d digest.Digest) *absentError {
	return &absentError{s.fail(blobName(d), "it is missing, and "+from+" names it", adviceComplete)}
}

// checkDigest refuses what is not a digest.
func (s *source) checkDigest(from string, d digest.Digest) error {
	if err := d.Validate(); err != nil {
		return &LoadError{Source: s.name, Entry: from, Problem: fmt.Sprintf("the digest %q in it cannot be used", d), Advice: adviceRebuild, Err: err}
	}
	return nil
}

// digestOf is a file's digest of any algorithm. The file becomes that digest's
// blob as well.
func (b *batch) digestOf(ctx context.Context, file stagedFile, algorithm digest.Algorithm) (digest.Digest, error) {
	if algorithm == digest.SHA256 {
		return file.digest, nil
	}
	r, err := b.store.disk.files.Open(file.path)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	copied := b.newPath()
	w, err := b.store.disk.create(copied)
	if err != nil {
		return "", err
	}
	hash := algorithm.Hash()
	_, err = copyBuffered(io.MultiWriter(w, hash), contextReader{ctx, r})
	if err := errors.Join(err, w.Close()); err != nil {
		return "", err
	}
	d := digest.NewDigest(algorithm, hash)
	b.staged[d] = copied
	return d, nil
}

func descriptorOf(d v1.Descriptor) Descriptor {
	return Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size, URLs: d.URLs}
}
