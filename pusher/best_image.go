package pusher

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// A bestImage is an image or an index as it goes to a registry, byte for byte.
// Whoever opened it closes it.
type bestImage struct {
	manifest manifest
	blobs    []*bestBlob       // of a manifest: its config and layers, each digest once
	config   *image.Descriptor // of a manifest that has one
	parts    []part            // of an index, in its order
	refers   *reference        // to another manifest; nil to none
	held     bool              // the registry has it, with all below it
	packed   bool              // it came without a manifest, and got one now
	buffers  []*bufferedLayer
}

// A bestBlob is a layer or a config.
type bestBlob struct {
	image.Descriptor
	foreign bool // it has URLs of its own and is left where it is
	// open opens the bytes, unverified, at their start. The caller closes it.
	open func() (io.ReadSeekCloser, error)
}

// openBestImage reads what a tag stands for: the index that it came with, or of that
// the image for the platform that was asked for; an image as it came, where it came
// with a manifest; else as docker would write it, with layers that were compressed now.
//
// Errors: *PlatformError.
func openBestImage(ctx context.Context, job *Job, tag string) (*bestImage, error) {
	index, err := job.Images.Index(job.Name.Local, tag)
	if err != nil {
		return nil, err
	}
	if index != nil {
		root, err := storedTree(job, index.Descriptor, 0)
		if err != nil || job.platform == nil {
			return root, err
		}
		return root.pick(job, tag)
	}
	if err := job.checkPlatform(tag, job.Tags[tag]); err != nil {
		return nil, err
	}
	origin, err := job.Images.Origin(job.Name.Local, tag)
	if err != nil {
		return nil, err
	}
	if origin != nil && origin.Manifest != nil {
		return storedTree(job, *origin.Manifest, 0)
	}
	return packedImage(ctx, job, job.Tags[tag])
}

// noImage is the error of an image that cannot be read, in the era's words.
func (j *Job) noImage(tag string, err error) error {
	var absent *PlatformError
	if errors.As(err, &absent) {
		return err
	}
	return localError{text: fmt.Sprintf(j.Era.Words.NoImage, j.reference(tag), err), cause: err}
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
	local, err := job.Images.Image(id)
	if err != nil {
		return nil, err
	}
	img := &bestImage{packed: true}
	layers := make([]*bestBlob, len(local.Layers))
	if err := img.pack(ctx, job, local.Layers, layers); err != nil {
		img.close()
		return nil, err
	}
	config := image.Descriptor{MediaType: mediaConfig, Digest: digest.FromBytes(local.Config), Size: int64(len(local.Config))}
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
	img.add(&bestBlob{Descriptor: config, open: func() (io.ReadSeekCloser, error) { return inMemory(local.Config), nil }})
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
