package conformance

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"
)

func monoChecks() list {
	return list{mono01, mono02, mono03, mono04, mono05, mono07, mono08, mono09, mono10, mono11, mono12, mono13, mono16, mono18}
}

func digestOf(data []byte) digest.Digest { return digest.FromBytes(data) }

var mono01 = &Check{
	ID: "mono-01", Level: Must, Spec: "post then put", Requires: list{ping01},
	Doc:   "POST of an upload answers 202",
	Hurts: "every client that pushes",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.send(ctx, request{method: http.MethodPost, url: uploadsPath(p.Repository), body: []byte{}})
		if err != nil {
			return err
		}
		return a.want(http.StatusAccepted)
	},
}

var mono02 = &Check{
	ID: "mono-02", Level: Must, Spec: "post then put", Requires: list{mono01},
	Doc:   "the answer to POST says by Location where the upload goes on",
	Hurts: "every client that pushes",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.send(ctx, request{method: http.MethodPost, url: uploadsPath(p.Repository), body: []byte{}})
		if err != nil {
			return err
		}
		_, err = a.location()
		return err
	},
}

var mono03 = &Check{
	ID: "mono-03", Level: Must, Spec: "post then put", Requires: list{mono02},
	Doc:   "the closing PUT answers 201 with a Location from which the blob can be pulled",
	Hurts: "docker, which fails the push on another status; clients that verify what they pushed",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.blob("blob", 300)
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		a, err := s.put(ctx, b.digest, b.data)
		if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
			return err
		}
		p.remember(blobPath(p.Repository, b.digest))
		location, err := a.location()
		if err != nil {
			return err
		}
		return p.readable(ctx, location, b)
	},
}

var mono04 = &Check{
	ID: "mono-04", Level: Must, Spec: "post then put", Requires: list{mono02},
	Doc:   "two POSTs give two upload sessions",
	Hurts: "docker, which uploads layers side by side: their bytes end up in one",
	Run: func(ctx context.Context, p *Probe) error {
		one, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer one.cancel(ctx)
		two, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer two.cancel(ctx)
		if one.location == two.location {
			return two.last.violation("a Location of its own", "that of the upload before")
		}
		return nil
	},
}

var mono05 = &Check{
	ID: "mono-05", Level: Must, Spec: "post then put", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "the Location of an upload works as it was given, with the query that it has",
	Hurts: "docker behind a proxy that changes scheme, host or port: \"blob upload unknown\"",
	Run: func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		a, err := s.at(ctx, http.MethodGet)
		if err != nil {
			return err
		}
		if a.status == http.StatusNotFound || a.status >= 500 {
			return a.violation("the upload that the Location names", a.said())
		}
		return p.closedPlainly(ctx)
	},
}

// closedPlainly closes an upload with its digest as the specification writes it: a
// query may hold a colon as it is (RFC 3986, section 3.4), and other checks send %3A.
func (p *Probe) closedPlainly(ctx context.Context) error {
	b := p.blob("plainly", 100)
	s, err := p.start(ctx, p.Repository)
	if err != nil {
		return err
	}
	where := strings.ReplaceAll(withDigest(s.location, b.digest.String()), url.QueryEscape(b.digest.String()), b.digest.String())
	a, err := s.send(ctx, request{method: http.MethodPut, url: where, body: b.data, header: header("Content-Type", "application/octet-stream")})
	if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
		return err
	}
	return p.kept(ctx, b)
}

var mono07 = &Check{
	ID: "mono-07", Level: Must, Spec: "post then put", Requires: list{mono02},
	Doc:   "a closing PUT without a digest is refused with 400",
	Hurts: "clients with a mistake: something is stored that nobody named",
	Run: func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		b := p.blob("b", 50)
		a, err := p.send(ctx, request{method: http.MethodPut, url: s.location, after: s.last, body: b.data})
		if err = first(err, a.wantIf(err, http.StatusBadRequest)); err != nil {
			return err
		}
		a, err = p.head(ctx, blobPath(p.Repository, b.digest))
		if err = first(err, a.wantIf(err, http.StatusNotFound)); err != nil {
			return err
		}
		return p.namelessChunks(ctx)
	},
}

