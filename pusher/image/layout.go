package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxNesting is how deep indexes of a layout may lie in indexes.
const maxNesting = 8

// wantedPlatform is the image that a name of an index leads to, where the index
// has it; otherwise it is the first.
const wantedPlatform = "linux/amd64"

// A layoutImage is an image that was found through index.json.
type layoutImage struct {
	Loaded
	config digest.Digest
}

// A layoutLoad loads an OCI layout.
type layoutLoad struct {
	*source
	images  []layoutImage
	refused []error // what the index lists that is not an image
}

// loadLayout loads every image that index.json leads to. Images of an index whose
// blobs are not there are left out unless a name leads to them: tools write
// layouts that hold one platform of an index.
func (s *source) loadLayout(ctx context.Context) ([]layoutImage, error) {
	if err := s.layoutVersion(ctx); err != nil {
		return nil, err
	}
	const name = v1.ImageIndexFile
	file, err := s.fetch(ctx, name)
	if err != nil {
		return nil, err
	}
	var index v1.Index
	if _, err := s.document(name, file, &index); err != nil {
		return nil, err
	}
	l := &layoutLoad{source: s}
	for _, group := range groups(index.Manifests) {
		if err := l.group(ctx, name, group); err != nil {
			return nil, err
		}
	}
	if len(l.images) == 0 {
		if len(l.others) > 0 {
			return nil, l.noPlatform()
		}
		if len(l.refused) > 0 {
			return nil, l.refused[0]
		}
		return nil, s.fail(name, "it lists no image", adviceComplete)
	}
	return l.images, nil
}

// layoutVersion looks at the file oci-layout, where there is one.
func (s *source) layoutVersion(ctx context.Context) error {
	const name = v1.ImageLayoutFile
	there, err := s.has(ctx, name)
	if err != nil || !there {
		return err
	}
	file, err := s.fetch(ctx, name)
	if err != nil {
		return err
	}
	var layout v1.ImageLayout
	if _, err := s.document(name, file, &layout); err != nil {
		return err
	}
	if layout.Version != v1.ImageLayoutVersion {
		return s.fail(name, fmt.Sprintf("its imageLayoutVersion is %q; %s is known here", layout.Version, v1.ImageLayoutVersion), adviceRebuild)
	}
	return nil
}

// groups puts descriptors of the same name together: one name is one image, for
// one or more platforms. Descriptors without a name are alone.
func groups(manifests []v1.Descriptor) [][]v1.Descriptor {
	var all [][]v1.Descriptor
	at := map[refName]int{}
	for _, d := range manifests {
		name := nameOf(d.Annotations)
		i, ok := at[name]
		if !ok || name.shown == "" {
			at[name] = len(all)
			all = append(all, nil)
			i = len(all) - 1
		}
		all[i] = append(all[i], d)
	}
	return all
}

// A candidate is an image manifest that a name may lead to.
type candidate struct {
	descriptor v1.Descriptor
	from       string // the index that lists it
	index      *Index // that index.json lists, below which it lies; nil for one that index.json lists itself
	direct     bool   // in index.json itself: it has to be there
}

// group loads the images of one name and picks the one that it leads to.
func (l *layoutLoad) group(ctx context.Context, name string, descriptors []v1.Descriptor) error {
	var candidates []candidate
	for _, d := range descriptors {
		if err := l.collect(ctx, candidate{descriptor: d, from: name, direct: true}, 0, &candidates); err != nil {
			return err
		}
	}
	ref := nameOf(descriptors[0].Annotations)
	start := len(l.images)
	var missing error
	for _, c := range candidates {
		img, err := l.image(ctx, c)
		var absent *absentError
		var refusal *notImageError
		if errors.As(err, &refusal) {
			img, err = l.artifact(ctx, c, refusal)
		}
		switch {
		case errors.As(err, new(*otherPlatformError)):
		case errors.As(err, &refusal):
			l.refused = append(l.refused, refusal.error)
		case errors.As(err, &absent) && !c.direct:
			missing = cmp.Or[error](missing, absent.error)
		case errors.As(err, &absent):
			return absent.error
		case err != nil:
			return err
		default:
			l.images = append(l.images, img)
		}
	}
	if len(l.images) == start {
		if missing != nil {
			return missing
		}
		found, err := l.artifacts(ctx, name, descriptors)
		if err != nil || len(found) == 0 { // nothing that it had can be pushed
			return err
		}
		l.images = append(l.images, found...)
	}
	return l.pick(l.images[start:], ref)
}

// pick gives images their name, and marks all but the one that it leads to.
func (l *layoutLoad) pick(images []layoutImage, ref refName) error {
	picked := slices.IndexFunc(images, isWanted)
	if picked < 0 {
		picked = max(0, slices.IndexFunc(images, func(i layoutImage) bool { return !i.Artifact }))
	}
	for i := range images {
		images[i].Name, images[i].Repository, images[i].Tag = ref.shown, ref.repository, ref.tag
		images[i].Other = i != picked
	}
	if ref.repository == "" || ref.tag == "" {
		return nil
	}
	_, err := l.named(v1.ImageIndexFile, ref.repository, ref.tag, images[picked].Loaded)
	return err
}

// collect lists the image manifests that a descriptor leads to.
func (l *layoutLoad) collect(ctx context.Context, c candidate, depth int, into *[]candidate) error {
	d := c.descriptor
	if !IsIndex(d.MediaType) {
		blob := !c.direct && d.MediaType != "" && !namesContent(d.MediaType) // a cache of buildkit lists its layers so
		if !IsAttestation(d) && !blob {
			*into = append(*into, c)
		}
		return nil
	}
	if depth == maxNesting {
		return l.fail(c.from, fmt.Sprintf("its indexes lie more than %d deep in each other", maxNesting), adviceRebuild)
	}
	if c.direct {
		var err error
		if c.index, err = l.index(ctx, c.from, d); err != nil {
			var absent *absentError
			if errors.As(err, &absent) {
				return absent.error
			}
			return err
		}
	}
	name, file, err := l.blob(ctx, c.from, descriptorOf(d))
	if err != nil {
		var absent *absentError
		if errors.As(err, &absent) {
			return nil
		}
		return err
	}
	var index v1.Index
	if _, err := l.document(name, file, &index); err != nil {
		return err
	}
	for _, child := range index.Manifests {
		if !l.passes(child) {
			continue
		}
		if err := l.collect(ctx, candidate{descriptor: child, from: name, index: c.index}, depth+1, into); err != nil {
			return err
		}
	}
	return nil
}

// IsAttestation tells whether what an index lists is a statement about an image beside
// it, and none itself.
func IsAttestation(d v1.Descriptor) bool {
	return d.Annotations["vnd.docker.reference.type"] != "" ||
		d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
}
