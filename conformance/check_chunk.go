package conformance

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

func chunkChecks() list {
	return list{
		chunk01, chunk02, chunk03, chunk04, chunk05, chunk06, chunk07, chunk08, chunk09, chunk10,
		chunk13, chunk14, chunk17, chunk18, chunk19, chunk23,
	}
}

// inChunks makes a check of an upload session that has taken a first chunk.
func inChunks(run func(ctx context.Context, p *Probe, s *session, b blob, size int) error) func(context.Context, *Probe) error {
	return func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		size := s.chunkSize()
		b := p.blob("chunked", 3*size-5)
		a, err := s.chunk(ctx, b.data[:size])
		if err = of("chunk-01", first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
			return err
		}
		return run(ctx, p, s, b, size)
	}
}

// chunkSize is how large chunks are: what the registry wants at least, or a little.
func (s *session) chunkSize() int {
	n, err := strconv.Atoi(s.last.header.Get("Oci-Chunk-Min-Length"))
	if err != nil || n < 256 || n > bodyLimit/4 {
		return 256
	}
	return n
}

// closed closes the session and reads the blob back.
func (s *session) closed(ctx context.Context, b blob, last []byte, headers ...string) error {
	if len(headers) == 0 && len(last) > 0 && s.size > 0 {
		headers = []string{"Content-Range", span(s.size, s.size+len(last))}
	}
	a, err := s.put(ctx, b.digest, last, headers...)
	if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
		return err
	}
	return s.p.kept(ctx, b)
}

// inThree uploads a blob in two chunks of a size and a closing PUT with the rest, and
// reads it back.
func (s *session) inThree(ctx context.Context, b blob, size int) error {
	for at := 0; at < 2*size; at += size {
		a, err := s.chunk(ctx, b.data[at:at+size])
		if err = first(err, a.wantIf(err, http.StatusAccepted)); err != nil {
			return err
		}
	}
	return s.closed(ctx, b, b.data[2*size:])
}

var chunk01 = &Check{
	ID: "chunk-01", Level: Must, Spec: "chunked upload", Requires: list{mono02},
	Doc:   "PATCH of the first chunk answers 202",
	Hurts: "strict clients (tart, mise), which stop at ECR's 201; every client where there is no PATCH",
	Run: func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		a, err := s.chunk(ctx, p.blob("chunk", s.chunkSize()).data)
		if err != nil {
			return err
		}
		if a.status == http.StatusMethodNotAllowed || a.status == http.StatusNotFound {
			return a.violation("status 202", a.said()+": there is no upload in chunks")
		}
		return a.want(http.StatusAccepted)
	},
}

var chunk02 = &Check{
	ID: "chunk-02", Level: Must, Spec: "chunked upload", Requires: list{chunk01},
	Doc:   "the answer to PATCH says by Location where the next chunk goes",
	Hurts: "docker, which uploads every layer by PATCH and closes at the Location that it got",
	Run: inChunks(func(_ context.Context, _ *Probe, s *session, _ blob, _ int) error {
		_, err := s.last.location()
		if err == nil && s.last.req.method != http.MethodPatch {
			return s.last.violation("a Location in the answer to PATCH", "none")
		}
		return err
	}),
}

var chunk03 = &Check{
	ID: "chunk-03", Level: Must, Spec: "chunked upload", Requires: list{chunk01},
	Doc:   "Range in the answer to PATCH ends where the whole upload ends so far",
	Hurts: "regclient and others that go on from it: they send bytes twice or leave some out",
	Run: inChunks(func(ctx context.Context, _ *Probe, s *session, b blob, size int) error {
		if err := s.patchRange(size); err != nil {
			return err
		}
		a, err := s.chunk(ctx, b.data[size:2*size])
		if err = of("chunk-05", first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
			return err
		}
		return rangeIs(a, 2*size)
	}),
	Uses: list{chunk05},
}

// patchRange looks at the range of the last answer of a session.
func (s *session) patchRange(size int) error {
	if s.last.req.method != http.MethodPatch {
		return nil // chunk-02's business
	}
	return rangeIs(s.last, size)
}

func rangeIs(a *answer, size int) error {
	got := strings.TrimPrefix(a.header.Get("Range"), "bytes=") // the unit is chunk-13's business
	if want := fmt.Sprintf("0-%d", size-1); got != want {
		return a.violation("Range "+want, quoteOr(a.header.Get("Range")))
	}
	return nil
}

