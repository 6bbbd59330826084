package conformance

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
)

func digestChecks() list { return list{dig01, dig02, dig03, dig04, dig05, dig06, dig08, dig09} }

var dig01 = &Check{
	ID: "dig-01", Level: Should, Pull: true, Spec: "pulling blobs", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "Docker-Content-Digest, of blobs and manifests, is there and is their digest",
	Hurts: "clients that learn a manifest's digest from it (skopeo, crane, containerd) where ECR sends none",
	Run: func(ctx context.Context, p *Probe) error {
		m, reference, b, err := p.tagged(ctx)
		if err != nil {
			return err
		}
		blobs := []blob{b}
		if p.given == nil {
			blobs = append(blobs, p.blob("large", 150_000))
			if err := p.push(ctx, p.Repository, blobs[1]); err != nil {
				return err
			}
		}
		type row struct {
			path   string
			digest digest.Digest
		}
		rows := []row{{manifestPath(p.Repository, reference), m.digest}, {manifestPath(p.Repository, m.digest.String()), m.digest}}
		for _, b := range blobs {
			rows = append(rows, row{blobPath(p.Repository, b.digest), b.digest})
		}
		for _, row := range rows {
			for _, ask := range []func(context.Context, string, ...string) (*answer, error){p.head, p.get} {
				a, err := ask(ctx, row.path, "Accept", acceptAll)
				if err != nil {
					return err
				}
				if a.status == http.StatusOK {
					if err := a.has("Docker-Content-Digest", row.digest.String()); err != nil {
						return err
					}
				}
			}
		}
		return nil
	},
}

var dig02 = &Check{
	ID: "dig-02", Level: Should, Spec: "pushing manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "Docker-Content-Digest, in the answer to the PUT of a manifest, is its digest",
	Hurts: "clients that print or sign the digest that the registry says (cosign, buildx)",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		moved, err := p.stored(ctx, p.Repository, "moved", "elsewhere")
		if err != nil {
			return err
		}
		for _, row := range []struct {
			reference string
			m         manifest
		}{{"tag", m}, {"tag", moved}, {m.digest.String(), m}, {"tag", m}} {
			a, err := p.putManifest(ctx, p.Repository, row.reference, row.m)
			if err != nil {
				return err
			}
			if err := a.has("Docker-Content-Digest", row.m.digest.String()); err != nil {
				return err
			}
		}
		return nil
	},
}

// wrongDigest closes an upload with the digest of other bytes.
func (p *Probe) wrongDigest(ctx context.Context) (named, sent blob, s *session, a *answer, err error) {
	named, sent = p.blob("named", 80), p.blob("sent", 80)
	if s, err = p.start(ctx, p.Repository); err != nil {
		return named, sent, s, nil, err
	}
	a, err = s.put(ctx, named.digest, sent.data)
	return named, sent, s, a, err
}

// A liar is an upload whose bytes have another digest than is said.
type liar struct {
	name        string // how it is sent: one way has the bytes of no other
	named, sent blob
	lengths     []int // of its chunks; the rest goes in the closing PUT
	post        bool  // in a POST alone
}

// liars are uploads that lie, small and large, in each way there is to send one.
func (p *Probe) liars() []liar {
	list := []liar{{name: "whole"}, {name: "whole and large"}, {name: "nothing"}, {name: "in a chunk"}, {name: "in chunks"}, {name: "the last in PUT"}, {name: "in POST", post: true}}
	for i := range list {
		l, size := &list[i], 80
		switch l.name {
		case "whole and large":
			size = 100_000
		case "in a chunk":
			size, l.lengths = littleChunk, []int{littleChunk}
		case "in chunks":
			size, l.lengths = 3*littleChunk, []int{littleChunk, littleChunk, littleChunk}
		case "the last in PUT":
			size, l.lengths = 3*littleChunk-5, []int{littleChunk, littleChunk}
		}
		l.named, l.sent = p.blob("named "+l.name, size), p.blob("sent "+l.name, size)
		if l.name == "nothing" {
			l.sent = p.blob("", 0)
		}
	}
	return list
}

