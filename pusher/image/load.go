package image

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
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
	// Content is the index or the manifest that Name leads to; "" when the source had
	// neither. Of an index the image is the one that those take who know no indexes.
	// See Store.TagContent.
	Content digest.Digest
	// Artifact marks what is no image and has no root file system: a manifest of an OCI
	// layout, or an index without an image in it, for those who send what is stored.
	Artifact bool
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
	if info.IsDir() {
		return s.loadFolder(ctx, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return s.loadTar(ctx, f, path, nil)
}

func (s *Store) loadFolder(ctx context.Context, path string) ([]Loaded, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	b, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer b.discard()
	return s.loadTree(ctx, &source{name: path, batch: b, tree: &folder{source: path, root: root, batch: b, files: map[string]stagedFile{}}})
}

// LoadFrom is Load of a tar stream, which is read to its end unless something is
// wrong with it.
func (s *Store) LoadFrom(ctx context.Context, r io.Reader) ([]Loaded, error) {
	return s.loadTar(ctx, r, "archive", nil)
}

func (s *Store) loadTar(ctx context.Context, r io.Reader, name string, wanted *Wanted) ([]Loaded, error) {
	b, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer b.discard()
	a, err := b.unpack(ctx, r, name)
	if err != nil {
		return nil, err
	}
	return s.loadTree(ctx, &source{name: name, batch: b, tree: a, wanted: wanted})
}

// loadTree loads what a tree holds.
func (s *Store) loadTree(ctx context.Context, src *source) ([]Loaded, error) {
	src.seen = map[digest.Digest]unpacked{}
	loaded, err := src.load(ctx)
	if err != nil {
		return nil, err
	}
	if len(loaded) == 0 && src.wanted != nil {
		return nil, src.noPlatform()
	}
	if err := src.batch.publish(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", src.name, err)
	}
	return loaded, nil
}

// load finds out which form the source has, and reads it. An archive of docker 25
// and later is an OCI layout with a manifest.json beside it: the layout says what
// the images are, both say how they are called. Where there is a manifest.json,
// repositories says nothing more.
func (s *source) load(ctx context.Context) ([]Loaded, error) {
	isLayout, err := s.has(ctx, v1.ImageIndexFile)
	if err != nil {
		return nil, err
	}
	isNew, err := s.has(ctx, "manifest.json")
	if err != nil {
		return nil, err
	}
	var images []layoutImage
	if isLayout {
		if images, err = s.loadLayout(ctx); err != nil {
			return nil, err
		}
	}
	switch {
	case isNew:
		loaded, err := s.loadNewSave(ctx, images)
		return merge(loaded, images), err
	case isLayout:
		return merge(nil, images), nil
	}
	folders, err := s.layerFolders()
	if err != nil {
		return nil, err
	}
	if len(folders) > 0 {
		if s.wanted != nil {
			return nil, s.fail("", "an archive of its age does not say what platform its images are for", "ask for none")
		}
		return s.loadOldSave(ctx)
	}
	return nil, s.fail("", "it holds no image: there is neither manifest.json nor index.json nor a folder of a layer", adviceForms)
}

// merge adds the images of a layout to what manifest.json named, once each.
func merge(loaded []Loaded, images []layoutImage) []Loaded {
	for _, img := range images {
		named := slices.ContainsFunc(loaded, func(l Loaded) bool {
			return l.Image == img.Image && (img.Repository == "" && l.Content == img.Content || l.Repository == img.Repository && l.Tag == img.Tag)
		})
		if !named {
			loaded = append(loaded, img.Loaded)
		}
	}
	return loaded
}
