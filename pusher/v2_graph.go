package pusher

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// pushTag pushes a tag's layers, several at once, then its config and manifest, as
// dockers since 1.10 do.
func (r *repository) pushTag(ctx context.Context, tag string) (Published, error) {
	img, err := r.job.Images.Image(r.job.Tags[tag])
	if err != nil {
		text := fmt.Sprintf(r.job.Era.Words.NoImage, r.job.reference(tag), err, r.job.Tags[tag])
		return Published{}, at(StageUpload, localError{text: text, cause: err})
	}
	layers, err := r.pushLayers(ctx, img.Layers)
	if err != nil {
		return Published{}, failed(StageUpload, err)
	}
	return r.publishImage(ctx, tag, img, layers)
}

// pushLayers queues all layers at once, top first, and awaits them in that order:
// the first of them that fails ends the rest (P-340, P-342). It gives descriptors
// for them, bottom first.
func (r *repository) pushLayers(ctx context.Context, layers []image.Layer) ([]image.Descriptor, error) {
	var shares []*share
	defer func() { releaseAll(shares) }()
	byDiffID := map[digest.Digest]*share{}
	for _, l := range slices.Backward(layers) {
		p := &layerPush{repository: r, layer: l, id: shortID(l.DiffID.Encoded()), checked: map[digest.Digest]bool{}}
		r.job.Report(p.saying("Preparing"))
		if byDiffID[l.DiffID] != nil { // equal layers are one (P-580)
			continue
		}
		s := r.job.transfers.share(ctx, p.key(), r.job.Report, p.saying("Waiting"), r.job.retain, p.run)
		shares = append(shares, s)
		byDiffID[l.DiffID] = s
	}
	done := map[digest.Digest]image.Descriptor{}
	for _, l := range slices.Backward(layers) {
		d, err := byDiffID[l.DiffID].wait(ctx)
		if err != nil {
			return nil, err
		}
		done[l.DiffID] = d
		r.learn(l.DiffID, d)
	}
	list := make([]image.Descriptor, len(layers))
	for i, l := range layers {
		list[i] = done[l.DiffID]
	}
	return list, nil
}

// learn notes that the registry has a layer.
func (r *repository) learn(diffID digest.Digest, d image.Descriptor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remote[diffID] = d
}

// publishImage puts the manifest of a tag in the first format that the registry
// takes. Layers are bottom first.
func (r *repository) publishImage(ctx context.Context, tag string, img image.Image, layers []image.Descriptor) (Published, error) {
	formats := r.job.Era.Manifests
	if r.job.allowSchema1 {
		formats = append(slices.Clone(formats), Schema1)
	}
	var failure error
	for _, format := range formats {
		m, err := r.manifestOf(ctx, format, tag, img, layers)
		if err != nil {
			return Published{}, failed(StagePublish, err)
		}
		p, err := r.publish(ctx, tag, m)
		if err == nil || ctx.Err() != nil {
			return p, err
		}
		r.job.Log.InfoContext(ctx, "manifest refused", "tag", tag, "media type", m.mediaType, "err", err)
		failure = err
	}
	prefix := r.job.Era.Manifest.TagInvalid
	var staged *StageError
	if prefix != "" && !r.job.allowSchema1 && failure.Error() == "tag invalid" && errors.As(failure, &staged) {
		staged.Err = fmt.Errorf("%s: %w", prefix, staged.Err)
	}
	return Published{}, failure
}

// manifestOf makes a tag's manifest, and sends the blobs that it alone needs.
func (r *repository) manifestOf(ctx context.Context, format Format, tag string, img image.Image, layers []image.Descriptor) (manifest, error) {
	if format == Schema1 {
		return r.schema1Of(ctx, tag, img, layers)
	}
	config, existed, err := r.put(ctx, img.Config)
	if err != nil {
		return manifest{}, err
	}
	source := r.job.Era.Manifest.ConfigType
	if source == ConfigTypeRight || source == ConfigTypeExisting && !existed {
		config.MediaType = mediaConfig
	}
	data, err := encodeSchema2(config, layers)
	if err != nil {
		return manifest{}, err
	}
	return manifest{format: Schema2, mediaType: mediaSchema2, bytes: data, digest: digest.FromBytes(data), size: int64(len(data))}, nil
}

// schema1Of makes the signed manifest of an image that has a config (P-377).
func (r *repository) schema1Of(ctx context.Context, tag string, img image.Image, layers []image.Descriptor) (manifest, error) {
	digests := make([]digest.Digest, len(layers))
	for i, l := range layers {
		digests[i] = l.Digest
	}
	v1, err := image.V1FromConfig(img.Config, digests)
	if err != nil {
		return manifest{}, err
	}
	var list []schema1Layer
	sent := false
	for _, l := range v1 {
		if l.Empty && !sent {
			if _, _, err := r.put(ctx, emptyLayer()); err != nil {
				return manifest{}, err
			}
			sent = true
		}
		list = append(list, schema1Layer{Digest: l.Blob, V1JSON: l.V1JSON})
	}
	slices.Reverse(list)
	m, err := r.signed(tag, list)
	m.mediaType = mediaSigned
	return m, err
}

// emptyLayer is the blob of image.EmptyLayerBlob, whose bytes every docker has
// built in.
func emptyLayer() []byte {
	return []byte{
		31, 139, 8, 0, 0, 9, 110, 136, 0, 255, 98, 24, 5, 163, 96, 20, 140, 88,
		0, 8, 0, 0, 255, 255, 46, 175, 181, 239, 0, 4, 0, 0,
	}
}
