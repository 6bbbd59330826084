package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"path"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// containerdName is the annotation with which containerd names what a layout holds.
const containerdName = "io.containerd.image.name"

// A savedBlob is a blob of a layout that is being written.
type savedBlob struct {
	size int64 // bytes
	open func() (io.ReadCloser, error)
}

// A savedLayout is an OCI layout that is being put together.
type savedLayout struct {
	images *image.Store
	blobs  map[digest.Digest]savedBlob
	index  v1.Index
	items  []manifestItem
	bare   bool // index.json says nothing of platforms, as with containerd
}

// layout prepares an OCI layout with what older dockers read beside it.
func (s *saving) layout() (func(*tarball) error, error) {
	l := &savedLayout{
		images: s.engine.config.Images, blobs: map[digest.Digest]savedBlob{},
		index: v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{}},
		bare:  s.engine.config.Era.Archive == pusher.ArchiveContent,
	}
	for _, i := range s.images {
		add := l.content
		if i.content == "" {
			if err := s.present(i); err != nil {
				return nil, err
			}
			add = l.packed
		}
		if err := add(i); err != nil {
			return nil, err
		}
	}
	return func(t *tarball) error {
		if err := l.write(t); err != nil {
			return err
		}
		if l.bare {
			return t.close()
		}
		return s.repositories(t, l.top)
	}, nil
}

// top is what dockers with a graph write of an image into the file repositories: the
// last of its layers.
func (l *savedLayout) top(i *savedImage) string {
	img, err := l.images.Image(i.id)
	if err != nil || len(img.Layers) == 0 {
		return i.id
	}
	return img.Layers[len(img.Layers)-1].DiffID.Encoded()
}

// content adds an index or a manifest as it is stored, with all below it that is.
func (l *savedLayout) content(i *savedImage) error {
	origins, err := l.images.Origins(i.id)
	if err != nil {
		return err
	}
	for _, o := range origins {
		below := []digest.Digest{}
		var root image.Descriptor
		switch {
		case isIndexOf(o, i.content):
			root, below = o.Index.Descriptor, o.Index.Blobs
		case o.Manifest != nil && o.Manifest.Digest == i.content:
			root = *o.Manifest
		default:
			continue
		}
		if o.Config.Digest != "" {
			below = append(slices.Clone(below), o.Config.Digest)
		}
		for _, layer := range o.Layers {
			below = append(below, layer.Digest)
		}
		for _, d := range append(below, root.Digest) {
			if err := l.stored(d); err != nil {
				return err
			}
		}
		l.list(i, v1.Descriptor{MediaType: root.MediaType, Digest: root.Digest, Size: root.Size})
		if !o.Artifact {
			l.item(i, o.Config.Digest, o.Layers)
		}
		return nil
	}
	return noSuchImage(i.content.String())
}

// stored adds a blob of the store, unless the store has it not.
func (l *savedLayout) stored(d digest.Digest) error {
	if _, twice := l.blobs[d]; twice {
		return nil
	}
	f, err := l.images.OpenUnverified(d)
	if errors.Is(err, image.ErrNoBlob) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	size, err := f.Seek(0, io.SeekEnd)
	l.blobs[d] = savedBlob{size, func() (io.ReadCloser, error) { return l.images.OpenBlob(d) }}
	return err
}

// packed adds an image as dockers with a graph write it: its layers plain.
func (l *savedLayout) packed(i *savedImage) error {
	img, err := l.images.Image(i.id)
	if err != nil {
		return err
	}
	var p v1.Platform
	if err := json.Unmarshal(img.Config, &p); err != nil {
		return err
	}
	m := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Config: l.made(v1.MediaTypeImageConfig, img.Config), Layers: []v1.Descriptor{},
	}
	var layers []image.Descriptor
	for _, layer := range img.Layers {
		l.blobs[layer.DiffID] = savedBlob{layer.Size, func() (io.ReadCloser, error) { return l.images.OpenTar(layer.ID) }}
		layers = append(layers, image.Descriptor{MediaType: v1.MediaTypeImageLayer, Digest: layer.DiffID, Size: layer.Size})
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: v1.MediaTypeImageLayer, Digest: layer.DiffID, Size: layer.Size})
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	root := l.made(v1.MediaTypeImageManifest, data)
	if !l.bare && p.OS != "" && p.Architecture != "" {
		root.Platform = &p
	}
	l.list(i, root)
	l.item(i, m.Config.Digest, layers)
	return nil
}

// made adds a blob of a few bytes.
func (l *savedLayout) made(mediaType string, data []byte) v1.Descriptor {
	d := v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	l.blobs[d.Digest] = savedBlob{d.Size, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
	return d
}

// list has index.json list a descriptor, once under each name of the image.
func (l *savedLayout) list(i *savedImage, d v1.Descriptor) {
	if len(i.names) == 0 {
		l.index.Manifests = append(l.index.Manifests, d)
	}
	for _, n := range i.names {
		canonical := n.repository
		if parsed, err := pusher.ParseName(n.repository); err == nil {
			canonical = parsed.Canonical
		}
		d.Annotations = map[string]string{containerdName: join(canonical, n.tag), v1.AnnotationRefName: n.tag}
		l.index.Manifests = append(l.index.Manifests, d)
	}
}

// item has manifest.json list an image.
func (l *savedLayout) item(i *savedImage, config digest.Digest, layers []image.Descriptor) {
	item := manifestItem{Config: blobPath(config), RepoTags: i.tags()}
	for _, layer := range layers {
		item.Layers = append(item.Layers, blobPath(layer.Digest))
	}
	l.items = append(l.items, item)
}

func blobPath(d digest.Digest) string {
	return path.Join(v1.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

// write writes the layout.
func (l *savedLayout) write(t *tarball) error {
	if err := t.dir(v1.ImageBlobsDir); err != nil {
		return err
	}
	last := ""
	for _, d := range slices.Sorted(maps.Keys(l.blobs)) {
		if dir := path.Dir(blobPath(d)); dir != last {
			last = dir
			if err := t.dir(dir); err != nil {
				return err
			}
		}
		if err := t.stream(blobPath(d), l.blobs[d].size, l.blobs[d].open); err != nil {
			return err
		}
	}
	if err := t.json(v1.ImageIndexFile, l.index); err != nil {
		return err
	}
	if l.items != nil {
		if err := t.json("manifest.json", l.items); err != nil {
			return err
		}
	}
	return t.json(v1.ImageLayoutFile, v1.ImageLayout{Version: v1.ImageLayoutVersion})
}
