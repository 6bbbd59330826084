package conformance

import (
	"context"
	"net/http"

	"github.com/pushcheck/pushcheck/internal/mediatype"
)

func manifestChecks() list {
	return list{man01, man02, man03, man04, man07, man08, man09, man10, man11, man12, man13, man14, man25, man29}
}

// pushPullList does the same with a list or index of one image.
func pushPullList(mediaType, childType string) func(context.Context, *Probe) error {
	return func(ctx context.Context, p *Probe) error {
		doc, blobs := p.image("child", childType)
		if err := p.push(ctx, p.Repository, blobs...); err != nil {
			return err
		}
		child := doc.manifest()
		a, err := p.putManifest(ctx, p.Repository, child.digest.String(), child)
		id := "man-03"
		if childType == typeSchema2 {
			id = "man-01"
		}
		if err = of(id, first(err, a.wantIf(err, http.StatusCreated))); err != nil {
			return err
		}
		list := index(mediaType, child)
		if a, err = p.putManifest(ctx, p.Repository, "tag", list); err != nil {
			return err
		}
		if err := a.want(http.StatusCreated); err != nil {
			return err
		}
		a, err = p.getManifest(ctx, p.Repository, "tag")
		return first(err, a.wantIf(err, http.StatusOK), a.typed(mediaType))
	}
}

// index is a list or an index of images.
func index(mediaType string, children ...manifest) manifest {
	list := []descriptor{}
	for i, c := range children {
		d := c.descriptor()
		d.Platform = &platform{[]string{"amd64", "arm64", "s390x"}[i%3], "linux"}
		list = append(list, d)
	}
	return document{SchemaVersion: 2, MediaType: mediaType, Manifests: &list}.manifest()
}

var man01 = &Check{
	ID: "man-01", Level: Must, Silent: true, Spec: "docker schema 2", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a schema 2 manifest, which docker push sends, is taken and keeps its type",
	Hurts: "docker, all since 1.10: zot refuses its pushes by default",
	Run:   pushPull(typeSchema2),
}

var man02 = &Check{
	ID: "man-02", Level: May, Silent: true, Spec: "docker schema 2", Requires: list{man01},
	Doc:   "a docker manifest list is taken and keeps its type",
	Hurts: "docker manifest push and docker buildx",
	Run:   pushPullList(typeList, typeSchema2),
}

var man03 = &Check{
	ID: "man-03", Level: Must, Spec: "pushing manifests", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "an OCI image manifest is taken by tag and by digest, and keeps its type",
	Hurts: "buildkit, podman, containerd and docker with the containerd store",
	Run:   pushPull(typeImage),
}

var man04 = &Check{
	ID: "man-04", Level: Must, Spec: "pushing manifests", Requires: list{man03},
	Doc:   "an OCI index is taken and keeps its type, one of indexes and one of nothing too",
	Hurts: "docker buildx and everybody else with images for several platforms",
	Run: func(ctx context.Context, p *Probe) error {
		if err := pushPullList(typeIndex, typeImage)(ctx, p); err != nil {
			return err
		}
		empty := index(typeIndex)
		for _, m := range []manifest{empty, index(typeIndex, empty)} {
			a, err := p.putManifest(ctx, p.Repository, m.digest.String(), m)
			if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
				return err
			}
			a, err = p.getManifest(ctx, p.Repository, m.digest.String())
			if err = first(err, a.wantIf(err, http.StatusOK), a.bytes(m.data), a.typed(typeIndex)); err != nil {
				return err
			}
		}
		return nil
	},
}

var man09 = &Check{
	ID: "man-09", Level: Must, Spec: "pulling manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a manifest that has no tag can be pulled by its digest",
	Hurts: "docker buildx, which pushes the images of an index by digest",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image")
		if err != nil {
			return err
		}
		a, err := p.getManifest(ctx, p.Repository, m.digest.String())
		return first(err, a.wantIf(err, http.StatusOK), a.bytes(m.data))
	},
}

var man10 = &Check{
	ID: "man-10", Level: Must, Pull: true, Spec: "existence", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "HEAD of a manifest tells what GET does, by tag and by digest",
	Hurts: "docker pull and containerd, which ask by HEAD first",
	Run: func(ctx context.Context, p *Probe) error {
		m, reference, _, err := p.tagged(ctx)
		if err != nil {
			return err
		}
		return first(p.alike(ctx, manifestPath(p.Repository, reference)), p.alike(ctx, manifestPath(p.Repository, m.digest.String())))
	},
}

