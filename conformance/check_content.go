package conformance

import (
	"context"
	"errors"
	"net/http"
)

// manifestContentChecks look at what is in a manifest.
func manifestContentChecks() list {
	return list{man15, man16, man17, man18, man19, man20, man21, man22, man23, man24, man26, man27}
}

var man15 = &Check{
	ID: "man-15", Level: Should, Silent: true, Spec: "pushing manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a manifest whose Content-Type is not its mediaType is refused",
	Hurts: "clients that read a manifest by one of the two (CVE-2021-41190)",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		other := typeIndex
		if m.mediaType == typeSchema2 {
			other = typeList
		}
		for _, row := range []struct {
			tag   string
			m     manifest
			other string
		}{{"as-list", m, other}, {"as-image", index(other, m), m.mediaType}} {
			a, err := p.putManifest(ctx, p.Repository, row.tag, row.m, "Content-Type", row.other)
			if err != nil {
				return err
			}
			if err := p.unstored(ctx, a, row.tag); err != nil {
				return err
			}
		}
		return nil
	},
}

var man17 = &Check{
	ID: "man-17", Level: Should, Silent: true, Spec: "HTTP/1.1 framing", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a manifest that is sent without Content-Length is taken",
	Hurts: "clients that stream it, which Nexus answers 411",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		a, err := p.send(ctx, request{
			method: http.MethodPut, url: manifestPath(p.Repository, "streamed"), body: m.data, stream: true, header: header("Content-Type", m.mediaType),
		})
		return first(err, a.wantIf(err, http.StatusCreated))
	},
}

// taken demands of a manifest that names what is not there that it is refused
// with MANIFEST_BLOB_UNKNOWN, or stored as it is.
func (p *Probe) taken(ctx context.Context, m manifest, codes ...string) error {
	tag := "sparse-" + m.digest.Encoded()[:12]
	a, err := p.putManifest(ctx, p.Repository, tag, m)
	if err != nil {
		return err
	}
	if a.status == http.StatusCreated {
		if a, err = p.getManifest(ctx, p.Repository, tag); err != nil {
			return err
		}
		if err := first(a.want(http.StatusOK), a.bytes(m.data)); err != nil {
			return err
		}
		return &SkipError{Reason: "manifests are taken though what they name is missing", FellBack: true}
	}
	return first(p.unstored(ctx, a, tag), a.hasCode(append(codes, "MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN")...))
}

// worst is the first of several errors that is no mere lack, else the first lack.
func worst(errs ...error) error {
	for _, err := range errs {
		if skip := new(SkipError); err != nil && !errors.As(err, &skip) {
			return err
		}
	}
	return first(errs...)
}

var man18 = &Check{
	ID: "man-18", Level: Must, Spec: "pushing manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a manifest with a layer or a configuration that is missing is refused with MANIFEST_BLOB_UNKNOWN, or stored",
	Hurts: "docker and buildkit, which then upload the layer again",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		doc, _ := p.image("image", m.mediaType)
		last, only, headless := doc, doc, doc
		layers := append(*doc.Layers, p.blob("absent", 30).descriptor((*doc.Layers)[0].MediaType))
		last.Layers = &layers
		only.Layers = &[]descriptor{layers[1]}
		config := p.config("absent").descriptor(doc.Config.MediaType)
		headless.Config = &config
		return worst(p.taken(ctx, last.manifest()), p.taken(ctx, only.manifest()), p.taken(ctx, headless.manifest()))
	},
}

var man22 = &Check{
	ID: "man-22", Level: Should, Silent: true, Spec: "pushing manifests", Requires: list{man04},
	Doc:   "an index with an image that is missing is refused with MANIFEST_BLOB_UNKNOWN, or stored",
	Hurts: "docker manifest push: Gitea's 404 says nothing",
	Run: func(ctx context.Context, p *Probe) error {
		child, err := p.stored(ctx, p.Repository, "child")
		if err != nil {
			return err
		}
		absent, _ := p.image("absent", typeImage)
		return worst(
			p.taken(ctx, index(typeIndex, child, absent.manifest()), "MANIFEST_UNKNOWN"), p.taken(ctx, index(typeIndex, absent.manifest()), "MANIFEST_UNKNOWN"))
	},
}

var man19 = &Check{
	ID: "man-19", Level: Should, Silent: true, Spec: "pushing manifests", Requires: list{ping01},
	Doc:   "a manifest of a type that nobody knows is refused, or stored under that type",
	Hurts: "clients with new types: Quay takes only those on its list",
	Run: func(ctx context.Context, p *Probe) error {
		const unknown = "application/vnd.example.unknown.v1+json"
		m := rawManifest(unknown, []byte(`{"schemaVersion":2,"mediaType":"`+unknown+`"}`))
		a, err := p.putManifest(ctx, p.Repository, "unknown", m)
		if err != nil {
			return err
		}
		if a.status != http.StatusCreated {
			return a.refused()
		}
		if a, err = p.get(ctx, manifestPath(p.Repository, "unknown"), "Accept", unknown); err != nil {
			return err
		}
		return a.holds(m)
	},
}

