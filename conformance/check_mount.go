package conformance

import (
	"context"
	"net/http"
	"net/url"

	"github.com/opencontainers/go-digest"
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
		return first(p.readable(ctx, blobPath(p.Repository, b.digest), b), p.readable(ctx, location, b))
	},
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
		for _, row := range []struct {
			path   string
			digest digest.Digest
		}{{manifestPath(p.Repository, reference), m.digest}, {manifestPath(p.Repository, m.digest.String()), m.digest}, {blobPath(p.Repository, b.digest), b.digest}} {
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
		a, err := p.putManifest(ctx, p.Repository, "tag", m)
		if err != nil {
			return err
		}
		return a.has("Docker-Content-Digest", m.digest.String())
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

var dig03 = &Check{
	ID: "dig-03", Level: Should, Spec: "post then put", Requires: list{mono02},
	Doc:   "a blob that has another digest than was said is refused with 400 and DIGEST_INVALID",
	Hurts: "clients that tell a corrupt upload from other mistakes, and repeat it",
	Run: func(ctx context.Context, p *Probe) error {
		_, _, s, a, err := p.wrongDigest(ctx)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		return first(a.want(http.StatusBadRequest), a.hasCode("DIGEST_INVALID"))
	},
}

var dig04 = &Check{
	ID: "dig-04", Level: Must, Silent: true, Spec: "post then put", Requires: list{mono02},
	Doc:   "a blob that has another digest than was said is not there, under either",
	Hurts: "everybody who pulls: a layer is not what its digest says",
	Run: func(ctx context.Context, p *Probe) error {
		named, sent, s, _, err := p.wrongDigest(ctx)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		chunked, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer chunked.cancel(ctx)
		inChunks, inPost := p.blob("named in chunks", 80), p.blob("named in POST", 80)
		if a, err := chunked.patch(ctx, sent.data, ""); err != nil {
			return err
		} else if a.status/100 == 2 && a.header.Get("Location") != "" {
			if err := chunked.moved(a); err != nil {
				return err
			}
		}
		if _, err := chunked.put(ctx, inChunks.digest, nil); err != nil {
			return err
		}
		if a, err := p.send(ctx, request{
			method: http.MethodPost, url: uploadsPath(p.Repository) + "?digest=" + inPost.digest.String(), body: sent.data,
			header: header("Content-Type", "application/octet-stream"),
		}); err != nil {
			return err
		} else if a.status == http.StatusAccepted && a.header.Get("Location") != "" {
			if post := (&session{p: p}); post.moved(a) == nil {
				defer post.cancel(ctx)
			}
		}
		for _, b := range []blob{named, sent, inChunks, inPost} {
			a, err := p.get(ctx, blobPath(p.Repository, b.digest))
			if err = first(err, a.wantIf(err, http.StatusNotFound)); err != nil {
				return err
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
	ID: "dig-06", Level: Should, Pull: true, Spec: "pulling blobs", Requires: list{ping01},
	Doc:   "what is no digest is refused with 400 or 404",
	Hurts: "operators: somebody's mistake looks like an outage",
	Run: func(ctx context.Context, p *Probe) error {
		for _, d := range []digest.Digest{"sha256:short", "sha256:ZZ", "nonsense", "sha256:", "sha256:0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF", "sha256:..%2f..%2fetc"} {
			a, err := p.get(ctx, blobPath(p.Repository, d))
			if err = first(err, a.wantIf(err, http.StatusBadRequest, http.StatusNotFound)); err != nil {
				return err
			}
		}
		return nil
	},
}

var dig08 = &Check{
	ID: "dig-08", Level: Must, Spec: "pushing manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a manifest that is put under the digest of another is refused with 400 and not stored",
	Hurts: "everybody who pulls by digest: what they get is not what it says",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image")
		if err != nil {
			return err
		}
		wrong := digestOf([]byte("another " + p.Repository))
		a, err := p.putManifest(ctx, p.Repository, wrong.String(), m)
		if err = first(err, a.wantIf(err, http.StatusBadRequest)); err != nil {
			return err
		}
		a, err = p.getManifest(ctx, p.Repository, wrong.String())
		return first(err, a.wantIf(err, http.StatusNotFound))
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
