package scenarios

import (
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
)

// registry judges what the registry holds after the push.
func (j *judge) registry() {
	x := j.p.expect.Registry
	if x == nil {
		return
	}
	for _, tag := range sortedKeys(x.Tags) {
		j.tag(tag, x.Tags[tag])
	}
	for _, name := range sortedKeys(x.Blobs) {
		j.blob(name, x.Blobs[name])
	}
	if x.Uploads != nil {
		switch n := j.p.after.uploads; {
		case n < 0:
			j.fail("registry.uploads", "", "this registry does not tell its open upload sessions")
		case !in(int64(n), *x.Uploads):
			j.fail("registry.uploads", "", "%d upload sessions are open, not %s", n, formatRange(*x.Uploads, plain))
		}
	}
	if x.Referrers != nil && !in(int64(j.p.after.referrers), *x.Referrers) {
		j.fail("registry.referrers", "", "%s to the subject, not %s", count(j.p.after.referrers, "manifest refers", "manifests refer"), formatRange(*x.Referrers, plain))
	}
	if x.Schema1 != nil {
		j.schema1(*x.Schema1)
	}
	for _, name := range sortedKeys(x.V1) {
		j.v1(name, x.V1[name])
	}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// tagKey is how states name a tag of the pushed repository, or of another.
func tagKey(repository, tag string) string {
	if repo, name, ok := splitReference(tag); ok {
		return repo + ":" + name
	}
	return repository + ":" + tag
}

func (j *judge) tag(name, want string) {
	key := tagKey(j.p.repository, name)
	got := j.p.after.tags[key]
	part := "registry.tags." + name
	bad := func(format string, args ...any) { j.fail(part, "", "tag "+name+" "+format, args...) }
	switch {
	case want == "absent":
		if got.found {
			bad("is there and names %s", nameOf(got))
		}
	case want == "unchanged":
		if before := j.p.before.tags[key]; !got.same(before) {
			bad("changed: it named %s and now names %s", nameOf(before), nameOf(got))
		}
	case !got.found:
		bad("is not there")
	case want == "broken":
		if got.broken == "" {
			bad("is whole")
		}
	case got.broken != "":
		bad("is broken: %s", got.broken)
	case want == "pushed":
		if why := isImage(got, j.p.contents, ""); why != "" {
			bad("is not the image: %s", why)
		}
	case got.format != want:
		bad("names a %s manifest, not %s", got.format, want)
	}
}

func nameOf(t tagState) string {
	switch {
	case !t.found:
		return "nothing"
	case t.image != "":
		return "image " + t.image[:min(12, len(t.image))]
	}
	return short(string(t.digest))
}

// isImage says why a tag is not the scenario's image, or a chain of its lower
// layers when top names one; "" when it is.
func isImage(t tagState, c *contents, top string) string {
	layers := c.upTo(top)
	if t.format == "v1" || t.image != "" {
		return sameIDs(t.images, layers)
	}
	if t.format == "list" || t.format == "index" {
		return indexIs(t, c)
	}
	if len(t.layers) != len(layers) {
		return fmt.Sprintf("it has %d layers, not %d", len(t.layers), len(layers))
	}
	for i, l := range layers {
		if t.layers[i] != l.digest {
			return fmt.Sprintf("layer%d is %s, not %s", i+1, short(string(t.layers[i])), short(string(l.digest)))
		}
	}
	if t.format == "schema1" && !derivedIDs(t.images, layers) {
		return sameIDs(t.images, layers)
	}
	return ""
}

// derivedIDs tells whether the image IDs of a schema 1 manifest are those that a
// docker since 1.10 makes of its layers' digests. The top's is made of the config
// as well, and may be any (P-377).
func derivedIDs(ids []string, layers []content) bool {
	if len(ids) != len(layers) || len(ids) < 2 {
		return len(ids) == len(layers)
	}
	parent := ""
	for i, l := range layers[:len(layers)-1] {
		parent = digest.FromString(l.digest.Encoded() + " " + parent).Encoded()
		if ids[i] != parent {
			return false
		}
	}
	return true
}

func sameIDs(ids []string, layers []content) string {
	if len(ids) != len(layers) {
		return fmt.Sprintf("it has %d images, not %d", len(ids), len(layers))
	}
	for i, l := range layers {
		if ids[i] != l.v1ID {
			return fmt.Sprintf("image %d is %.12s, not %.12s", i+1, ids[i], l.v1ID)
		}
	}
	return ""
}

func (j *judge) blob(name, want string) {
	d, ok := j.p.contents.digestOf(name)
	part := "registry.blobs." + name
	if !ok {
		j.fail(part, "", "it is not known what %s is", name)
		return
	}
	got := j.p.after.blobs[d]
	switch {
	case want == "absent" && got.present:
		j.fail(part, "it is there", "%s is in the registry", name)
	case want != "absent" && !got.present:
		j.fail(part, "it is not", "%s is not in the registry", name)
	case want == "intact" && !got.intact:
		j.fail(part, "other bytes", "%s is in the registry with bytes that do not match its digest", name)
	}
}

func (j *judge) schema1(x Schema1State) {
	for _, tag := range j.p.tags {
		t := j.p.after.tags[tagKey(j.p.repository, tag)]
		if t.format != "schema1" {
			j.fail("registry.schema1", "", "tag %s does not name a schema 1 manifest", tag)
			return
		}
		if valid := t.signed == "valid"; x.Signature != "" && (x.Signature == "valid") != valid {
			j.fail("registry.schema1.signature", t.signed, "the signature of tag %s is not %s", tag, x.Signature)
		}
		if x.Layers != nil && !in(int64(len(t.layers)), *x.Layers) {
			j.fail("registry.schema1.layers", "", "tag %s has %d layers, not %s", tag, len(t.layers), formatRange(*x.Layers, plain))
		}
		if x.EmptyLayers != nil && !in(int64(t.empty), *x.EmptyLayers) {
			j.fail("registry.schema1.empty-layers", "", "tag %s has %d empty layers, not %s", tag, t.empty, formatRange(*x.EmptyLayers, plain))
		}
	}
}

// v1 judges images that are kept under their IDs.
func (j *judge) v1(name, want string) {
	for _, l := range j.p.contents.layers {
		if name != "image" && name != l.name {
			continue
		}
		if got := orAbsent(j.p.after.images[l.v1ID]); got != want {
			j.fail("registry.v1."+name, "it is "+got, "%s is not %s in the registry", l.name, want)
			return
		}
	}
}

func orAbsent(state string) string {
	if state == "" {
		return "absent"
	}
	return state
}

// splitReference splits "repository:tag"; ok is false when there is no tag.
func splitReference(ref string) (repository, tag string, ok bool) {
	slash := strings.LastIndexByte(ref, '/')
	for i := slash + 1; i < len(ref); i++ {
		if ref[i] == ':' {
			return ref[:i], ref[i+1:], true
		}
	}
	return ref, "", false
}
