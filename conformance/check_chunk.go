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
	if err != nil || n < littleChunk || n > bodyLimit/4 {
		return littleChunk
	}
	return n
}

// littleChunk is how long chunks are where the registry wants none longer, in bytes.
const littleChunk = 256

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
	Run: func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		size := s.chunkSize()
		lengths := []int{size, size, size, size}
		if size == littleChunk {
			lengths = append([]int{1}, lengths...)
		}
		for i, n := range lengths {
			a, err := s.chunk(ctx, p.blob("chunked", s.size+n).data[s.size:])
			id := "chunk-05"
			if i == 0 {
				id = "chunk-01"
			}
			if err = of(id, first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
				return err
			}
			if err := rangeIs(a, s.size); err != nil {
				return err
			}
		}
		return nil
	},
	Uses: list{chunk05},
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
	Doc:   "a blob pushed in chunks, few or many, of a byte or of 300 kB, the last one shorter, can be pulled",
	Hurts: "clients that cut large layers (oras, regclient, .NET)",
	Run: func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		size := s.chunkSize()
		s.cancel(ctx)
		cuts := [][]int{{size, size, size - 5}}
		if size == littleChunk {
			many := make([]int, 12)
			for i := range many {
				many[i] = 40 + i
			}
			cuts = append(cuts, []int{1, size, 1, 1}, many, []int{300_000, 7})
		}
		for _, lengths := range cuts {
			if err := p.inLengths(ctx, lengths); err != nil {
				return err
			}
		}
		return nil
	},
}

// inLengths pushes a blob in chunks of some lengths, closes it by an empty PUT and reads
// it back.
func (p *Probe) inLengths(ctx context.Context, lengths []int) error {
	s, err := p.start(ctx, p.Repository)
	if err != nil {
		return err
	}
	defer s.cancel(ctx)
	total := 0
	for _, n := range lengths {
		total += n
	}
	b := p.blob(fmt.Sprint("in parts ", lengths), total)
	for i, n := range lengths {
		a, err := s.chunk(ctx, b.data[s.size:s.size+n])
		id := "chunk-05"
		if i == 0 {
			id = "chunk-01"
		}
		if err = of(id, first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
			return err
		}
	}
	return of("chunk-10", s.closed(ctx, b, nil))
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

var chunk10 = &Check{
	ID: "chunk-10", Level: Must, Spec: "chunked upload", Requires: list{chunk01}, Uses: list{mono03, chunk05},
	Doc:   "an upload is closed by a PUT with the last chunk, and by one without, with a Location from which the blob can be pulled",
	Hurts: "docker, whose closing PUT is empty; clients that send the last chunk in it",
	Run: func(ctx context.Context, p *Probe) error {
		for _, c := range []ending{{1, 50, false}, {1, 50, true}, {2, 50, false}, {2, 1, true}, {1, 100_000, true}} {
			if err := p.closes(ctx, c); err != nil {
				return err
			}
		}
		return nil
	},
}

// An ending is how an upload ends: after some chunks, with the rest in the PUT or in
// one chunk more.
type ending struct {
	chunks, rest int // how many, and in bytes
	inPut        bool
}

// closes ends an upload so, and reads the blob back from where the answer says.
func (p *Probe) closes(ctx context.Context, c ending) error {
	s, err := p.start(ctx, p.Repository)
	if err != nil {
		return err
	}
	defer s.cancel(ctx)
	size := s.chunkSize()
	b := p.blob(fmt.Sprint("closing ", c), c.chunks*size+c.rest)
	last := b.data[c.chunks*size:]
	for i := range c.chunks {
		part := b.data[i*size : (i+1)*size]
		if i == c.chunks-1 && !c.inPut {
			part, last = b.data[i*size:], nil
		}
		a, err := s.chunk(ctx, part)
		id := "chunk-05"
		if i == 0 {
			id = "chunk-01"
		}
		if err = of(id, first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
			return err
		}
	}
	var headers []string
	if c.inPut {
		headers = []string{"Content-Range", span(s.size, len(b.data))}
	}
	a, err := s.put(ctx, b.digest, last, headers...)
	if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
		return err
	}
	if err := p.kept(ctx, b); err != nil {
		return err
	}
	location, err := a.location()
	if err != nil {
		return err
	}
	return p.readable(ctx, location, b)
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
	Doc:   "PATCH without Content-Range, with a length or without, is taken, and an empty PUT closes it",
	Hurts: "docker: it is how it uploads every layer",
	Run: func(ctx context.Context, p *Probe) error {
		return first(p.streams(ctx, 3000, true), p.streams(ctx, 1_100_000, true), p.streams(ctx, 2000, false))
	},
}

// streams pushes a blob by one PATCH without a Content-Range, of which nothing says how
// long it is, or only its Content-Length.
func (p *Probe) streams(ctx context.Context, size int, endless bool) error {
	s, err := p.start(ctx, p.Repository)
	if err != nil {
		return err
	}
	defer s.cancel(ctx)
	b := p.blob(fmt.Sprint("stream ", size, endless), size)
	a, err := s.send(ctx, request{
		method: http.MethodPatch, url: s.location, body: b.data, stream: endless, header: header("Content-Type", "application/octet-stream"),
	})
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
	return of("mono-03", s.closed(ctx, b, nil)) // what was taken is there, however it came
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
