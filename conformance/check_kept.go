package conformance

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
)

// pushPull makes a check that pushes an image in a format, and reads it back.
func pushPull(mediaType string) func(context.Context, *Probe) error {
	return func(ctx context.Context, p *Probe) error {
		doc, blobs := p.image("image", mediaType)
		large, more := p.largeImage(mediaType)
		if err := p.push(ctx, p.Repository, append(blobs, more...)...); err != nil {
			return err
		}
		documents := []manifest{doc.manifest(), large.manifest()}
		if mediaType == typeImage { // of which the specification says that it should have the field, and old ones have none
			doc.MediaType = ""
			documents = append(documents, rawManifest(mediaType, doc.manifest().data))
		}
		for i, m := range documents {
			for _, reference := range []string{fmt.Sprint("tag", i), m.digest.String()} {
				a, err := p.putManifest(ctx, p.Repository, reference, m)
				if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
					return err
				}
				if a, err = p.getManifest(ctx, p.Repository, reference); err != nil {
					return err
				}
				if err := a.holds(m); err != nil {
					return err
				}
			}
		}
		return p.served(ctx, "tag0", documents[0])
	}
}

// largeImage is an image whose configuration is as large as those of real ones, and
// that has one layer twice, as docker makes them of steps that change nothing.
func (p *Probe) largeImage(mediaType string) (document, []blob) {
	doc, blobs := p.image("large image", mediaType)
	config := bytes.Replace(blobs[0].data, []byte(`"author":"`), []byte(`"author":"`+strings.Repeat("many hands ", 2000)), 1)
	blobs[0] = blob{digestOf(config), config}
	c := blobs[0].descriptor(doc.Config.MediaType)
	layers := append(*doc.Layers, *doc.Layers...)
	doc.Config, doc.Layers = &c, &layers
	return doc, blobs
}

// served demands that a manifest is given to who accepts its type, however he says so.
func (p *Probe) served(ctx context.Context, reference string, m manifest) error {
	for _, accept := range [][]string{
		{acceptAll},
		{m.mediaType},
		{"application/vnd.example.other+json", m.mediaType},
		{"application/vnd.example.other+json, " + m.mediaType},
		{"application/json;q=0.5", m.mediaType + ";q=0.9"},
	} {
		h := http.Header{"Accept": accept}
		a, err := p.read(ctx, request{method: http.MethodGet, url: manifestPath(p.Repository, reference), header: h})
		if err = first(err, a.wantIf(err, http.StatusOK)); err != nil {
			return err
		}
		if err := a.holds(m); err != nil {
			return err
		}
	}
	return nil
}

// gives demands that a tag is a manifest.
func (p *Probe) gives(ctx context.Context, tag string, m manifest) error {
	a, err := p.getManifest(ctx, p.Repository, tag)
	if err != nil {
		return err
	}
	return a.holds(m)
}

var man07 = &Check{
	ID: "man-07", Level: Must, Spec: "pushing manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "the PUT of a manifest, by tag and by digest, says by Location where it can be pulled",
	Hurts: "clients that verify what they pushed (regclient, oras)",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		for _, reference := range []string{"tag", m.digest.String(), "another"} {
			a, err := p.putManifest(ctx, p.Repository, reference, m)
			if err != nil {
				return err
			}
			location, err := a.location()
			if err != nil {
				return err
			}
			a, err = p.get(ctx, location, "Accept", acceptAll)
			if err = first(err, a.wantIf(err, http.StatusOK), a.bytes(m.data)); err != nil {
				return err
			}
		}
		return nil
	},
}

// odd are documents that say what one does, in ways that a registry which writes them
// anew does not keep.
func odd(m manifest) []manifest {
	var list []manifest
	for _, field := range []string{
		"{ \n\t\"org.example.unknown\" : [1,\t2 , \"\\u00e9\"],", `{"org.example.markup":"<a href=\"x\">&amp;</a>",`, "{\"org.example.words\":\"\u00e9\u6f22\U0001f600\u2028\",",
		`{"org.example.numbers":[1.0,1e2,12345678901234567890],`,
	} {
		list = append(list, rawManifest(m.mediaType, append([]byte(field), m.data[1:]...)))
	}
	return append(list, rawManifest(m.mediaType, append(bytes.Clone(m.data), " \n\n"...)))
}

var man08 = &Check{
	ID: "man-08", Level: Must, Spec: "pushing manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a manifest is given back as it was sent, odd spaces, order, letters and unknown fields included",
	Hurts: "everybody who pulls: the digest does not hold",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "plain")
		if err != nil {
			return err
		}
		documents := odd(m)
		if list := index(typeIndex, m); m.mediaType == typeImage {
			a, err := p.putManifest(ctx, p.Repository, "plain-index", list)
			if err != nil {
				return err
			}
			if a.status == http.StatusCreated { // else man-04's business
				documents = append(documents, odd(list)...)
			}
		}
		for i, d := range documents {
			tag := fmt.Sprint("odd", i)
			a, err := p.putManifest(ctx, p.Repository, tag, d)
			if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
				return err
			}
			for _, reference := range []string{tag, d.digest.String()} {
				a, err := p.getManifest(ctx, p.Repository, reference)
				if err = first(err, a.wantIf(err, http.StatusOK), a.bytes(d.data)); err != nil {
					return err
				}
			}
		}
		return nil
	},
}

var man25 = &Check{
	ID: "man-25", Level: Must, Silent: true, Spec: "pushing manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a tag that is pushed again gives the new manifest, also when that is an old one or of another type, and other tags stay",
	Hurts: "everybody who pushes a tag twice, or goes back to what was before",
	Run: func(ctx context.Context, p *Probe) error {
		old, err := p.stored(ctx, p.Repository, "old", "tag", "old")
		if err != nil {
			return err
		}
		m, err := p.stored(ctx, p.Repository, "new", "tag")
		if err != nil {
			return err
		}
		moves := []manifest{m, old, m}
		if list := index(typeIndex, old); old.mediaType == typeImage {
			a, err := p.putManifest(ctx, p.Repository, list.digest.String(), list)
			if err != nil {
				return err
			}
			if a.status == http.StatusCreated { // else man-04's business
				moves = append(moves, list, old)
			}
		}
		for _, m := range moves {
			if err := p.store(ctx, p.Repository, m, "tag", m.digest.String()); err != nil {
				return err
			}
			h, err := p.head(ctx, manifestPath(p.Repository, "tag"), "Accept", acceptAll)
			if err != nil {
				return err
			}
			if said := h.header.Get("Docker-Content-Digest"); said != "" && said != m.digest.String() {
				return h.violation("Docker-Content-Digest "+m.digest.String(), said)
			}
			if err := first(p.gives(ctx, "tag", m), p.gives(ctx, "old", old)); err != nil {
				return err
			}
		}
		return nil
	},
}
