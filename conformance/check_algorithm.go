package conformance

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"
)

// algorithmChecks look at digests: of another algorithm, and of none.
func algorithmChecks() list { return list{mono17, dig07, sec05} }

// in512 is a blob under its sha512 digest.
func (p *Probe) in512(name string) blob {
	data := p.blob(name, 200).data
	sum := sha512.Sum512(data)
	return blob{digest.NewDigestFromEncoded(digest.SHA512, hex.EncodeToString(sum[:])), data}
}

// kept512 looks at what became of a blob that was closed by its sha512 digest.
func (p *Probe) kept512(ctx context.Context, a *answer, b blob) error {
	if a.status != http.StatusCreated {
		return first(a.refused(), &SkipError{Reason: "sha512 is refused"})
	}
	p.remember(blobPath(p.Repository, b.digest))
	g, err := p.get(ctx, blobPath(p.Repository, b.digest))
	if err = first(err, g.wantIf(err, http.StatusOK), g.bytes(b.data)); err != nil {
		return err
	}
	if said := g.header.Get("Docker-Content-Digest"); said != "" && said != b.digest.String() {
		return g.violation("Docker-Content-Digest "+b.digest.String(), said)
	}
	return nil
}

var mono17 = &Check{
	ID: "mono-17", Level: May, Spec: "chunked upload", Requires: list{mono02},
	Doc:   "an upload that says digest-algorithm=sha512 takes a blob by its sha512 digest, or is refused with a 4xx",
	Hurts: "clients that use sha512: they cannot tell unsupported from broken",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.in512("announced")
		a, err := p.send(ctx, request{method: http.MethodPost, url: uploadsPath(p.Repository) + "?digest-algorithm=sha512", body: []byte{}})
		if err != nil {
			return err
		}
		if a.status != http.StatusAccepted {
			return first(a.refused(), &SkipError{Reason: "sha512 is refused"})
		}
		s := &session{p: p}
		if err := s.moved(a); err != nil {
			return err
		}
		if a, err = s.put(ctx, b.digest, b.data); err != nil {
			return err
		}
		return p.kept512(ctx, a, b)
	},
}

var dig07 = &Check{
	ID: "dig-07", Level: May, Spec: "chunked upload", Requires: list{mono02},
	Doc:   "a blob that is closed by its sha512 digest is kept under that digest, or refused with a 4xx",
	Hurts: "clients that use sha512: what they get has another name than they asked for",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.in512("blob")
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		a, err := s.put(ctx, b.digest, b.data)
		if err != nil {
			return err
		}
		return p.kept512(ctx, a, b)
	},
}

var sec05 = &Check{
	ID: "sec-05", Level: Should, Silent: true, Spec: "pulling blobs", Requires: list{mono02},
	Doc:   "a digest with a path in it is refused wherever a digest can stand",
	Hurts: "operators: a path in a digest reaches files of the machine, or is an outage",
	Run: func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		for _, d := range []string{"sha256:../../../../etc/passwd", "sha256:..", "../sha256:00", "sha256:" + strings.Repeat("/", 64)} {
			in := url.PathEscape(d)
			m := rawManifest(typeImage, []byte("{}"))
			for _, r := range []request{
				{method: http.MethodPut, url: withDigest(s.location, d), body: []byte("x"), after: s.last, header: header("Content-Type", "application/octet-stream")},
				{method: http.MethodHead, url: "/v2/" + p.Repository + "/blobs/" + in},
				{method: http.MethodDelete, url: "/v2/" + p.Repository + "/blobs/" + in},
				{method: http.MethodPut, url: "/v2/" + p.Repository + "/manifests/" + in, body: m.data, header: header("Content-Type", m.mediaType)},
				{method: http.MethodGet, url: "/v2/" + p.Repository + "/referrers/" + in},
			} {
				a, err := p.send(ctx, r)
				if err != nil {
					return err
				}
				if a.status/100 == 3 {
					continue // to a path without the dots: it is looked at when it is asked for
				}
				if err := a.refused(); err != nil {
					return err
				}
			}
		}
		return nil
	},
}
