package conformance

import (
	"context"
	"net/http"
)

// A misfit is a chunk that does not begin where an upload ends.
type misfit struct {
	taken      int // chunks that the upload has before
	start, end int // in bytes
}

// gaps are some that few registries would all treat alike: near and far, early and
// late. size is how long a chunk is.
func gaps(size int) []misfit {
	return nearestOnly(size, []misfit{{1, 2 * size, 3*size - 5}, {1, size + 1, 2 * size}, {0, size, 2 * size}, {3, 3*size + 1, 4 * size}, {0, 1, size}})
}

// overlaps are such as begin before the end, and end after it.
func overlaps(size int) []misfit {
	return nearestOnly(size, []misfit{
		{1, size / 2, size/2 + size}, {1, size - 1, 2 * size}, {2, 2*size - 1, 3 * size}, {3, 3*size - 1, 4 * size}, {3, 2*size + size/2, 4 * size},
	})
}

// replays are chunks that the upload has.
func replays(size int) []misfit {
	return nearestOnly(size, []misfit{{1, 0, size}, {3, 2 * size, 3 * size}, {3, 0, size}, {2, size, 2 * size}})
}

// nearestOnly leaves most of them out where chunks are large.
func nearestOnly(size int, list []misfit) []misfit {
	if size > 64<<10 {
		return list[:1]
	}
	return list
}

// afterChunks is an upload that has taken so many chunks of a blob, and the blob.
func (p *Probe) afterChunks(ctx context.Context, n int) (*session, blob, int, error) {
	s, err := p.start(ctx, p.Repository)
	if err != nil {
		return nil, blob{}, 0, err
	}
	size := s.chunkSize()
	b := p.blob("chunked", max(3, n+1)*size-5)
	for i := range n {
		a, err := s.chunk(ctx, b.data[i*size:(i+1)*size])
		id := "chunk-05"
		if i == 0 {
			id = "chunk-01"
		}
		if err = of(id, first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
			return s, b, size, err
		}
	}
	return s, b, size, nil
}

// outOfOrder makes a check that sends chunks which do not fit, each to an upload of
// its own.
func outOfOrder(misfits func(size int) []misfit) func(context.Context, *Probe) error {
	return func(ctx context.Context, p *Probe) error {
		fresh, _, size, err := p.afterChunks(ctx, 0)
		if err != nil {
			return err
		}
		fresh.cancel(ctx)
		for _, m := range misfits(size) {
			if err := p.misfits(ctx, m); err != nil {
				return err
			}
		}
		return nil
	}
}

// misfits demands that a chunk is refused which does not fit, and that the upload is
// as it was.
func (p *Probe) misfits(ctx context.Context, m misfit) error {
	s, _, size, err := p.afterChunks(ctx, m.taken)
	if err != nil {
		return err
	}
	defer s.cancel(ctx)
	data := p.blob("chunked", m.end).data
	a, err := s.patch(ctx, data[m.start:], span(m.start, m.end))
	if err = first(err, a.wantIf(err, http.StatusRequestedRangeNotSatisfiable)); err != nil {
		return err
	}
	now, err := s.at(ctx, http.MethodGet)
	if err != nil || now.status != http.StatusNoContent {
		return err // chunk-11's business
	}
	if held, err := rangeEnd(now); err == nil && held > max(m.taken*size-1, 0) {
		return now.violation("an upload of "+count(m.taken*size, "byte")+", as before the refusal", "Range "+now.header.Get("Range"))
	}
	return nil
}

var chunk06 = &Check{
	ID: "chunk-06", Level: Must, Spec: "chunked upload", Requires: list{chunk01}, Uses: list{chunk05},
	Doc:   "a chunk that leaves a gap is refused with 416",
	Hurts: "clients that resume at the wrong place: the layer is corrupt",
	Run:   outOfOrder(gaps),
}

var chunk08 = &Check{
	ID: "chunk-08", Level: Must, Spec: "chunked upload", Requires: list{chunk01}, Uses: list{chunk05},
	Doc:   "a chunk that is sent again is refused with 416",
	Hurts: "clients that send a chunk again after a lost answer: it is stored twice",
	Run:   outOfOrder(replays),
}

var chunk09 = &Check{
	ID: "chunk-09", Level: Must, Spec: "chunked upload", Requires: list{chunk01}, Uses: list{chunk05},
	Doc:   "a chunk that overlaps the one before is refused with 416",
	Hurts: "clients that resume at the wrong place: bytes are stored twice",
	Run:   outOfOrder(overlaps),
}

var chunk07 = &Check{
	ID: "chunk-07", Level: Must, Spec: "chunked upload", Requires: list{chunk01}, Uses: list{chunk05},
	Doc:   "a closing PUT whose chunk leaves a gap, or overlaps, is refused with 416, and nothing is stored",
	Hurts: "clients that resume at the wrong place: the bytes are put at the end",
	Run: func(ctx context.Context, p *Probe) error {
		fresh, _, size, err := p.afterChunks(ctx, 0)
		if err != nil {
			return err
		}
		fresh.cancel(ctx)
		for _, m := range nearestOnly(size, []misfit{{taken: 1, start: 2 * size}, {taken: 1, start: size + 1}, {taken: 2, start: 2*size - 1}, {taken: 2, start: size}}) {
			if err := p.misfitClosing(ctx, m); err != nil {
				return err
			}
		}
		return nil
	},
}

// misfitClosing does the same with the chunk of a closing PUT, up to the blob's end.
func (p *Probe) misfitClosing(ctx context.Context, m misfit) error {
	s, b, _, err := p.afterChunks(ctx, m.taken)
	if err != nil {
		return err
	}
	defer s.cancel(ctx)
	a, err := s.put(ctx, b.digest, b.data[m.start:], "Content-Range", span(m.start, len(b.data)))
	if err = first(err, a.wantIf(err, http.StatusRequestedRangeNotSatisfiable)); err != nil {
		return err
	}
	h, err := p.head(ctx, blobPath(p.Repository, b.digest))
	return first(err, h.wantIf(err, http.StatusNotFound))
}
