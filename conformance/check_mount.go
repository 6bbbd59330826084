package conformance

import (
	"context"
	"net/http"
	"net/url"
	"slices"
)

func mountChecks() list { return list{mount01, mount02, mount03, mount05, mount06, mount08, mount09} }

// mountOf is a request to mount; from may be "".
func mountOf(repository, d, from string) request {
	query := "?mount=" + url.QueryEscape(d)
	if from != "" {
		query += "&from=" + url.QueryEscape(from)
	}
	return request{method: http.MethodPost, url: uploadsPath(repository) + query, body: []byte{}}
}

func (p *Probe) mount(ctx context.Context, repository, d, from string) (*answer, error) {
	return p.send(ctx, mountOf(repository, d, from))
}

// mountable pushes a blob to the other repository.
func (p *Probe) mountable(ctx context.Context) (blob, error) {
	b := p.blob("mounted", 90)
	return b, p.push(ctx, p.Other, b)
}

var mount01 = &Check{
	ID: "mount-01", Level: Must, Spec: "mounting", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a mount of a blob that is there answers 201 with a Location from which it can be pulled, or starts an upload",
	Hurts: "docker, which mounts layers that it pushed elsewhere: the image cannot be pulled",
	Run: func(ctx context.Context, p *Probe) error {
		b, err := p.mountable(ctx)
		if err != nil {
			return err
		}
		a, err := p.mount(ctx, p.Repository, b.digest.String(), p.Other)
		if err = first(err, a.wantIf(err, http.StatusCreated, http.StatusAccepted)); err != nil {
			return err
		}
		if a.status == http.StatusAccepted {
			if _, err := a.location(); err != nil {
				return err
			}
			return &SkipError{Reason: "a mount starts an upload", FellBack: true}
		}
		p.remember(blobPath(p.Repository, b.digest))
		location, err := a.location()
		if err != nil {
			return err
		}
		if err := first(p.readable(ctx, blobPath(p.Repository, b.digest), b), p.readable(ctx, location, b), p.readable(ctx, blobPath(p.Other, b.digest), b)); err != nil {
			return err
		}
		return p.namesMounted(ctx, b)
	},
}

// namesMounted pushes an image whose layer was mounted.
func (p *Probe) namesMounted(ctx context.Context, b blob) error {
	doc, blobs := p.image("image", typeImage)
	if err := p.push(ctx, p.Repository, blobs[0]); err != nil {
		return err
	}
	doc.Layers = &[]descriptor{b.descriptor(typeImageLayer)}
	a, err := p.putManifest(ctx, p.Repository, "mounted", doc.manifest())
	if err == nil && slices.Contains(a.codes(), "MANIFEST_BLOB_UNKNOWN") {
		return a.violation("an image of a layer that was mounted to be taken", a.said())
	}
	return err // another refusal is man-03's business
}

var mount02 = &Check{
	ID: "mount-02", Level: Must, Spec: "mounting", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "the upload that a mount of an absent blob starts takes the blob",
	Hurts: "docker, whose mount often misses: the push fails where it should go on",
	Run: func(ctx context.Context, p *Probe) error {
		if err := p.push(ctx, p.Other, p.blob("there", 20)); err != nil { // so that the source is one
			return err
		}
		b := p.blob("missing", 90)
		a, err := p.mount(ctx, p.Repository, b.digest.String(), p.Other)
		if err = first(err, a.wantIf(err, http.StatusAccepted)); err != nil {
			return err
		}
		s := &session{p: p}
		if err := s.moved(a); err != nil {
			return err
		}
		return s.closed(ctx, b, b.data)
	},
}

var mount03 = &Check{
	ID: "mount-03", Level: Should, Spec: "mounting", Requires: list{mono02},
	Doc:   "a mount from a repository that is not there starts an upload",
	Hurts: "docker and containerd against Harbor: the push ends at a 401 or 404",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.mount(ctx, p.Repository, p.blob("missing", 90).digest.String(), p.Other+"/nowhere")
		return first(err, a.wantIf(err, http.StatusAccepted))
	},
}

var mount05 = &Check{
	ID: "mount-05", Level: May, Spec: "mounting", Requires: list{mono02},
	Doc:   "a mount that does not say from where answers 201 or starts an upload",
	Hurts: "jib, which Quay refused it",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.blob("missing", 90)
		a, err := p.mount(ctx, p.Repository, b.digest.String(), "")
		if err = first(err, a.wantIf(err, http.StatusCreated, http.StatusAccepted)); err != nil {
			return err
		}
		if a.status == http.StatusCreated {
			return a.violation("no 201 for a blob that is nowhere", a.said())
		}
		return nil
	},
}

var mount06 = &Check{
	ID: "mount-06", Level: Should, Silent: true, Spec: "mounting", Requires: list{mono02},
	Doc:   "a mount of what is no digest, or from what is no repository, is refused or starts an upload",
	Hurts: "operators: somebody's mistake looks like an outage",
	Run: func(ctx context.Context, p *Probe) error {
		for _, row := range [][2]string{{"sha256:short", p.Other}, {"nonsense", p.Other}, {p.blob("x", 9).digest.String(), "UPPER//..case"}} {
			a, err := p.mount(ctx, p.Repository, row[0], row[1])
			if err != nil {
				return err
			}
			if a.status != http.StatusAccepted {
				if err := a.refused(); err != nil {
					return err
				}
			}
		}
		return nil
	},
}

var mount08 = &Check{
	ID: "mount-08", Level: Must, Silent: true, Spec: "isolation", Requires: list{mount01, del03},
	Doc:   "a mounted blob outlives its deletion where it came from",
	Hurts: "everybody who pulls an image whose base image was cleaned up",
	Run: func(ctx context.Context, p *Probe) error {
		b, err := p.mountable(ctx)
		if err != nil {
			return err
		}
		a, err := p.mount(ctx, p.Repository, b.digest.String(), p.Other)
		if err != nil {
			return err
		}
		if a.status != http.StatusCreated {
			return &SkipError{Reason: "a mount starts an upload", FellBack: true}
		}
		p.remember(blobPath(p.Repository, b.digest))
		if a, err = p.remove(ctx, blobPath(p.Other, b.digest)); err != nil {
			return err
		}
		if err := of("del-03", a.want(http.StatusAccepted)); err != nil {
			return err
		}
		return p.readable(ctx, blobPath(p.Repository, b.digest), b)
	},
}

var mount09 = &Check{
	ID: "mount-09", Level: Should, Silent: true, Spec: "mounting", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a mount from a repository to itself does no harm",
	Hurts: "docker, which may know a layer from where it pushes it",
	Run: withBlob(70, func(ctx context.Context, p *Probe, b blob) error {
		a, err := p.mount(ctx, p.Repository, b.digest.String(), p.Repository)
		if err = first(err, a.wantIf(err, http.StatusCreated, http.StatusAccepted)); err != nil {
			return err
		}
		return p.readable(ctx, blobPath(p.Repository, b.digest), b)
	}),
}