// namelessChunks does the same to an upload that has a chunk, where chunks are taken.
func (p *Probe) namelessChunks(ctx context.Context) error {
	s, err := p.start(ctx, p.Repository)
	if err != nil {
		return err
	}
	defer s.cancel(ctx)
	b := p.blob("nameless chunk", s.chunkSize())
	a, err := s.chunk(ctx, b.data)
	if err != nil || a.status/100 != 2 {
		return err // chunk-01's business
	}
	a, err = s.send(ctx, request{method: http.MethodPut, url: s.location, body: []byte{}})
	if err = first(err, a.wantIf(err, http.StatusBadRequest)); err != nil {
		return err
	}
	a, err = p.head(ctx, blobPath(p.Repository, b.digest))
	return first(err, a.wantIf(err, http.StatusNotFound))
}

var mono08 = &Check{
	ID: "mono-08", Level: Should, Silent: true, Spec: "docker v2", Requires: list{mono01},
	Doc:   "the answer to POST carries Docker-Upload-UUID",
	Hurts: "docker before 1.10 and operators, who follow an upload by it",
	Run: func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		if s.last.header.Get("Docker-Upload-Uuid") == "" {
			return s.last.violation("a Docker-Upload-UUID header", "none")
		}
		return nil
	},
}

var mono09 = &Check{
	ID: "mono-09", Level: May, Spec: "single post", Requires: list{mono01}, Uses: list{mono03},
	Doc:   "POST with a digest and the blob stores it at once, or starts an upload",
	Hurts: "clients that spare a round trip (Azure's, regclient)",
	Run: func(ctx context.Context, p *Probe) error {
		fellBack := 0
		for _, size := range []int{200, 100_000} {
			b := p.blob(fmt.Sprint("single ", size), size)
			a, err := p.posted(ctx, b.digest, b.data)
			if err = first(err, a.wantIf(err, http.StatusCreated, http.StatusAccepted)); err != nil {
				return err
			}
			if a.status == http.StatusCreated {
				if err := of("mono-03", p.kept(ctx, b)); err != nil { // what was taken is there, however it came
					return err
				}
				continue
			}
			fellBack++
			h, err := p.head(ctx, blobPath(p.Repository, b.digest))
			if err = first(err, h.wantIf(err, http.StatusNotFound)); err != nil {
				return err
			}
		}
		if fellBack > 0 {
			return &SkipError{Reason: "the blob is not stored at once: an upload begins", FellBack: true}
		}
		return nil
	},
}

// posted sends a blob in one POST. What that starts instead is ended.
func (p *Probe) posted(ctx context.Context, d digest.Digest, data []byte) (*answer, error) {
	a, err := p.send(ctx, request{
		method: http.MethodPost, url: uploadsPath(p.Repository) + "?digest=" + d.String(), body: data, header: header("Content-Type", "application/octet-stream"),
	})
	if err == nil && a.status == http.StatusAccepted && a.header.Get("Location") != "" {
		if s := (&session{p: p}); s.moved(a) == nil {
			s.cancel(ctx)
		}
	}
	return a, err
}

// closed uploads a blob whole, and gives the session that it went through.
func (p *Probe) closed(ctx context.Context) (*session, blob, error) {
	b := p.blob("blob", 60)
	s, err := p.start(ctx, p.Repository)
	if err != nil {
		return nil, b, err
	}
	a, err := s.put(ctx, b.digest, b.data)
	if err = of("mono-03", first(err, a.wantIf(err, http.StatusCreated))); err != nil {
		return nil, b, err
	}
	p.remember(blobPath(p.Repository, b.digest))
	return s, b, nil
}

