package pusher

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// An AuxDescriptor is how docker 28 writes a descriptor in an aux object.
type AuxDescriptor struct {
	MediaType string        `json:"mediaType"`
	Digest    digest.Digest `json:"digest"`
	Size      int64         `json:"size"` // bytes
}

func auxDescriptor(m manifest) AuxDescriptor { return AuxDescriptor{m.mediaType, m.digest, m.size} }

// A ManifestPushedInsteadOfIndex is the aux object that says that an index was not
// all there, and the one image of it that was has been pushed (P-399).
type ManifestPushedInsteadOfIndex struct {
	ManifestPushedInsteadOfIndex bool          `json:"manifestPushedInsteadOfIndex"` // always true
	OriginalIndex                AuxDescriptor `json:"originalIndex"`
	SelectedManifest             AuxDescriptor `json:"selectedManifest"`
}

// A ContentMissing is the aux object that says that what was to be pushed is not all
// there (P-399).
type ContentMissing struct {
	ContentMissing bool          `json:"contentMissing"` // always true
	Desc           AuxDescriptor `json:"desc"`
}

// whole is what of a tag can be pushed: all of it, or of an index of which something
// is missing the one image that is there; of several, the host's (P-399).
//
// Errors: that nothing can, as containerd words it.
func (p *c8dPush) whole(tag string, target *bestImage) (*bestImage, error) {
	missing := p.firstMissing(target)
	if missing == "" {
		return target, nil
	}
	notFound := localError{text: fmt.Sprintf("content digest %s: not found", missing), cause: errMissingContent}
	if !image.IsIndex(target.manifest.mediaType) || p.job.platform != nil {
		p.job.Report(Event{Aux: ContentMissing{ContentMissing: true, Desc: auxDescriptor(target.manifest)}})
		return nil, notFound
	}
	var there []part
	for _, one := range target.images() {
		if one.image != nil {
			there = append(there, one)
		}
	}
	switch len(there) {
	case 0:
		return nil, localError{text: fmt.Sprintf("image with reference %s was found but does not provide any platform", p.job.familiar(tag)), cause: errMissingContent}
	case 1:
		return there[0].image, nil
	}
	i := slices.IndexFunc(there, func(one part) bool { return one.platform(p.job.Images) == usualPlatform })
	if i < 0 {
		return nil, localError{text: "multiple matching manifests found but no specific platform requested", cause: errMissingContent}
	}
	return there[i].image, nil
}

var errMissingContent = errors.New("not all of the image is there")

// firstMissing is the first content of an image that the store has not; "" for none.
func (p *c8dPush) firstMissing(img *bestImage) digest.Digest {
	if list := img.missing(); len(list) > 0 {
		return list[0].Digest
	}
	for _, b := range img.blobs {
		if !p.job.Images.HasBlob(b.Digest) {
			return b.Digest
		}
	}
	return ""
}

// sendAll pushes what is below a target and then the target: the blobs, the manifests
// under their digests, then the indexes, the inner ones first (P-392, P-397).
func (p *c8dPush) sendAll(ctx context.Context, tag string, target *bestImage) error {
	if err := p.blobs(ctx, target.allBlobs(func(*bestImage) bool { return true })); err != nil {
		return err
	}
	p.mu.Lock()
	p.publishing = true
	p.mu.Unlock()
	var manifests, indexes []*bestImage
	target.each(func(img *bestImage) {
		switch {
		case img == target:
		case image.IsIndex(img.manifest.mediaType):
			indexes = append(indexes, img)
		default:
			manifests = append(manifests, img)
		}
	})
	err := p.job.eachImageAtOnce(ctx, manifests, func(ctx context.Context, img *bestImage) error {
		return p.manifest(ctx, img.manifest.digest.String(), img.manifest)
	})
	if err != nil {
		return err
	}
	for _, img := range indexes {
		if err := p.manifest(ctx, img.manifest.digest.String(), img.manifest); err != nil {
			return indexRefused(err)
		}
	}
	if err := p.manifest(ctx, tag, target.manifest); err != nil {
		if image.IsIndex(target.manifest.mediaType) {
			return indexRefused(err)
		}
		return err
	}
	return nil
}

// indexRefused words the refusal of an index of which the registry says nothing
// more than that it is a bad request.
func indexRefused(err error) error {
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusBadRequest {
		return fmt.Errorf("manifest list/index references to blobs and/or manifests are missing in your target registry: %w", err)
	}
	return err
}