var man20 = &Check{
	ID: "man-20", Level: Should, Silent: true, Spec: "ambiguous manifests", Requires: list{man03},
	Doc:   "a manifest that is an image and an index at once is refused",
	Hurts: "everybody who pulls: two clients get two images from one digest (CVE-2021-41190)",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		doc, _ := p.image("image", m.mediaType)
		doc.Manifests = &[]descriptor{m.descriptor()}
		a, err := p.putManifest(ctx, p.Repository, "both", doc.manifest())
		if err != nil {
			return err
		}
		return p.unstored(ctx, a, "both")
	},
}

var man21 = &Check{
	ID: "man-21", Level: Should, Silent: true, Spec: "error codes", Requires: list{mono01},
	Doc:   "what is no manifest is refused with a 4xx and MANIFEST_INVALID",
	Hurts: "operators and clients: somebody's mistake looks like an outage, or is stored",
	Run: func(ctx context.Context, p *Probe) error {
		for _, body := range []string{"{", "null", "[]", `"text"`, `{"schemaVersion":3}`, "<html>"} {
			a, err := p.putManifest(ctx, p.Repository, "wrong", rawManifest(typeImage, []byte(body)))
			if err != nil {
				return err
			}
			if err := p.unstored(ctx, a, "wrong"); err != nil {
				return err
			}
			if err := a.hasCode("MANIFEST_INVALID", "UNSUPPORTED"); err != nil {
				return err
			}
		}
		return nil
	},
}

func (a *answer) refusedIf(err error) error {
	if err != nil {
		return err
	}
	return a.refused()
}

var man23 = &Check{
	ID: "man-23", Level: May, Silent: true, Spec: "docker schema 2", Requires: list{man01, man04},
	Doc:   "an OCI index may name schema 2 images",
	Hurts: "docker buildx imagetools, which Quay refuses it",
	Run:   pushPullList(typeIndex, typeSchema2),
}

var man26 = &Check{
	ID: "man-26", Level: May, Spec: "pushing manifests", Requires: list{man03},
	Doc:   "a manifest with a layer that lives elsewhere is taken without it, or refused with a 4xx",
	Hurts: "Windows images, whose base layers are not uploaded",
	Run: func(ctx context.Context, p *Probe) error {
		doc, blobs := p.image("image", typeImage)
		if err := p.push(ctx, p.Repository, blobs...); err != nil {
			return err
		}
		away := p.blob("elsewhere", 30).descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")
		away.URLs = []string{"https://layers.example/blob"}
		layers := append(*doc.Layers, away)
		doc.Layers = &layers
		a, err := p.putManifest(ctx, p.Repository, "foreign", doc.manifest())
		if err != nil {
			return err
		}
		if a.status != http.StatusCreated {
			if err := a.refused(); err != nil {
				return err
			}
			return &SkipError{Reason: "layers that live elsewhere are refused"}
		}
		return nil
	},
}

var man27 = &Check{
	ID: "man-27", Level: May, Spec: "pushing manifests", Requires: list{man03},
	Doc:   "an artifact without layers, with an empty configuration and a type of its own, is taken",
	Hurts: "oras, cosign, helm and whoever else stores what is no image",
	Run: func(ctx context.Context, p *Probe) error {
		empty := blob{digestOf([]byte("{}")), []byte("{}")}
		if err := p.push(ctx, p.Repository, empty); err != nil {
			return err
		}
		config := empty.descriptor(typeEmpty)
		m := document{
			SchemaVersion: 2, MediaType: typeImage, ArtifactType: "application/vnd.example.thing", Config: &config,
			Layers: &[]descriptor{}, Annotations: map[string]string{"org.example.check": p.name()},
		}.manifest()
		a, err := p.putManifest(ctx, p.Repository, "artifact", m)
		if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
			return err
		}
		a, err = p.getManifest(ctx, p.Repository, "artifact")
		return first(err, a.wantIf(err, http.StatusOK), a.bytes(m.data))
	},
}

var man16 = &Check{
	ID: "man-16", Level: Should, Silent: true, Spec: "pushing manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a manifest that is sent without a Content-Type is taken for what its mediaType says, or refused",
	Hurts: "scripts that leave it out: what they pushed cannot be pulled",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		a, err := p.send(ctx, request{method: http.MethodPut, url: manifestPath(p.Repository, "bare"), body: m.data})
		if err != nil {
			return err
		}
		if a.status != http.StatusCreated {
			return a.refused()
		}
		a, err = p.getManifest(ctx, p.Repository, "bare")
		return first(err, a.wantIf(err, http.StatusOK), a.typed(m.mediaType))
	},
}

var man24 = &Check{
	ID: "man-24", Level: May, Silent: true, Spec: "pushing manifests", Requires: list{man04},
	Doc:   "an index that names blobs is taken, or refused with a 4xx",
	Hurts: "buildkit, whose cache is such an index",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.blob("cache", 60)
		if err := p.push(ctx, p.Repository, b); err != nil {
			return err
		}
		list := []descriptor{b.descriptor(typeImageLayer)}
		m := document{SchemaVersion: 2, MediaType: typeIndex, Manifests: &list}.manifest()
		a, err := p.putManifest(ctx, p.Repository, "cache", m)
		if err != nil {
			return err
		}
		if a.status != http.StatusCreated {
			if err := a.refused(); err != nil {
				return err
			}
			return &SkipError{Reason: "an index that names blobs is refused"}
		}
		return nil
	},
}