var mono10 = &Check{
	ID: "mono-10", Level: Must, Spec: "endpoints", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "an upload that was closed is gone, in one piece or in chunks: GET of it answers 404",
	Hurts: "clients that ask after a lost answer whether the upload was closed",
	Run: func(ctx context.Context, p *Probe) error {
		s, _, err := p.closed(ctx)
		if err != nil {
			return err
		}
		a, err := s.at(ctx, http.MethodGet)
		if err = first(err, a.wantIf(err, http.StatusNotFound)); err != nil {
			return err
		}
		if s, err = p.start(ctx, p.Repository); err != nil {
			return err
		}
		b := p.blob("chunk", s.chunkSize())
		if a, err = s.chunk(ctx, b.data); err != nil || a.status/100 != 2 {
			return err // chunk-01's business
		}
		if a, err = s.put(ctx, b.digest, nil); err != nil || a.status != http.StatusCreated {
			return err // chunk-10's business
		}
		p.remember(blobPath(p.Repository, b.digest))
		a, err = s.at(ctx, http.MethodGet)
		return first(err, a.wantIf(err, http.StatusNotFound))
	},
}

var mono11 = &Check{
	ID: "mono-11", Level: Should, Spec: "post then put", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a blob that is there can be uploaded again",
	Hurts: "docker, two of which push the same layer",
	Run: withBlob(80, func(ctx context.Context, p *Probe, b blob) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		a, err := s.put(ctx, b.digest, b.data)
		return first(err, a.wantIf(err, http.StatusCreated))
	}),
}

var mono12 = &Check{
	ID: "mono-12", Level: Should, Silent: true, Spec: "practice of clients", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a closing PUT that is repeated is answered 201 or 4xx, and the blob stays",
	Hurts: "jib and others that repeat a PUT whose answer was lost",
	Run: func(ctx context.Context, p *Probe) error {
		s, b, err := p.closed(ctx)
		if err != nil {
			return err
		}
		a, err := s.put(ctx, b.digest, b.data)
		if err != nil {
			return err
		}
		if a.status != http.StatusCreated {
			if err := a.refused(); err != nil {
				return err
			}
		}
		return p.readable(ctx, blobPath(p.Repository, b.digest), b)
	},
}

var mono13 = &Check{
	ID: "mono-13", Level: Must, Silent: true, Spec: "HTTP/1.1 framing", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a closing PUT with Transfer-Encoding: chunked is taken, with a blob in it or with nothing more",
	Hurts: "clients that do not know the length of what they compress as they send it",
	Run: func(ctx context.Context, p *Probe) error {
		for _, size := range []int{400, 200_000} {
			b := p.blob(fmt.Sprint("stream ", size), size)
			s, err := p.start(ctx, p.Repository)
			if err != nil {
				return err
			}
			if err := s.streamedPut(ctx, b, b.data); err != nil {
				return err
			}
		}
		b := p.blob("before", 400)
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		a, err := s.patch(ctx, b.data, "")
		if err != nil || a.status/100 != 2 {
			return err // chunk-19's business
		}
		if a.header.Get("Location") != "" {
			if err := s.moved(a); err != nil {
				return err
			}
		}
		return s.streamedPut(ctx, b, nil)
	},
}

// streamedPut closes the session by a PUT that does not say how long it is.
func (s *session) streamedPut(ctx context.Context, b blob, last []byte) error {
	a, err := s.send(ctx, request{
		method: http.MethodPut, url: withDigest(s.location, b.digest.String()), body: last, stream: true,
		header: header("Content-Type", "application/octet-stream"),
	})
	if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
		return err
	}
	return s.p.kept(ctx, b)
}

var mono16 = &Check{
	ID: "mono-16", Level: Should, Silent: true, Spec: "HTTP semantics", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a closing PUT that waits for 100 Continue is taken",
	Hurts: "curl and Java clients, which wait before they send a large blob",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.blob("continue", 500)
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		return s.closed(ctx, b, b.data, "Expect", "100-continue")
	},
}

var mono18 = &Check{
	ID: "mono-18", Level: Should, Silent: true, Spec: "practice of clients", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "the Content-Type of a PUT does not change what is stored",
	Hurts: "curl and scripts, which send application/x-www-form-urlencoded",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.blob("form", 100)
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		a, err := s.put(ctx, b.digest, b.data, "Content-Type", "application/x-www-form-urlencoded")
		if err != nil {
			return err
		}
		if a.status/100 == 4 {
			return nil // cleanly refused
		}
		if err := a.want(http.StatusCreated); err != nil {
			return err
		}
		return p.kept(ctx, b)
	},
}