var chunk04 = &Check{
	ID: "chunk-04", Level: Must, Spec: "chunked upload", Requires: list{chunk01}, Uses: list{chunk05, chunk10},
	Doc:   "a blob pushed in three chunks, the last one shorter, can be pulled",
	Hurts: "clients that cut large layers (oras, regclient, .NET)",
	Run: inChunks(func(ctx context.Context, _ *Probe, s *session, b blob, size int) error {
		for _, part := range [][]byte{b.data[size : 2*size], b.data[2*size:]} {
			a, err := s.chunk(ctx, part)
			if err = of("chunk-05", first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
				return err
			}
		}
		return of("chunk-10", s.closed(ctx, b, nil))
	}),
}

var chunk05 = &Check{
	ID: "chunk-05", Level: Must, Spec: "chunked upload", Requires: list{chunk01},
	Doc:   "a second PATCH of an upload is taken",
	Hurts: ".NET's SDK, which old Gitea refused it",
	Run: inChunks(func(ctx context.Context, _ *Probe, s *session, b blob, size int) error {
		a, err := s.chunk(ctx, b.data[size:2*size])
		return first(err, a.wantIf(err, http.StatusAccepted))
	}),
}

// outOfOrder makes a check that sends a chunk which does not fit.
func outOfOrder(from func(size int) (start, end int)) func(context.Context, *Probe) error {
	return inChunks(func(ctx context.Context, _ *Probe, s *session, b blob, size int) error {
		start, end := from(size)
		a, err := s.patch(ctx, b.data[start:end], fmt.Sprintf("%d-%d", start, end-1))
		if err = first(err, a.wantIf(err, http.StatusRequestedRangeNotSatisfiable)); err != nil {
			return err
		}
		now, err := s.at(ctx, http.MethodGet)
		if err != nil || now.status != http.StatusNoContent {
			return err // chunk-11's business
		}
		if held, err := rangeEnd(now); err == nil && held >= 2*size-1 {
			return now.violation(fmt.Sprintf("an upload of %d bytes, as before the refusal", size), "Range "+now.header.Get("Range"))
		}
		return nil
	})
}

var chunk06 = &Check{
	ID: "chunk-06", Level: Must, Spec: "chunked upload", Requires: list{chunk01},
	Doc:   "a chunk that leaves a gap is refused with 416",
	Hurts: "clients that resume at the wrong place: the layer is corrupt",
	Run:   outOfOrder(func(size int) (int, int) { return 2 * size, 3*size - 5 }),
}

var chunk07 = &Check{
	ID: "chunk-07", Level: Must, Spec: "chunked upload", Requires: list{chunk01},
	Doc:   "a closing PUT whose chunk leaves a gap is refused with 416, and nothing is stored",
	Hurts: "clients that resume at the wrong place: the bytes are put at the end",
	Run: inChunks(func(ctx context.Context, p *Probe, s *session, b blob, size int) error {
		a, err := s.put(ctx, b.digest, b.data[2*size:], "Content-Range", fmt.Sprintf("%d-%d", 2*size, len(b.data)-1))
		if err = first(err, a.wantIf(err, http.StatusRequestedRangeNotSatisfiable)); err != nil {
			return err
		}
		h, err := p.head(ctx, blobPath(p.Repository, b.digest))
		return first(err, h.wantIf(err, http.StatusNotFound))
	}),
}

var chunk08 = &Check{
	ID: "chunk-08", Level: Must, Spec: "chunked upload", Requires: list{chunk01},
	Doc:   "a chunk that is sent again is refused with 416",
	Hurts: "clients that send a chunk again after a lost answer: it is stored twice",
	Run:   outOfOrder(func(size int) (int, int) { return 0, size }),
}

var chunk09 = &Check{
	ID: "chunk-09", Level: Must, Spec: "chunked upload", Requires: list{chunk01},
	Doc:   "a chunk that overlaps the one before is refused with 416",
	Hurts: "clients that resume at the wrong place: bytes are stored twice",
	Run:   outOfOrder(func(size int) (int, int) { return size / 2, size/2 + size }),
}

var chunk10 = &Check{
	ID: "chunk-10", Level: Must, Spec: "chunked upload", Requires: list{chunk01}, Uses: list{mono03},
	Doc:   "an upload is closed by a PUT with the last chunk, and by one without",
	Hurts: "docker, whose closing PUT is empty; clients that send the last chunk in it",
	Run: func(ctx context.Context, p *Probe) error {
		for _, lastInPut := range []bool{false, true} {
			s, err := p.start(ctx, p.Repository)
			if err != nil {
				return err
			}
			size := s.chunkSize()
			b := p.blob("closing "+fmt.Sprint(lastInPut), size+50)
			first, last := b.data, []byte(nil)
			if lastInPut {
				first, last = b.data[:size], b.data[size:]
			}
			a, err := s.chunk(ctx, first)
			if err == nil {
				err = a.want(http.StatusAccepted)
			}
			if err = of("chunk-01", err); err != nil {
				return err
			}
			var headers []string
			if lastInPut {
				headers = []string{"Content-Range", fmt.Sprintf("%d-%d", size, len(b.data)-1)}
			}
			if err := s.closed(ctx, b, last, headers...); err != nil {
				return err
			}
		}
		return nil
	},
}

