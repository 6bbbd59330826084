package pusher

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// isManifest tells whether a media type is one that goes to /manifests/. What says
// nothing is taken for a manifest.
func isManifest(mediaType string) bool {
	return mediaType == "" || image.IsIndex(mediaType) || mediaType == v1.MediaTypeImageManifest || mediaType == mediaSchema2 ||
		mediaType == "application/vnd.oci.artifact.manifest.v1+json"
}

// maxDepth is how deep indexes may lie in each other.
const maxDepth = 16

// A storedDocument is what an index or a manifest says, whichever it is.
type storedDocument struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Config       *v1.Descriptor    `json:"config"`
	Layers       []v1.Descriptor   `json:"layers"`
	Blobs        []v1.Descriptor   `json:"blobs"`
	Manifests    []v1.Descriptor   `json:"manifests"`
	Subject      *v1.Descriptor    `json:"subject"`
	Annotations  map[string]string `json:"annotations"`
}

// A part is something that an index names.
type part struct {
	v1.Descriptor
	image *bestImage // nil when the store has it not, or not all of it
}

// platform is what an image is for, as the index says, or else as its config does.
func (p part) platform(images *image.Store) string {
	if p.Platform != nil && p.Platform.OS != "" {
		return platforms.FormatAll(*p.Platform)
	}
	if p.image == nil || p.image.config == nil {
		return ""
	}
	data, err := images.ReadBlob("config", p.image.config.Digest)
	if err != nil {
		return ""
	}
	var said v1.Platform
	if json.Unmarshal(data, &said) != nil || said.OS == "" {
		return ""
	}
	return platforms.FormatAll(said)
}

// storedTree reads an index or a manifest of the store, with what is below it.
func storedTree(job *Job, d image.Descriptor, depth int) (*bestImage, error) {
	data, err := job.Images.ReadBlob("manifest", d.Digest)
	if err != nil {
		return nil, err
	}
	var doc storedDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	if d.MediaType == "" {
		d.MediaType = doc.MediaType
	}
	img := &bestImage{
		manifest: manifest{mediaType: d.MediaType, bytes: data, digest: d.Digest, size: int64(len(data))},
		refers:   newReference(doc, d),
	}
	below := slices.Concat(doc.Layers, doc.Blobs)
	if doc.Config != nil {
		below = append(below, *doc.Config)
		img.config = &image.Descriptor{MediaType: doc.Config.MediaType, Digest: doc.Config.Digest, Size: doc.Config.Size}
	}
	for _, b := range below {
		img.add(storedBlob(job, b))
	}
	for _, child := range doc.Manifests {
		if depth == maxDepth {
			return nil, fmt.Errorf("index %s: indexes lie more than %d deep in each other", d.Digest, maxDepth)
		}
		if !isManifest(child.MediaType) { // a cache of buildkit lists its layers so
			img.add(storedBlob(job, child))
			continue
		}
		p := part{Descriptor: child}
		if job.Images.HasBlob(child.Digest) {
			p.image, err = storedTree(job, image.Descriptor{MediaType: child.MediaType, Digest: child.Digest, Size: child.Size}, depth+1)
			if err != nil {
				return nil, err
			}
			if p.image.lacks(job) {
				p.image = nil
			}
		}
		img.parts = append(img.parts, p)
	}
	return img, nil
}

func storedBlob(job *Job, d v1.Descriptor) *bestBlob {
	return &bestBlob{
		Descriptor: image.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size},
		foreign:    len(d.URLs) > 0 && !job.allowForeign && job.Era.Way == WayBest,
		open:       stored(job.Images, d.Digest),
	}
}

// lacks tells whether the store misses a blob of a manifest that would be sent.
func (i *bestImage) lacks(job *Job) bool {
	return slices.ContainsFunc(i.blobs, func(b *bestBlob) bool { return !b.foreign && !job.Images.HasBlob(b.Digest) })
}

// children are the images below an index that can be sent, each once.
func (i *bestImage) children() []*bestImage {
	var list []*bestImage
	for _, p := range i.parts {
		twice := slices.ContainsFunc(list, func(c *bestImage) bool { return p.image != nil && c.manifest.digest == p.image.manifest.digest })
		if p.image != nil && !twice {
			list = append(list, p.image)
		}
	}
	return list
}

// missing are the parts of an index, and of those in it, that cannot be sent.
func (i *bestImage) missing() []part {
	var list []part
	for _, p := range i.parts {
		if p.image == nil {
			list = append(list, p)
		} else {
			list = append(list, p.image.missing()...)
		}
	}
	return list
}

// each calls do for an image and all below it, each digest once and those below
// first.
func (i *bestImage) each(do func(*bestImage)) {
	seen := map[digest.Digest]bool{}
	var visit func(*bestImage)
	visit = func(one *bestImage) {
		if seen[one.manifest.digest] {
			return
		}
		seen[one.manifest.digest] = true
		for _, c := range one.children() {
			visit(c)
		}
		do(one)
	}
	visit(i)
}

// height is 0 for a manifest, and for an index one more than what is highest in it.
func (i *bestImage) height() int {
	h := 0
	for _, c := range i.children() {
		h = max(h, c.height()+1)
	}
	return h
}

// allBlobs are the blobs of an image and of those below it that keep lets pass,
// each once.
func (i *bestImage) allBlobs(keep func(*bestImage) bool) []*bestBlob {
	all := &bestImage{}
	i.each(func(one *bestImage) {
		if !keep(one) {
			return
		}
		for _, b := range one.blobs {
			all.add(b)
		}
	})
	return all.blobs
}

// images are the parts below an index that are images, whether they can be sent or
// not.
func (i *bestImage) images() []part {
	var list []part
	for _, p := range i.parts {
		switch {
		case image.IsAttestation(p.Descriptor):
		case p.image != nil && image.IsIndex(p.image.manifest.mediaType):
			list = append(list, p.image.images()...)
		default:
			list = append(list, p)
		}
	}
	return list
}

// pick finds the image in an index that is for the platform that was asked for.
//
// Errors: *PlatformError.
func (i *bestImage) pick(job *Job, tag string) (*bestImage, error) {
	var present []string
	for _, p := range i.images() {
		if p.image == nil {
			continue
		}
		platform := p.platform(job.Images)
		if PlatformMatches(*job.platform, platform) {
			return p.image, nil
		}
		if platform != "" && !slices.Contains(present, platform) {
			present = append(present, platform)
		}
	}
	return nil, newPlatformError(job, tag, present)
}
