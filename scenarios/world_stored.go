package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// stored tells whether an image is made up with a manifest of its own, byte for
// byte, instead of as a chain of layers that the client makes one for.
func (i Image) stored() bool {
	return i.Media == image.MediaOCI || len(i.Platforms) > 0 || len(i.Foreign) > 0 || len(i.Annotations) > 0 || i.Subject != ""
}

// makeStored makes such an image up.
func (w *world) makeStored(ctx context.Context, r image.Recipe) ([]string, error) {
	i := w.s.Image
	as := image.Stored{Media: i.Media, Platforms: i.Platforms, Missing: i.Missing, Annotations: i.Annotations, Subject: i.Subject}
	if as.Media == "" {
		as.Media = image.MediaDocker
		if len(i.Annotations) > 0 || i.Subject != "" {
			as.Media = image.MediaOCI
		}
	}
	for _, n := range i.Foreign {
		as.Foreign = append(as.Foreign, n-1)
	}
	loaded, err := w.store.MakeStored(ctx, r, as)
	if err != nil {
		return nil, err
	}
	return w.choose(loaded)
}

// choose takes of what was loaded the image for the client's platform, or else the
// usual one, and gives its layers, bottom first.
func (w *world) choose(loaded []image.Loaded) ([]string, error) {
	picked := max(0, slices.IndexFunc(loaded, func(l image.Loaded) bool { return !l.Other }))
	if want := w.s.Client.Platform; want != "" {
		if i := slices.IndexFunc(loaded, func(l image.Loaded) bool { return l.Platform == want }); i >= 0 {
			picked = i
		}
	}
	w.index = loaded[picked].Content
	var ids []string
	for l, err := range w.store.Chain(loaded[picked].Image) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, l.ID)
	}
	slices.Reverse(ids)
	return ids, nil
}

// platform is the one that a push is asked for; nil for none.
func (w *world) platform() (*v1.Platform, error) {
	if w.s.Client.Platform == "" || w.era.Words.NoPlatform == "" && w.era.Way == pusher.WayGraph {
		return nil, nil //nolint:nilnil // before docker 28 a platform is what was pulled, and nothing is asked for
	}
	p, err := pusher.ParsePlatform(w.s.Client.Platform)
	return &p, err
}

// readIndex notes what of an index must be in the registry before its tag is.
func (w *world) readIndex(c *contents) error {
	if w.index == "" || w.era.Way == pusher.WayGraph || w.s.Client.Platform != "" {
		return nil
	}
	var doc v1.Index
	if err := w.readJSON(w.index, &doc); err != nil {
		return err
	}
	if doc.Manifests == nil {
		return nil // a manifest alone
	}
	c.index = w.index
	for n, d := range doc.Manifests {
		if !w.store.HasBlob(d.Digest) {
			c.index = "" // it cannot be pushed whole
			c.below = nil
			return nil
		}
		name := fmt.Sprintf("manifest %d of the index", n+1)
		c.below = append(c.below, content{name: name, digest: d.Digest})
		var m v1.Manifest
		if err := w.readJSON(d.Digest, &m); err != nil {
			return err
		}
		for i, l := range m.Layers {
			if len(l.URLs) == 0 {
				c.below = append(c.below, content{name: fmt.Sprintf("layer%d of %s", i+1, name), digest: l.Digest, of: d.Digest})
			}
		}
	}
	return nil
}

func (w *world) readJSON(d digest.Digest, v any) error {
	data, err := readStored(w.store, d)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// referrer is the name of a referrer of others that a registry can have.
const referrer = "referrer"

// stockReferrer puts a manifest into a repository that refers to the image's
// subject, as another client did it: with an entry under the fallback tag where the
// registry keeps no list of its own.
func (w *world) stockReferrer(h *host, repo string) error {
	subject, _ := image.Subject(w.s.Image.Subject)
	of := v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}
	empty := v1.DescriptorEmptyJSON
	empty.Data = nil
	body, err := json.Marshal(v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		ArtifactType: "application/vnd.example.sbom", Config: empty, Layers: []v1.Descriptor{empty}, Subject: &of,
	})
	if err != nil {
		return err
	}
	storage := h.registry.Storage()
	info := fakeregistry.ManifestInfo{MediaType: v1.MediaTypeImageManifest, Subject: subject.Digest, ArtifactType: "application/vnd.example.sbom"}
	d, err := storage.PutManifest(repo, "", info, body)
	if err != nil {
		return err
	}
	if h.spec.Kind == KindFake && h.spec.Quirks["no-referrers"] != true { // distribution has no list of referrers
		return nil
	}
	list, err := json.Marshal(v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex,
		Manifests: []v1.Descriptor{{MediaType: v1.MediaTypeImageManifest, Digest: d, Size: int64(len(body)), ArtifactType: info.ArtifactType}},
	})
	if err != nil {
		return err
	}
	_, err = storage.PutManifest(repo, fallbackTag(subject.Digest), fakeregistry.ManifestInfo{MediaType: v1.MediaTypeImageIndex}, list)
	return err
}

// fallbackTag is where clients keep the referrers of a registry that lists none
// (distribution-spec 1.1, "Referrers Tag Schema").
func fallbackTag(d digest.Digest) string { return d.Algorithm().String() + "-" + d.Encoded() }
