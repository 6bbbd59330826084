package image

import (
	"context"
	"slices"
)

// artifact loads a manifest that is none of an image, such as a signature or a list
// of what an image is made of, from a layout that stays where it lies: whoever pushes
// from there sends what is stored, and needs no root file system.
//
// Errors: *absentError; *notImageError where images alone can be loaded.
func (l *layoutLoad) artifact(ctx context.Context, c candidate, refusal *notImageError) (layoutImage, error) {
	d := c.descriptor
	if l.batch.store.layout == nil || !c.direct || !slices.Contains([]string{mediaOCIManifest, mediaOCIArtifact}, d.MediaType) {
		return layoutImage{}, refusal
	}
	below, err := l.index(ctx, c.from, d) // everything that is there of it
	if err != nil {
		return layoutImage{}, err
	}
	name, file, err := l.blob(ctx, c.from, descriptorOf(d))
	if err != nil {
		return layoutImage{}, err
	}
	var doc document
	if _, err := l.document(name, file, &doc); err != nil {
		return layoutImage{}, err
	}
	manifest := descriptorOf(d)
	o := Origin{Manifest: &manifest}
	if doc.Config != nil {
		o.Config = descriptorOf(*doc.Config)
	}
	for _, part := range doc.content() {
		if len(part.URLs) == 0 && !slices.Contains(below.Blobs, part.Digest) {
			return layoutImage{}, l.absent(name, part.Digest)
		}
	}
	ids := l.addUnread(o)
	return layoutImage{Loaded: Loaded{Image: ids[0], Content: manifest.Digest, Artifact: true}, config: o.Config.Digest}, nil
}