// lie sends one, and ends what is left of it. The answer is nil where the registry does
// not take blobs that way.
func (p *Probe) lie(ctx context.Context, l liar) (*answer, error) {
	if l.post {
		a, err := p.posted(ctx, l.named.digest, l.sent.data)
		if err != nil || a.status == http.StatusAccepted {
			return nil, err
		}
		return a, nil
	}
	s, err := p.start(ctx, p.Repository)
	if err != nil {
		return nil, err
	}
	defer s.cancel(ctx)
	if len(l.lengths) > 0 && s.chunkSize() != littleChunk {
		return nil, nil //nolint:nilnil // see above
	}
	for _, n := range l.lengths {
		a, err := s.chunk(ctx, l.sent.data[s.size:s.size+n])
		if err != nil || a.status/100 != 2 {
			return nil, err
		}
	}
	last := l.sent.data[s.size:]
	if s.size > 0 && len(last) > 0 {
		return s.put(ctx, l.named.digest, last, "Content-Range", span(s.size, len(l.sent.data)))
	}
	return s.put(ctx, l.named.digest, last)
}

var dig03 = &Check{
	ID: "dig-03", Level: Should, Spec: "post then put", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a blob that has another digest than was said is refused with 400 and DIGEST_INVALID",
	Hurts: "clients that tell a corrupt upload from other mistakes, and repeat it",
	Run: func(ctx context.Context, p *Probe) error {
		for _, l := range p.liars() {
			a, err := p.lie(ctx, l)
			if err != nil {
				return err
			}
			if a == nil {
				continue
			}
			if err := first(a.want(http.StatusBadRequest), a.hasCode("DIGEST_INVALID")); err != nil {
				return err
			}
		}
		return p.liesOfKnown(ctx)
	},
}

// liesOfKnown says the digest of a blob that is there, and sends another.
func (p *Probe) liesOfKnown(ctx context.Context) error {
	there, sent := p.blob("there", 80), p.blob("sent of it", 80)
	if err := p.push(ctx, p.Repository, there); err != nil {
		return err
	}
	a, err := p.lie(ctx, liar{named: there, sent: sent})
	if err = first(err, a.wantIf(err, http.StatusBadRequest)); err != nil {
		return err
	}
	return a.hasCode("DIGEST_INVALID")
}

var dig04 = &Check{
	ID: "dig-04", Level: Must, Silent: true, Spec: "post then put", Requires: list{mono02},
	Doc:   "a blob that has another digest than was said is not there, under either",
	Hurts: "everybody who pulls: a layer is not what its digest says",
	Run: func(ctx context.Context, p *Probe) error {
		for _, l := range append(p.liars(), liar{named: p.in512("named in sha512"), sent: p.blob("sent in sha512", 200)}) {
			if _, err := p.lie(ctx, l); err != nil {
				return err
			}
			for _, b := range []blob{l.named, l.sent} {
				if len(b.data) == 0 {
					continue // registries may have what is nothing at all times
				}
				a, err := p.get(ctx, blobPath(p.Repository, b.digest))
				if err = first(err, a.wantIf(err, http.StatusNotFound)); err != nil {
					return err
				}
			}
		}
		return nil
	},
}

var dig05 = &Check{
	ID: "dig-05", Level: Should, Spec: "pushing", Requires: list{mono02},
	Doc:   "a digest of an algorithm that nobody knows is refused with 400",
	Hurts: "clients of other algorithms: they should hear that it is unsupported",
	Run: func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		a, err := s.put(ctx, "md17:0123456789abcdef0123456789abcdef", p.blob("b", 40).data)
		return first(err, a.wantIf(err, http.StatusBadRequest))
	},
}

