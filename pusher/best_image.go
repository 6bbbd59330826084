package pusher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// A bestImage is an image as it goes to a registry, byte for byte. Whoever opened
// it closes it.
type bestImage struct {
	manifest manifest
	blobs    []*bestBlob // each digest once
	buffers  []*bufferedLayer
}

// A bestBlob is a layer or a config.
type bestBlob struct {
	image.Descriptor
	foreign bool // it has URLs of its own and is left where it is
	// open opens the bytes, unverified, at their start. The caller closes it.
	open func() (io.ReadSeekCloser, error)
}

// openBestImage reads an image by its top layer: as it came, where it came with a
// manifest; else as docker would write it, with layers that were compressed now.
func openBestImage(ctx context.Context, job *Job, id string) (*bestImage, error) {
	origins, err := job.Images.Origins(id)
	if err != nil {
		return nil, err
	}
	for _, o := range origins {
		if o.Manifest != nil {
			return storedImage(job, o)
		}
	}
	return packedImage(ctx, job, id)
}

// storedImage is an image as its source had it.
func storedImage(job *Job, o image.Origin) (*bestImage, error) {
	data, err := readBlob(job.Images, "manifest", *o.Manifest)
	if err != nil {
		return nil, err
	}
	var m struct {
		Config descriptor   `json:"config"`
		Layers []descriptor `json:"layers"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("manifest %s: %w", o.Manifest.Digest, err)
	}
	img := &bestImage{manifest: manifest{
		mediaType: o.Manifest.MediaType, bytes: data, digest: o.Manifest.Digest, size: int64(len(data)),
	}}
	for _, d := range append(m.Layers, m.Config) {
		img.add(&bestBlob{
			Descriptor: image.Descriptor{MediaType: d.MediaType, Digest: digest.Digest(d.Digest), Size: d.Size},
			foreign:    len(d.URLs) > 0,
			open:       stored(job.Images, digest.Digest(d.Digest)),
		})
	}
	return img, nil
}

func stored(images *image.Store, d digest.Digest) func() (io.ReadSeekCloser, error) {
	return func() (io.ReadSeekCloser, error) { return images.OpenUnverified(d) }
}

// add adds a blob unless it is there.
func (i *bestImage) add(b *bestBlob) {
	for _, have := range i.blobs {
		if have.Digest == b.Digest {
			return
		}
	}
	i.blobs = append(i.blobs, b)
}

// close removes what was compressed.
func (i *bestImage) close() {
	for _, b := range i.buffers {
		b.remove()
	}
}

// packedImage makes a manifest for an image that came without one. Its layers are
// compressed into files that live as long as the push, unless they came
// compressed.
func packedImage(ctx context.Context, job *Job, id string) (*bestImage, error) {
	local, err := openImage(job.Images, id)
	if err != nil {
		return nil, err
	}
	img := &bestImage{}
	layers := make([]*bestBlob, len(local.layers))
	if err := img.pack(ctx, job, local.layers, layers); err != nil {
		img.close()
		return nil, err
	}
	config := image.Descriptor{MediaType: mediaConfig, Digest: digest.FromBytes(local.config), Size: int64(len(local.config))}
	list := make([]image.Descriptor, len(layers))
	for i, b := range layers {
		list[i] = b.Descriptor
		img.add(b)
	}
	data, err := encodeSchema2(config, list)
	if err != nil {
		img.close()
		return nil, err
	}
	img.add(&bestBlob{Descriptor: config, open: func() (io.ReadSeekCloser, error) { return inMemory(local.config), nil }})
	img.manifest = manifest{mediaType: mediaSchema2, bytes: data, digest: digest.FromBytes(data), size: int64(len(data))}
	return img, nil
}

// pack fills blobs with the layers, two at a time.
func (i *bestImage) pack(ctx context.Context, job *Job, layers []image.Layer, blobs []*bestBlob) error {
	limit, group := clock.NewLimit(job.Clock, 2), clock.NewGroup(job.Clock)
	errs := make([]error, len(layers))
	buffers := make([]*bufferedLayer, len(layers))
	first := map[digest.Digest]int{}
	for n, l := range layers {
		if _, again := first[l.DiffID]; again {
			continue
		}
		first[l.DiffID] = n
		if l.Blob != nil {
			d := *l.Blob
			d.MediaType = mediaLayer
			blobs[n] = &bestBlob{Descriptor: d, open: stored(job.Images, d.Digest)}
			continue
		}
		place := limit.Queue()
		group.Go(func() {
			defer place.Leave()
			if errs[n] = place.Wait(ctx); errs[n] == nil {
				r := &repository{job: job}
				buffers[n], errs[n] = r.buffer(ctx, l)
			}
		})
	}
	group.Wait()
	for n, b := range buffers {
		if b == nil {
			continue
		}
		i.buffers = append(i.buffers, b)
		blobs[n] = &bestBlob{Descriptor: image.Descriptor{MediaType: mediaLayer, Digest: b.digest, Size: b.size}, open: b.reopen}
	}
	for n, l := range layers {
		blobs[n] = blobs[first[l.DiffID]]
	}
	return errors.Join(errs...)
}
