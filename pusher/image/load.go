package image

import (
	"context"
	"fmt"
	"io"
	"os"
)

// A Loaded is one image that a load brought in. Names are as the source had
// them: "lib/app:latest", or "" for an image without a name.
type Loaded struct {
	Name string
	// Repository and Tag are Name taken apart, in the short form in which the store
	// has them. Repository is "" where the source had only a tag, which names
	// nothing in the store.
	Repository, Tag string
	Image           string // ID of its top layer
	Platform        string // "linux/amd64"; "" when nothing says
	// Other marks an image of an index that is for another platform than the one
	// that was picked: it is in the store, but Name does not lead to it.
	Other bool
}

// Load loads every image of an archive or a layout at path, whichever of the
// known forms it has, compressed or not. Either everything is loaded or, after an
// error, nothing. What the store has already stays as it is, its digest cache
// too; tags move.
//
// Errors: *LoadError when something is wrong with the archive; ctx's error.
func (s *Store) Load(ctx context.Context, path string) ([]Loaded, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	_ = info
	return s.loadTar(ctx, f, path)
}

// LoadFrom is Load of a tar stream, which is read to its end unless something is
// wrong with it.
func (s *Store) LoadFrom(ctx context.Context, r io.Reader) ([]Loaded, error) {
	return s.loadTar(ctx, r, "archive")
}

func (s *Store) loadTar(ctx context.Context, r io.Reader, name string) ([]Loaded, error) {
	b, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer b.discard()
	a, err := b.unpack(ctx, r, name)
	if err != nil {
		return nil, err
	}
	return s.loadTree(ctx, &source{tree: a, name: name, batch: b})
}

// loadTree loads what a tree holds.
func (s *Store) loadTree(ctx context.Context, src *source) ([]Loaded, error) {
	loaded, err := src.load(ctx)
	if err != nil {
		return nil, err
	}
	if err := src.batch.publish(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", src.name, err)
	}
	return loaded, nil
}

// load finds out which form the source has, and reads it.
func (s *source) load(ctx context.Context) ([]Loaded, error) {
	if ids, err := s.layerFolders(); err != nil || len(ids) > 0 {
		if err != nil {
			return nil, err
		}
		return s.loadOldSave(ctx)
	}
	return nil, s.fail("", "it holds no image: there is neither manifest.json nor index.json nor repositories", adviceForms)
}