var dig06 = &Check{
	ID: "dig-06", Level: Should, Pull: true, Spec: "pulling blobs", Requires: list{ping01}, Uses: list{mono02, mono03, man03},
	Doc:   "what is no digest is refused with 400 or 404, though it be near one",
	Hurts: "operators: somebody's mistake looks like an outage; who checks names by their text is deceived",
	Run: func(ctx context.Context, p *Probe) error {
		for _, d := range []digest.Digest{"sha256:short", "sha256:ZZ", "nonsense", "sha256:", "sha256:0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF", "sha256:..%2f..%2fetc"} {
			a, err := p.get(ctx, blobPath(p.Repository, d))
			if err = first(err, a.wantIf(err, http.StatusBadRequest, http.StatusNotFound)); err != nil {
				return err
			}
		}
		m, _, b, err := p.tagged(ctx)
		if err != nil {
			return err
		}
		for _, path := range []string{blobPath(p.Repository, b.digest), manifestPath(p.Repository, m.digest.String())} {
			for _, near := range nearDigests(path) {
				a, err := p.head(ctx, near, "Accept", acceptAll)
				if err = first(err, a.wantIf(err, http.StatusBadRequest, http.StatusNotFound)); err != nil {
					return err
				}
			}
		}
		if p.given != nil {
			return nil
		}
		return p.closesByNear(ctx)
	},
}

// nearDigests are texts that begin as one does which ends in a sha256 digest, and end
// in none: cut, longer, and in capitals.
func nearDigests(text string) []string {
	before, hex := text[:len(text)-len("sha256:")-64], text[len(text)-64:]
	return []string{
		before + "sha256:" + strings.ToUpper(hex), before + "SHA256:" + hex, before + "sha256:" + hex[:12], before + "sha256:" + hex[:63],
		before + "sha256:" + hex + "00", before + hex,
	}
}

// closesByNear closes uploads by what is near the digest of their bytes.
func (p *Probe) closesByNear(ctx context.Context) error {
	b := p.blob("near", 60)
	for _, near := range nearDigests(b.digest.String()) {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		a, err := s.put(ctx, digest.Digest(near), b.data)
		if err = first(err, a.refusedIf(err)); err != nil {
			return err
		}
	}
	return nil
}

var dig08 = &Check{
	ID: "dig-08", Level: Must, Spec: "pushing manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a manifest that is put under the digest of another is refused with 400 and not stored, under either",
	Hurts: "everybody who pulls by digest: what they get is not what it says",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image")
		if err != nil {
			return err
		}
		doc, _ := p.image("image", m.mediaType)
		if m.mediaType == typeImage {
			doc.Annotations = map[string]string{"org.example.padding": strings.Repeat("x", 5000)}
		} else {
			layers := append(*doc.Layers, *doc.Layers...)
			doc.Layers = &layers
		}
		liars := []manifest{doc.manifest()}
		if m.mediaType == typeImage {
			doc.Annotations["org.example.padding"] = "x"
			liars = append(liars, doc.manifest(), index(typeIndex, m))
		}
		for i, l := range liars {
			wrong := digestOf(fmt.Append(nil, "another ", p.Repository, i))
			a, err := p.putManifest(ctx, p.Repository, wrong.String(), l)
			if err = first(err, a.refusedIf(err)); err != nil {
				return err
			}
			if l.mediaType == m.mediaType { // another type may not be known at all
				if err := a.want(http.StatusBadRequest); err != nil {
					return err
				}
			}
			for _, d := range []digest.Digest{wrong, l.digest} {
				a, err = p.getManifest(ctx, p.Repository, d.String())
				if err = first(err, a.wantIf(err, http.StatusNotFound)); err != nil {
					return err
				}
			}
		}
		return nil
	},
}

var dig09 = &Check{
	ID: "dig-09", Level: Should, Silent: true, Spec: "practice of clients", Requires: list{mono02},
	Doc:   "an upload whose digest was wrong can be closed with the right one, or is gone",
	Hurts: "clients that repeat the closing PUT",
	Run: func(ctx context.Context, p *Probe) error {
		_, sent, s, _, err := p.wrongDigest(ctx)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		a, err := s.put(ctx, sent.digest, nil)
		if err != nil {
			return err
		}
		if a.status != http.StatusCreated {
			return a.refused()
		}
		return p.kept(ctx, sent)
	},
}
