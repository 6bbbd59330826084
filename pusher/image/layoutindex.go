package image

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// index brings an index and everything below it that the layout has into the
// batch, byte for byte, each held against its descriptor.
//
// Errors: *absentError when the index itself is not there.
func (l *layoutLoad) index(ctx context.Context, from string, d v1.Descriptor) (*Index, error) {
	w := &indexWalk{layoutLoad: l, seen: map[digest.Digest]bool{}}
	if err := w.walk(ctx, from, d, 0); err != nil {
		return nil, err
	}
	i := &Index{Descriptor: descriptorOf(d)}
	delete(w.seen, d.Digest)
	for blob, there := range w.seen {
		if there {
			i.Blobs = append(i.Blobs, blob)
		}
	}
	slices.Sort(i.Blobs)
	return i, nil
}

// An indexWalk goes through what an index leads to.
type indexWalk struct {
	*layoutLoad
	seen map[digest.Digest]bool // that the layout has
}

// A document is what indexes and manifests name, whichever it is.
type document struct {
	MediaType string          `json:"mediaType"`
	Manifests []v1.Descriptor `json:"manifests"` // of an index
	Config    *v1.Descriptor  `json:"config"`    // of a manifest, like those below
	Layers    []v1.Descriptor `json:"layers"`
	Blobs     []v1.Descriptor `json:"blobs"` // of an artifact manifest as it was once drafted
}

// content is what a manifest is of, its config last.
func (d document) content() []v1.Descriptor {
	list := slices.Concat(d.Layers, d.Blobs)
	if d.Config != nil {
		list = append(list, *d.Config)
	}
	return list
}

// walk brings in what a descriptor is of.
//
// Errors: *absentError.
func (w *indexWalk) walk(ctx context.Context, from string, d v1.Descriptor, depth int) error {
	if w.seen[d.Digest] {
		return nil
	}
	if depth > maxNesting {
		return w.fail(from, fmt.Sprintf("its indexes lie more than %d deep in each other", maxNesting), adviceRebuild)
	}
	if !namesContent(d.MediaType) && w.batch.store.layout != nil { // it stays where it is
		_, err := w.unread(from, descriptorOf(d), d.Digest)
		w.seen[d.Digest] = w.seen[d.Digest] || err == nil
		return err
	}
	name, file, err := w.blob(ctx, from, descriptorOf(d))
	if err != nil {
		return err
	}
	w.seen[d.Digest] = true
	if !namesContent(d.MediaType) {
		return nil
	}
	var doc document
	if _, err := w.document(name, file, &doc); err != nil {
		return err
	}
	for _, child := range slices.Concat(doc.Manifests, doc.content()) {
		var absent *absentError
		if !w.passes(child) {
			continue
		}
		if err := w.walk(ctx, name, child, depth+1); err != nil && !errors.As(err, &absent) {
			return err
		}
	}
	return nil
}

// namesContent tells whether bytes of a media type name other content.
func namesContent(mediaType string) bool {
	return slices.Contains([]string{
		mediaOCIIndex, mediaDockerIndex, mediaOCIManifest, mediaDockerManifest, mediaOCIArtifact,
	}, mediaType)
}

// IsIndex tells whether a media type is that of an OCI index or a docker manifest list.
func IsIndex(mediaType string) bool {
	return mediaType == mediaOCIIndex || mediaType == mediaDockerIndex
}
