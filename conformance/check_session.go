package conformance

import (
	"context"
	"net/http"
	"strings"
)

// sessionChecks look at upload sessions whatever they carry.
func sessionChecks() list { return list{chunk11, chunk12, chunk20, chunk21, chunk22} }

var chunk11 = &Check{
	ID: "chunk-11", Level: Must, Spec: "chunked upload", Requires: list{chunk01}, Uses: list{chunk05},
	Doc:   "GET of an upload under way answers 204 with its Location and Range, after each chunk",
	Hurts: "clients that resume: they do not learn where to go on",
	Run: inChunks(func(ctx context.Context, _ *Probe, s *session, b blob, size int) error {
		for range 2 {
			a, err := s.at(ctx, http.MethodGet)
			if err = first(err, a.wantIf(err, http.StatusNoContent)); err != nil {
				return err
			}
			if _, err := a.location(); err != nil {
				return err
			}
			if err := rangeIs(a, s.size); err != nil {
				return err
			}
			if a, err = s.chunk(ctx, b.data[s.size:min(s.size+size, len(b.data))]); err != nil {
				return err
			}
			if err := of("chunk-05", a.want(http.StatusAccepted)); err != nil {
				return err
			}
		}
		a, err := s.at(ctx, http.MethodGet)
		return first(err, a.wantIf(err, http.StatusNoContent), rangeIs(a, s.size))
	}),
}

var chunk12 = &Check{
	ID: "chunk-12", Level: Should, Silent: true, Spec: "chunked upload", Requires: list{mono02},
	Doc:   "GET of an upload without bytes answers 204 with its Location",
	Hurts: "clients that ask before the first chunk",
	Run: func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		a, err := s.at(ctx, http.MethodGet)
		if err = first(err, a.wantIf(err, http.StatusNoContent)); err != nil {
			return err
		}
		_, err = a.location()
		return err
	},
}

var chunk20 = &Check{
	ID: "chunk-20", Level: Must, Silent: true, Spec: "isolation", Requires: list{mono02},
	Doc:   "an upload of one repository cannot be driven through another",
	Hurts: "users of a shared registry: who may push to one repository writes to another",
	Run: func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		other := strings.Replace(s.location, "/"+p.Repository+"/", "/"+p.Other+"/", 1)
		if other == s.location {
			return &SkipError{Reason: "the location of an upload does not name its repository"}
		}
		b := p.blob("stolen", 60)
		a, err := p.send(ctx, request{
			method: http.MethodPut, url: withDigest(other, b.digest.String()), body: b.data, header: header("Content-Type", "application/octet-stream"),
		})
		if err != nil {
			return err
		}
		return a.refused()
	},
}

var chunk21 = &Check{
	ID: "chunk-21", Level: Should, Spec: "upload cancel", Requires: list{mono02},
	Doc:   "DELETE of an upload answers 204, and the upload is gone, with bytes in it or without",
	Hurts: "clients that clean up after themselves (containerd, regclient)",
	Run: func(ctx context.Context, p *Probe) error {
		for _, size := range []int{0, littleChunk} {
			s, err := p.start(ctx, p.Repository)
			if err != nil {
				return err
			}
			if size > 0 {
				if _, err := s.chunk(ctx, p.blob("chunk", s.chunkSize()).data); err != nil {
					return err
				}
			}
			if err := s.cancelled(ctx); err != nil {
				return err
			}
		}
		return nil
	},
}

// cancelled demands that an upload can be ended, and that nothing is left of it.
func (s *session) cancelled(ctx context.Context) error {
	a, err := s.at(ctx, http.MethodDelete)
	if err != nil {
		return err
	}
	if a.status == http.StatusMethodNotAllowed {
		return &SkipError{Reason: "uploads cannot be cancelled"}
	}
	if err := a.want(http.StatusNoContent); err != nil {
		return err
	}
	if a, err = s.at(ctx, http.MethodGet); err != nil {
		return err
	}
	if err := a.want(http.StatusNotFound); err != nil {
		return err
	}
	b := s.p.blob("after the end", 40)
	if a, err = s.put(ctx, b.digest, b.data); err != nil {
		return err
	}
	return a.refused()
}

// unknownUpload is where no upload is.
func unknownUpload(repository string) string {
	return uploadsPath(repository) + "00000000-0000-4000-8000-000000000000"
}

var chunk22 = &Check{
	ID: "chunk-22", Level: Should, Silent: true, Spec: "error codes", Requires: list{ping01}, Uses: list{mono02, mono03},
	Doc:   "an upload that never was, or is no more, is answered 404 with BLOB_UPLOAD_UNKNOWN, to GET, PATCH, PUT and DELETE",
	Hurts: "clients that start again on that code",
	Run: func(ctx context.Context, p *Probe) error {
		unknown := func(a *answer) error { return first(a.want(http.StatusNotFound), a.hasCode("BLOB_UPLOAD_UNKNOWN")) }
		a, err := p.get(ctx, unknownUpload(p.Repository))
		if err != nil {
			return err
		}
		if err := unknown(a); err != nil {
			return err
		}
		// A location that was one once: those of distribution hold more than a name.
		s, _, err := p.closed(ctx)
		if err != nil {
			return err
		}
		b := p.blob("late", 40)
		for _, send := range []func() (*answer, error){
			func() (*answer, error) { return s.at(ctx, http.MethodGet) },
			func() (*answer, error) { return s.patch(ctx, b.data, "") },
			func() (*answer, error) { return s.put(ctx, b.digest, b.data) },
			func() (*answer, error) { return s.at(ctx, http.MethodDelete) },
		} {
			if a, err = send(); err != nil {
				return err
			}
			if a.status == http.StatusMethodNotAllowed {
				continue // what is not done at all is other checks' business
			}
			if err := unknown(a); err != nil {
				return err
			}
		}
		return nil
	},
}
