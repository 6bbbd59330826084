package image

import (
	"context"
	"slices"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// artifact loads a manifest that index.json lists and that is none of an image, such as
// a signature, a chart or a list of what an image is made of. It has no root file
// system, so whoever pushes it sends what is stored.
//
// Errors: *absentError; *notImageError where it is nothing that can be pushed either.
func (l *layoutLoad) artifact(ctx context.Context, c candidate, refusal *notImageError) (layoutImage, error) {
	d := c.descriptor
	if !c.direct || l.wanted != nil || d.MediaType != "" && !canBeArtifact(d.MediaType) { // what is not direct, the index has; and it is for no platform
		return layoutImage{}, refusal
	}
	name, file, err := l.blob(ctx, c.from, descriptorOf(d))
	if err != nil {
		return layoutImage{}, err
	}
	var doc document
	if _, err := l.document(name, file, &doc); err != nil {
		return layoutImage{}, err
	}
	if d.MediaType == "" {
		d.MediaType = doc.MediaType
	}
	if !canBeArtifact(d.MediaType) {
		return layoutImage{}, refusal
	}
	below, err := l.index(ctx, c.from, d) // everything that is there of it
	if err != nil {
		return layoutImage{}, err
	}
	manifest := descriptorOf(d)
	o := Origin{Manifest: &manifest, Artifact: true}
	if doc.Config != nil {
		o.Config = descriptorOf(*doc.Config)
	}
	for _, part := range doc.content() {
		if len(part.URLs) == 0 && !slices.Contains(below.Blobs, part.Digest) {
			return layoutImage{}, l.absent(name, part.Digest)
		}
		if l.batch.store.layout == nil {
			o.Layers = append(o.Layers, descriptorOf(part))
		}
	}
	return l.addArtifact(manifest.Digest, o), nil
}

// canBeArtifact tells whether a manifest of that media type may be of something else
// than an image: those of docker are too, of its plugins.
func canBeArtifact(mediaType string) bool {
	return slices.Contains([]string{mediaOCIManifest, mediaOCIArtifact, mediaDockerManifest}, mediaType)
}

// artifacts loads the indexes of one name in which there is no image, but something
// else: a cache of a build, or artifacts alone.
func (l *layoutLoad) artifacts(ctx context.Context, from string, descriptors []v1.Descriptor) ([]layoutImage, error) {
	var found []layoutImage
	for _, d := range descriptors {
		if !IsIndex(d.MediaType) || l.wanted != nil {
			continue
		}
		index, err := l.index(ctx, from, d)
		if err != nil {
			return nil, err
		}
		if len(index.Blobs) > 0 {
			found = append(found, l.addArtifact(d.Digest, Origin{Index: index, Artifact: true}))
		}
	}
	return found, nil
}

func (l *layoutLoad) addArtifact(content digest.Digest, o Origin) layoutImage {
	return layoutImage{Loaded: Loaded{Image: l.batch.addWhole(content, o), Content: content, Artifact: true}, config: o.Config.Digest}
}

// addWhole adds content that is pushed as it is stored, under an ID of its own: one
// layer that holds nothing, for its tags to lead to.
func (b *batch) addWhole(d digest.Digest, o Origin) string {
	id := d.Encoded()
	if !validID(id) {
		id = digest.FromString(id).Encoded()
	}
	b.addLayer(stagedLayer{id: id, v1: []byte("{}"), derived: true, rec: record{DiffID: emptyDiffID, Size: emptyTar, Made: &content{}}})
	b.addOrigin(id, o)
	return id
}
