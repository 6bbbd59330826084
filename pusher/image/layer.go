package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"

	"github.com/opencontainers/go-digest"
)

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
	// Absent says that the source had no bytes of the layer: it lives at the URLs of
	// Blob. Size is 0 then, and OpenTar fails.
	Absent bool
}

// A record is what the store knows of a layer beside its V1 JSON.
type record struct {
	Parent string        `json:"parent,omitempty"`
	DiffID digest.Digest `json:"diffID"`
	Size   int64         `json:"size"`           // of the uncompressed tar, bytes
	Blob   *Descriptor   `json:"blob,omitempty"` // compressed form, kept instead of the tar
	Made   *content      `json:"made,omitempty"` // what to produce the tar from, kept instead of it
	Absent bool          `json:"absent,omitempty"`
}

// Layer is the layer of that ID.
//
// Errors: ErrNoLayer.
func (s *Store) Layer(id string) (Layer, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.layer(id)
}

// layer is Layer for those who hold mu.
func (s *Store) layer(id string) (Layer, error) {
	rec, err := s.record(id)
	if err != nil {
		return Layer{}, err
	}
	v1, err := fs.ReadFile(s.disk.files, join("graph", id, "json"))
	if err != nil {
		return Layer{}, fmt.Errorf("layer %s: %w", id, err)
	}
	return Layer{ID: id, Parent: rec.Parent, V1JSON: v1, DiffID: rec.DiffID, Size: rec.Size, Blob: rec.Blob, Absent: rec.Absent}, nil
}

// record reads a layer's record. The caller holds mu.
func (s *Store) record(id string) (record, error) {
	if !validID(id) {
		return record{}, fmt.Errorf("layer %q: %w: an ID has 64 hex digits", id, ErrNoLayer)
	}
	data, err := fs.ReadFile(s.disk.files, join("graph", id, "record"))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, fmt.Errorf("layer %s: %w", id, ErrNoLayer)
	}
	if err != nil {
		return record{}, fmt.Errorf("layer %s: %w", id, err)
	}
	var rec record
	if err := json.Unmarshal(data, &rec); err != nil {
		return record{}, fmt.Errorf("layer %s: its record is damaged; delete the layer and load it again: %w", id, err)
	}
	return rec, nil
}

// Chain walks from a layer to its base. A missing parent and a cycle end the
// walk with an error, never silently.
func (s *Store) Chain(id string) iter.Seq2[Layer, error] {
	return func(yield func(Layer, error) bool) {
		seen := map[string]bool{}
		for child := ""; id != ""; {
			if seen[id] {
				yield(Layer{}, fmt.Errorf("layer %s: its ancestors form a cycle through %s", child, id))
				return
			}
			seen[id] = true
			l, err := s.Layer(id)
			if err != nil && child != "" {
				err = fmt.Errorf("parent of layer %s: %w", child, err)
			}
			if !yield(l, err) || err != nil {
				return
			}
			child, id = id, l.Parent
		}
	}
}

// OpenTar opens a layer's uncompressed tar. The caller closes it. Its last Read
// returns an error in place of io.EOF when the bytes were not the layer's.
//
// Errors: ErrNoLayer.
func (s *Store) OpenTar(id string) (io.ReadCloser, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rec, err := s.record(id)
	if err != nil {
		return nil, err
	}
	what := "layer " + id
	switch {
	case rec.Absent:
		return nil, fmt.Errorf("%s: %w: it lives at %s, and its bytes did not come with the image", what, ErrNoBlob, strings.Join(rec.Blob.URLs, ", "))
	case rec.Made != nil:
		return io.NopCloser(rec.Made.tar()), nil
	case rec.Blob != nil:
		f, err := s.openBlobFile(rec.Blob.Digest)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		plain, err := decompress(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", what, err), f.Close())
		}
		return verify(plain, closers{plain, f}, expected{what: what, digest: rec.DiffID, size: rec.Size}), nil
	default:
		f, err := s.openBlobFile(rec.DiffID)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		return verify(f, f, expected{what: what, digest: rec.DiffID, size: rec.Size}), nil
	}
}
