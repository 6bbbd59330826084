package pusher

import (
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// TestATreeIsVisitedOnce: what two indexes name is one thing, read from the store as
// often as it is named, and what the first of them says of it holds.
func TestATreeIsVisitedOnce(t *testing.T) {
	t.Parallel()
	one := func(name string, below ...*bestImage) *bestImage {
		i := &bestImage{manifest: manifest{digest: digest.FromString(name)}}
		for _, b := range below {
			i.parts = append(i.parts, part{image: b})
		}
		i.add(&bestBlob{Descriptor: image.Descriptor{Digest: digest.FromString("blob of " + name)}})
		return i
	}
	first, again := one("shared"), one("shared")
	root := one("root", one("left", first), one("right", again, one("alone")))
	var got []digest.Digest
	root.each(func(i *bestImage) { got = append(got, i.manifest.digest) })
	var want []digest.Digest
	for _, name := range []string{"shared", "left", "alone", "right", "root"} {
		want = append(want, digest.FromString(name))
	}
	if !slices.Equal(got, want) {
		t.Errorf("visited %v, want %v", got, want)
	}
	first.held = true
	for _, b := range root.allBlobs(func(i *bestImage) bool { return !i.held }) {
		if b.Digest == first.blobs[0].Digest {
			t.Error("the blob of what the registry has is among those to be sent")
		}
	}
}
