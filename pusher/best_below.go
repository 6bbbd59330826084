package pusher

import (
	"context"
	"fmt"
	"strings"
)

// below makes sure that the registry has everything below a tag's manifest or
// index: first all blobs, of every platform, several at once; then the manifests
// under their digests, those of one height in the tree at once. What an earlier push
// brought is asked for as a whole.
func (p *bestPush) below(ctx context.Context, tag string, root *bestImage) error {
	if err := p.elsewhere(ctx, tag, root); err != nil {
		return err
	}
	levels := make([][]*bestImage, root.height())
	var known []*bestImage
	root.each(func(img *bestImage) {
		if img == root {
			return
		}
		h := img.height()
		levels[h] = append(levels[h], img)
		if p.pushedBefore(img) {
			known = append(known, img)
		}
	})
	if err := p.job.eachImageAtOnce(ctx, known, p.askHeld); err != nil {
		return err
	}
	if err := p.blobs(ctx, root.allBlobs(func(i *bestImage) bool { return !i.held })); err != nil {
		return err
	}
	for _, level := range levels {
		if err := p.job.eachImageAtOnce(ctx, level, p.child); err != nil {
			return err
		}
	}
	return nil
}

// pushedBefore tells whether this repository got a blob of the image at an earlier
// push: then it may well have all of it.
func (p *bestPush) pushedBefore(img *bestImage) bool {
	for _, b := range img.blobs {
		for _, e := range p.job.metadata.Entries(b.Digest) {
			if e.SourceRepository == p.job.Name.Canonical {
				return true
			}
		}
	}
	return false
}

// askHeld asks whether the registry has an image with all below it.
func (p *bestPush) askHeld(ctx context.Context, img *bestImage) error {
	var err error
	img.held, err = p.holds(ctx, img.manifest.digest.String(), img.manifest)
	return err
}

// child puts what an index names under its digest.
func (p *bestPush) child(ctx context.Context, img *bestImage) error {
	if img.held {
		return p.refer(ctx, img, "")
	}
	return p.publish(ctx, img.manifest.digest.String(), img)
}

// elsewhere looks whether the registry has what an index names and the store has
// not, before anything is sent.
func (p *bestPush) elsewhere(ctx context.Context, tag string, root *bestImage) error {
	var lacking []string
	for _, m := range root.missing() {
		there, err := p.holds(ctx, m.Digest.String(), manifest{mediaType: m.MediaType, digest: m.Digest})
		if err != nil {
			return err
		}
		if there {
			continue
		}
		name := m.Digest.String()
		if platform := m.platform(p.job.Images); platform != "" {
			name = platform + " (" + name + ")"
		}
		lacking = append(lacking, name)
	}
	if len(lacking) == 0 {
		return nil
	}
	return fmt.Errorf("the index of %s names %s, which is neither here nor in the registry; load the image with all that it names, or push one platform of it",
		p.job.reference(tag), strings.Join(lacking, " and "))
}