var man11 = &Check{
	ID: "man-11", Level: Must, Silent: true, Spec: "pulling manifests", Requires: list{man04},
	Doc:   "an index asked for by its digest is that index, by GET and by HEAD",
	Hurts: "clients that pin an index by its digest",
	Run: func(ctx context.Context, p *Probe) error {
		child, err := p.stored(ctx, p.Repository, "child")
		if err != nil {
			return err
		}
		list := index(typeIndex, child)
		if err := of("man-04", p.store(ctx, p.Repository, list, "tag")); err != nil {
			return err
		}
		for _, reference := range []string{"tag", list.digest.String()} {
			a, err := p.getManifest(ctx, p.Repository, reference)
			if err = first(err, a.wantIf(err, http.StatusOK), a.bytes(list.data)); err != nil {
				return err
			}
			if a, err = p.head(ctx, manifestPath(p.Repository, reference), "Accept", acceptAll); err != nil {
				return err
			}
			if got := a.header.Get("Docker-Content-Digest"); got != "" && got != list.digest.String() {
				return a.violation("Docker-Content-Digest "+list.digest.String(), got)
			}
		}
		for _, method := range []string{http.MethodGet, http.MethodHead} { // one who takes no index
			a, err := p.read(ctx, request{method: method, url: manifestPath(p.Repository, list.digest.String()), header: header("Accept", typeImage)})
			if err != nil {
				return err
			}
			if got := a.header.Get("Docker-Content-Digest"); a.status == http.StatusOK && got != "" && got != list.digest.String() {
				return a.violation("Docker-Content-Digest "+list.digest.String()+", or a refusal", got)
			}
			if method == http.MethodGet && a.status == http.StatusOK {
				if err := a.bytes(list.data); err != nil {
					return err
				}
			}
		}
		return nil
	},
}

var man12 = &Check{
	ID: "man-12", Level: Should, Pull: true, Silent: true, Spec: "pulling manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a manifest asked for by digest, by one who accepts another type, is itself or is refused",
	Hurts: "old clients: what they get has not the digest that they asked for",
	Run: func(ctx context.Context, p *Probe) error {
		m, _, _, err := p.tagged(ctx)
		if err != nil {
			return err
		}
		a, err := p.get(ctx, manifestPath(p.Repository, m.digest.String()), "Accept", mediatype.Schema1Signed)
		if err != nil {
			return err
		}
		if a.status == http.StatusOK {
			return a.bytes(m.data)
		}
		return a.refused()
	},
}

var man13 = &Check{
	ID: "man-13", Level: Should, Pull: true, Spec: "pulling manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "the Content-Type of a manifest has no parameters",
	Hurts: "clients that compare it as it stands (pulp, dkregistry)",
	Run: func(ctx context.Context, p *Probe) error {
		m, reference, _, err := p.tagged(ctx)
		if err != nil {
			return err
		}
		a, err := p.getManifest(ctx, p.Repository, reference)
		return first(err, a.wantIf(err, http.StatusOK), a.has("Content-Type", m.mediaType))
	},
}

var man14 = &Check{
	ID: "man-14", Level: Should, Spec: "pushing manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "parameters in the Content-Type of a manifest that is pushed are ignored",
	Hurts: "clients whose HTTP library adds a charset",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		a, err := p.putManifest(ctx, p.Repository, "charset", m, "Content-Type", m.mediaType+"; charset=utf-8")
		if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
			return err
		}
		a, err = p.getManifest(ctx, p.Repository, "charset")
		return first(err, a.wantIf(err, http.StatusOK), a.typed(m.mediaType))
	},
}

var man29 = &Check{
	ID: "man-29", Level: Should, Pull: true, Silent: true, Spec: "HTTP conditions", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a manifest's ETag, where one is sent, makes If-None-Match answer 304, until the tag moves",
	Hurts: "caches before the registry and pollers, which fetch the manifest again, or never see the new one",
	Run: func(ctx context.Context, p *Probe) error {
		_, reference, _, err := p.tagged(ctx)
		if err != nil {
			return err
		}
		if err := p.conditional(ctx, manifestPath(p.Repository, reference)); err != nil || p.given != nil {
			return err
		}
		old, err := p.getManifest(ctx, p.Repository, reference)
		if err != nil {
			return err
		}
		m, err := p.stored(ctx, p.Repository, "moved", reference)
		if err != nil {
			return err
		}
		a, err := p.get(ctx, manifestPath(p.Repository, reference), "Accept", acceptAll, "If-None-Match", old.header.Get("Etag"))
		return first(err, a.wantIf(err, http.StatusOK), a.bytes(m.data))
	},
}
