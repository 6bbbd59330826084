// Package image keeps local images on disk as docker 1.8 kept them: layers with
// an ID, a parent and their V1 JSON, tags, and a digest cache; and loads them
// from archives, layouts, or out of nothing.
package image

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/opencontainers/go-digest"
)

// Errors that a Store returns, wrapped with what and where.
var (
	ErrNoLayer      = errors.New("no such layer")
	ErrNoRepository = errors.New("no such repository")
	ErrNoTag        = errors.New("no such tag")
	// ErrNoDigest means that the digest cache has no entry: the layer is uploaded
	// without asking whether it exists (P-194).
	ErrNoDigest = errors.New("digest is not set for layer")
)

// A Store holds images below one directory. It is safe for concurrent use by
// this process, and survives being killed at any moment: what was complete is
// there at the next Open, what was not is gone.
type Store struct {
	dir string
}

// A Layer is one link of a local image, the newest on top.
type Layer struct {
	ID     string // 64 hex digits
	Parent string // the layer below; "" for the base
	// V1JSON is the image JSON that V1 pushes and schema 1 carries, byte for byte
	// as it was loaded or made (v1Compatibility, P-220).
	V1JSON []byte
	DiffID digest.Digest // of the uncompressed tar
	Size   int64         // of the uncompressed tar, bytes
	// Blob is the layer as its source had it compressed; nil when the source held
	// a plain tar. Open it with Store.OpenBlob.
	Blob *Descriptor
}

// A Descriptor is media type, digest and size of bytes that the store keeps.
type Descriptor struct {
	MediaType string
	Digest    digest.Digest
	Size      int64
}

// Open opens the store in dir, which is made if it is not there.
func Open(dir string) (*Store, error) { return nil, errors.ErrUnsupported }

// Close releases what the store holds open. Readers that it handed out stay valid.
func (s *Store) Close() error { return errors.ErrUnsupported }

// Repositories lists the local names ("127.0.0.1:5000/lib/app", "ubuntu") in order.
func (s *Store) Repositories() []string { return nil }

// Tags is the local map of a repository: tag (or digest reference) → layer ID.
// The map is a copy.
//
// Errors: ErrNoRepository.
func (s *Store) Tags(repository string) (map[string]string, error) { return nil, errors.ErrUnsupported }

// Tag points repository:tag at a layer, which must be there.
//
// Errors: ErrNoLayer.
func (s *Store) Tag(repository, tag, id string) error { return errors.ErrUnsupported }

// Untag removes one tag; layers stay.
//
// Errors: ErrNoRepository, ErrNoTag.
func (s *Store) Untag(repository, tag string) error { return errors.ErrUnsupported }

// Layer is the layer of that ID.
//
// Errors: ErrNoLayer.
func (s *Store) Layer(id string) (Layer, error) { return Layer{}, errors.ErrUnsupported }

// Chain walks from a layer to its base. A missing parent and a cycle end the
// walk with an error, never silently.
func (s *Store) Chain(id string) iter.Seq2[Layer, error] { return nil }

// OpenTar opens a layer's uncompressed tar. The caller closes it.
//
// Errors: ErrNoLayer.
func (s *Store) OpenTar(id string) (io.ReadCloser, error) { return nil, errors.ErrUnsupported }

// OpenBlob opens bytes that the store keeps under their digest. The caller
// closes it.
func (s *Store) OpenBlob(d digest.Digest) (io.ReadCloser, error) { return nil, errors.ErrUnsupported }

// Digest reads the layer's entry of the digest cache, file graph/<id>/checksum,
// with docker 1.8's four outcomes (P-194): a digest; ErrNoDigest when there is
// none or the file cannot be read; digest.ErrDigestInvalidFormat or
// digest.ErrDigestUnsupported when it holds something else.
func (s *Store) Digest(id string) (digest.Digest, error) { return "", errors.ErrUnsupported }

// SetDigest writes the layer's entry of the digest cache.
func (s *Store) SetDigest(id string, d digest.Digest) error { return errors.ErrUnsupported }

// ForgetDigest removes the layer's entry of the digest cache.
func (s *Store) ForgetDigest(id string) error { return errors.ErrUnsupported }

// A Loaded is one image that a load brought in. Names are as the source had
// them: "lib/app:latest", or "" for an image without a name.
type Loaded struct {
	Name  string
	Image string // ID of its top layer
}

// Load loads every image of an archive or a layout at path, whichever of the
// known forms it has. Either everything is loaded or, after an error, nothing.
func (s *Store) Load(ctx context.Context, path string) ([]Loaded, error) {
	return nil, errors.ErrUnsupported
}

// LoadFrom is Load of a tar stream.
func (s *Store) LoadFrom(ctx context.Context, r io.Reader) ([]Loaded, error) {
	return nil, errors.ErrUnsupported
}

// A Recipe says what a made-up image is made of. The same recipe gives the same
// bytes on every machine.
type Recipe struct {
	Layers []int64 // tar payload sizes in bytes, bottom first; 0 is a layer without changes
	Seed   uint64
	// Same, when not nil, gives for layer i the index of an earlier layer whose
	// content it repeats; -1 for content of its own.
	Same []int
}

// Make makes an image up and returns the IDs of its layers, bottom first. Large
// layers are produced when they are read, not kept.
func (s *Store) Make(ctx context.Context, r Recipe) ([]string, error) {
	return nil, errors.ErrUnsupported
}
