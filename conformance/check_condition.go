package conformance

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// conditionChecks look at what newer clients ask of manifests and tags.
func conditionChecks() list { return list{man28, man30, man31, tag16, del10} }

var man28 = &Check{
	ID: "man-28", Level: May, Spec: "tag parameters", Requires: list{man03},
	Doc:   "a manifest that is put by digest with ?tag= ten times over has the tags that OCI-Tag says, and all or none of them",
	Hurts: "clients that tag in one request: a tag that was said to be there is not",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image")
		if err != nil {
			return err
		}
		q := url.Values{}
		for i := range 10 {
			q.Add("tag", fmt.Sprintf("many%d", i))
		}
		a, err := p.putManifest(ctx, p.Repository, m.digest.String()+"?"+q.Encode(), m)
		if err != nil {
			return err
		}
		if a.status != http.StatusCreated {
			return first(a.refused(), &SkipError{Reason: "tags cannot be given in a query"})
		}
		var said []string
		for _, line := range a.header.Values("Oci-Tag") {
			for tag := range strings.SplitSeq(line, ",") {
				said = append(said, strings.TrimSpace(tag))
			}
		}
		for _, tag := range q["tag"] {
			got, err := p.getManifest(ctx, p.Repository, tag)
			if err != nil {
				return err
			}
			if there, told := got.status == http.StatusOK, slices.Contains(said, tag); there != told {
				return got.violation(fmt.Sprintf("tag %s there %t, as OCI-Tag says", tag, told), got.said())
			}
		}
		switch len(said) {
		case 0:
			return &SkipError{Reason: "tags cannot be given in a query"}
		case 10:
			return nil
		}
		return a.violation("ten tags, or none", count(len(said), "tag"))
	},
}

var man30 = &Check{
	ID: "man-30", Level: May, Silent: true, Spec: "referrers tag", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a conditional PUT of a manifest, where it is looked at, is refused with 412 when it does not hold and taken when it does",
	Hurts: "clients that add to a referrers tag at once: one overwrites what the other added",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		a, err := p.putManifest(ctx, p.Repository, "tag", m, "If-None-Match", "*")
		if err = first(err, a.wantIf(err, http.StatusCreated, http.StatusPreconditionFailed)); err != nil {
			return err
		}
		if a.status == http.StatusCreated {
			return &SkipError{Reason: "conditions of a PUT are not looked at"}
		}
		a, err = p.putManifest(ctx, p.Repository, "new", m, "If-None-Match", "*")
		if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
			return err
		}
		a, err = p.putManifest(ctx, p.Repository, "tag", m, "If-Match", `"`+digestOf([]byte("other")).String()+`"`)
		if err = first(err, a.wantIf(err, http.StatusPreconditionFailed)); err != nil {
			return err
		}
		got, err := p.getManifest(ctx, p.Repository, "tag")
		if err != nil || got.header.Get("Etag") == "" {
			return err
		}
		a, err = p.putManifest(ctx, p.Repository, "tag", m, "If-Match", got.header.Get("Etag"))
		return first(err, a.wantIf(err, http.StatusCreated))
	},
}

var man31 = &Check{
	ID: "man-31", Level: Should, Silent: true, Spec: "pushing manifests", Requires: list{man04}, Uses: list{mono03},
	Doc:   "images with zstd and with uncompressed layers are taken, attestations as parts of an index, and layers of types that nobody knows",
	Hurts: "docker buildx, whose every build has an attestation, users of zstd, and helm: Quay refuses what is not on its list",
	Run: func(ctx context.Context, p *Probe) error {
		doc, blobs := p.image("image", typeImage)
		if err := p.push(ctx, p.Repository, blobs...); err != nil {
			return err
		}
		const layer = "application/vnd.oci.image.layer.v1.tar"
		doc.Layers = &[]descriptor{blobs[1].descriptor(layer + "+zstd"), blobs[1].descriptor(layer)}
		image := doc.manifest()
		chart := doc
		config := *doc.Config
		config.MediaType = "application/vnd.example.config.v1+json"
		chart.Config, chart.Layers = &config, &[]descriptor{blobs[1].descriptor("application/vnd.example.content.v1.tar+gzip")}
		doc.Layers = &[]descriptor{blobs[1].descriptor("application/vnd.in-toto+json")}
		attestation := doc.manifest()
		for _, m := range []manifest{image, attestation, chart.manifest()} {
			a, err := p.putManifest(ctx, p.Repository, m.digest.String(), m)
			if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
				return err
			}
		}
		parts := []descriptor{image.descriptor(), attestation.descriptor()}
		parts[0].Platform, parts[1].Platform = &platform{"amd64", "linux"}, &platform{"unknown", "unknown"}
		parts[1].Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image.digest.String()}
		whole := document{SchemaVersion: 2, MediaType: typeIndex, Manifests: &parts}.manifest()
		a, err := p.putManifest(ctx, p.Repository, "attested", whole)
		if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
			return err
		}
		a, err = p.getManifest(ctx, p.Repository, "attested")
		return first(err, a.wantIf(err, http.StatusOK), a.bytes(whole.data))
	},
}

var tag16 = &Check{
	ID: "tag-16", Level: May, Silent: true, Spec: "error codes", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "where tags cannot be moved, the refusal is a 4xx that says so",
	Hurts: "clients that repeat a push that can never work",
	Run: func(ctx context.Context, p *Probe) error {
		if _, err := p.stored(ctx, p.Repository, "first", "moving"); err != nil {
			return err
		}
		second, err := p.stored(ctx, p.Repository, "second")
		if err != nil {
			return err
		}
		a, err := p.putManifest(ctx, p.Repository, "moving", second)
		if err != nil {
			return err
		}
		if a.status/100 == 2 {
			return &SkipError{Reason: "tags can be moved"}
		}
		if err := a.refused(); err != nil {
			return err
		}
		for _, code := range a.codes() {
			if strings.Contains(code, "TAG") || strings.Contains(code, "IMMUTABLE") {
				return nil
			}
		}
		return a.hasCode("DENIED", "TAG_INVALID", "MANIFEST_INVALID", "UNSUPPORTED")
	},
}

var del10 = &Check{
	ID: "del-10", Level: Should, Silent: true, Spec: "deleting manifests", Requires: list{del02, man04}, Uses: list{mono03},
	Doc:   "the deletion of an image that an index names is taken or refused, and the index stays as it is",
	Hurts: "clean-ups of untagged images: they end in an outage, or take the index with them",
	Run: func(ctx context.Context, p *Probe) error {
		child, err := p.stored(ctx, p.Repository, "child")
		if err != nil {
			return err
		}
		parent := index(typeIndex, child)
		if err := p.store(ctx, p.Repository, parent, "parent"); err != nil {
			return err
		}
		a, err := p.remove(ctx, manifestPath(p.Repository, child.digest.String()))
		if err != nil {
			return err
		}
		want := http.StatusNotFound
		switch {
		case a.status == http.StatusAccepted:
			p.note("deletion of a part of an index", "taken")
		case a.status/100 == 4:
			p.note("deletion of a part of an index", "refused")
			want = http.StatusOK
		default:
			return a.violation("202, or a 4xx", a.said())
		}
		got, err := p.getManifest(ctx, p.Repository, child.digest.String())
		if err = first(err, got.wantIf(err, want)); err != nil {
			return err
		}
		got, err = p.getManifest(ctx, p.Repository, "parent")
		return first(err, got.wantIf(err, http.StatusOK), got.bytes(parent.data))
	},
}