var chunk13 = &Check{
	ID: "chunk-13", Level: Must, Spec: "chunked upload", Requires: list{chunk01},
	Doc:   "Range has no unit before it",
	Hurts: "clients that read it as the specification has it",
	Run: inChunks(func(_ context.Context, _ *Probe, s *session, _ blob, _ int) error {
		if got := s.last.header.Get("Range"); strings.Contains(got, "=") || strings.Contains(got, "bytes") {
			return s.last.violation("a Range without a unit", got)
		}
		return nil
	}),
}

var chunk14 = &Check{
	ID: "chunk-14", Level: Must, Spec: "chunked upload", Requires: list{chunk06, chunk11}, Uses: list{mono03, chunk05, chunk10},
	Doc:   "after a refused chunk the upload goes on from where it says that it is",
	Hurts: "clients that resume",
	Run: inChunks(func(ctx context.Context, _ *Probe, s *session, b blob, size int) error {
		a, err := s.patch(ctx, b.data[2*size:], fmt.Sprintf("%d-%d", 2*size, len(b.data)-1))
		if err = of("chunk-06", first(err, a.wantIf(err, http.StatusRequestedRangeNotSatisfiable))); err != nil {
			return err
		}
		if a, err = s.at(ctx, http.MethodGet); err != nil {
			return err
		}
		if err := first(a.want(http.StatusNoContent), rangeIs(a, size), s.moved(a)); err != nil {
			return err
		}
		if a, err = s.chunk(ctx, b.data[size:2*size]); err != nil {
			return err
		}
		if err := a.want(http.StatusAccepted); err != nil {
			return err
		}
		return s.closed(ctx, b, b.data[2*size:], "Content-Range", fmt.Sprintf("%d-%d", 2*size, len(b.data)-1))
	}),
}

var chunk17 = &Check{
	ID: "chunk-17", Level: Should, Silent: true, Spec: "chunked upload", Requires: list{chunk01},
	Doc:   "a Content-Range that is none is refused with a 4xx",
	Hurts: "clients with a mistake, which take a 500 for an outage and try again",
	Run: inChunks(func(ctx context.Context, _ *Probe, s *session, b blob, size int) error {
		a, err := s.patch(ctx, b.data[size:2*size], "from here to there")
		if err != nil {
			return err
		}
		return a.refused()
	}),
}

var chunk18 = &Check{
	ID: "chunk-18", Level: Should, Silent: true, Spec: "chunked upload", Requires: list{chunk01},
	Doc:   "a Content-Range that is not as long as the chunk is refused with a 4xx",
	Hurts: "clients whose chunk was cut on the way: the upload goes on at the wrong place",
	Run: inChunks(func(ctx context.Context, _ *Probe, s *session, b blob, size int) error {
		a, err := s.patch(ctx, b.data[size:2*size], fmt.Sprintf("%d-%d", size, 2*size+100))
		if err != nil {
			return err
		}
		return a.refused()
	}),
}

var chunk19 = &Check{
	ID: "chunk-19", Level: May, Spec: "chunked upload", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "PATCH without Content-Range, in a stream, is taken, and an empty PUT closes it",
	Hurts: "docker: it is how it uploads every layer",
	Run: func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		b := p.blob("stream", 3000)
		a, err := s.patch(ctx, b.data, "")
		if err != nil {
			return err
		}
		if a.status/100 != 2 {
			return a.violation("status 202", a.said())
		}
		if a.header.Get("Location") != "" {
			if err := s.moved(a); err != nil {
				return err
			}
		}
		return s.closed(ctx, b, nil)
	},
}

var chunk23 = &Check{
	ID: "chunk-23", Level: Should, Silent: true, Spec: "chunked upload", Requires: list{chunk01}, Uses: list{mono03, chunk10},
	Doc:   "a PATCH without bytes neither breaks an upload nor changes it",
	Hurts: "clients that close a stream which ended with a chunk",
	Run: inChunks(func(ctx context.Context, _ *Probe, s *session, b blob, size int) error {
		a, err := s.patch(ctx, []byte{}, "")
		if err != nil {
			return err
		}
		if a.status >= 500 {
			return a.violation("a status below 500", a.said())
		}
		if a.status/100 == 2 && a.header.Get("Location") != "" {
			if err := s.moved(a); err != nil {
				return err
			}
		}
		return s.closed(ctx, b, b.data[size:])
	}),
}
