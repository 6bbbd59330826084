package conformance

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/pushcheck/pushcheck/internal/gzips"
)

// largeChecks look at what is large, or says that it is.
func largeChecks() list {
	return list{blob13, chunk15, chunk16, tag08, lim04, lim07, sec11}
}

var blob13 = &Check{
	ID: "blob-13", Level: Must, Silent: true, Spec: "pushing", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a large blob can be pushed and pulled",
	Hurts: "everybody with large layers: they are cut, or the push starts again for ever",
	Run: func(ctx context.Context, p *Probe) error {
		l := p.large("large", p.options.Large)
		a, err := p.putLarge(ctx, l)
		if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
			return err
		}
		p.measure("a blob that was pushed and pulled", float64(l.size)/(1<<20), "MiB")
		return p.sameLarge(ctx, l)
	},
}

var chunk15 = &Check{
	ID: "chunk-15", Level: May, Silent: true, Spec: "chunked upload", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a registry without PATCH says so at once by a 4xx, and takes the blob whole",
	Hurts: "skopeo and .NET's SDK against Google's registry: they cannot tell it from a failed upload",
	Run: func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		a, err := s.patch(ctx, p.blob("chunk", s.chunkSize()).data, "")
		if err != nil {
			return err
		}
		if a.status/100 == 2 {
			return nil
		}
		if err := a.refused(); err != nil {
			return err
		}
		b := p.blob("whole", 300)
		if err := p.push(ctx, p.Repository, b); err != nil {
			return err
		}
		return first(p.readable(ctx, blobPath(p.Repository, b.digest), b), &SkipError{Reason: "there is no upload in chunks", FellBack: true})
	},
}

// largestChunk is how large chunks are that chunk-16 tries at most, in bytes.
const largestChunk = 8 << 20

var chunk16 = &Check{
	ID: "chunk-16", Level: Should, Spec: "chunked upload", Requires: list{chunk01}, Uses: list{mono03, chunk10},
	Doc:   "a chunk as small as OCI-Chunk-Min-Length says is taken, and one that is too large is refused with 413 or 416",
	Hurts: "clients that cut layers: they do not learn which size fits, and GHCR's limit ends the push",
	Run: func(ctx context.Context, p *Probe) error {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		if said := s.last.header.Get("Oci-Chunk-Min-Length"); said != "" {
			size := s.chunkSize()
			if fmt.Sprint(size) != said && size == 256 {
				var n int
				if _, err := fmt.Sscan(said, &n); err != nil || n < 0 {
					return s.last.violation("OCI-Chunk-Min-Length that is a number", said)
				}
			}
			p.note("smallest chunk", said+" bytes")
			if err := s.inThree(ctx, p.blob("minimal", 2*size+1), size); err != nil {
				return err
			}
		} else {
			s.cancel(ctx)
		}
		return p.largest(ctx)
	},
}

// largest finds the largest chunk, by doubling.
func (p *Probe) largest(ctx context.Context) error {
	taken := int64(0)
	for size := int64(64 << 10); size <= min(p.options.Large, largestChunk); size *= 4 {
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		l := &largeBlob{size: size, block: p.blob("block", 64<<10).data}
		a, err := s.send(ctx, request{
			method: http.MethodPatch, url: s.location, large: l,
			header: header("Content-Type", "application/octet-stream", "Content-Range", fmt.Sprintf("0-%d", size-1)),
		})
		s.cancel(ctx)
		if err != nil {
			return err
		}
		if a.status/100 != 2 {
			p.measure("largest chunk", float64(taken)/1024, "KiB")
			return a.want(http.StatusRequestEntityTooLarge, http.StatusRequestedRangeNotSatisfiable)
		}
		taken = size
	}
	p.measure("largest chunk that was tried", float64(taken)/1024, "KiB")
	return nil
}

// atOnce runs what must cost a registry nothing, and once more when it took long:
// what shows once may be chance. It returns how long that took when both did.
func (p *Probe) atOnce(run func() error) (time.Duration, error) {
	var took time.Duration
	for range 2 {
		began := p.clock.Now()
		if err := run(); err != nil {
			return 0, err
		}
		if took = p.clock.Now().Sub(began); took < p.options.Prompt {
			return 0, nil
		}
	}
	return took, nil
}

var tag08 = &Check{
	ID: "tag-08", Level: Must, Timed: true, Pull: true, Silent: true, Spec: "tags", Requires: list{ping01},
	Doc:   "a huge ?n= is answered as fast as any other, and without an outage",
	Hurts: "operators: anybody can take the registry's memory (CVE-2023-2253)",
	Run: func(ctx context.Context, p *Probe) error {
		for _, path := range []string{tagsPath(p.Repository, "?n="), "/v2/_catalog?n="} {
			for _, n := range []string{"100000000", "2147483648", "9223372036854775807"} {
				var a *answer
				took, err := p.atOnce(func() error {
					var err error
					a, err = p.get(ctx, path+n)
					return err
				})
				if err != nil {
					return err
				}
				if a.status >= 500 {
					return a.violation("a status below 500", a.said())
				}
				if took > 0 {
					return a.violation("an answer within "+p.options.Prompt.String(), "one after "+took.String())
				}
			}
		}
		return nil
	},
}

// manyTags is how many tags lim-04 pushes.
const manyTags = 1000

var lim04 = &Check{
	ID: "lim-04", Level: Should, Silent: true, Spec: "tags", Requires: list{tag01, tag03}, Uses: list{mono03, man03, tag06},
	Doc:   "a thousand tags are taken, and all are listed",
	Hurts: "CI that tags each build: old tags are no longer listed, and ECR refuses to list more",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "t0000")
		if err != nil {
			return err
		}
		if err := together(8, manyTags, func(i int) error {
			a, err := p.putManifest(ctx, p.Repository, fmt.Sprintf("t%04d", i), m)
			return first(err, a.wantIf(err, http.StatusCreated))
		}); err != nil {
			return err
		}
		seen := map[string]int{}
		var last *answer
		err = p.walk(ctx, tagsPath(p.Repository, ""), func(a *answer) error {
			last = a
			l, err := a.tags()
			if err != nil {
				return err
			}
			for _, tag := range l.Tags {
				seen[tag]++
			}
			return nil
		})
		if err == nil && len(seen) != manyTags {
			return last.violation(count(manyTags, "tag"), count(len(seen), "tag"))
		}
		if err != nil {
			return err
		}
		l, a, err := p.tags(ctx, p.Repository, fmt.Sprintf("?n=%d", 2*manyTags))
		if err == nil && len(l.Tags) < manyTags && nextLink(a) == "" {
			return a.violation(count(manyTags, "tag")+", or a Link to the rest", count(len(l.Tags), "tag"))
		}
		return nil // a refusal is tag-07's business
	},
}

var lim07 = &Check{
	ID: "lim-07", Level: May, Silent: true, Spec: "size of manifests", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a body that is too large is refused with 413 and an answer that can be read",
	Hurts: "docker behind nginx: its 413 is a page, and the push ends with \"unexpected end of JSON\"",
	Run: func(ctx context.Context, p *Probe) error {
		taken := int64(0)
		for size := int64(1 << 20); size <= p.options.Large; size *= 4 {
			a, err := p.putLarge(ctx, p.large(fmt.Sprint("body ", size), size))
			if err != nil {
				return err
			}
			if a.status/100 != 2 { // which 2xx is mono-03's business
				p.measure("largest body", float64(taken)/(1<<20), "MiB")
				return first(a.want(http.StatusRequestEntityTooLarge), a.noPage(), &SkipError{Reason: fmt.Sprintf("bodies of %d MiB are too large", size>>20)})
			}
			taken = size
		}
		p.measure("largest body that was tried", float64(taken)/(1<<20), "MiB")
		return nil
	},
}

// bombParts is how many MiB of zeros a gzip bomb unpacks to. Each is a member of
// its own, so that making it costs nothing.
const bombParts = 1024

// bomb is a gzip of a GiB of zeros that is a MiB long.
func (p *Probe) bomb() (blob, error) {
	var one bytes.Buffer
	w := gzips.Writer(&one)
	defer gzips.Return(w)
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		return blob{}, err
	}
	if err := w.Close(); err != nil {
		return blob{}, err
	}
	data := bytes.Repeat(one.Bytes(), bombParts)
	w.Reset(&one) // and what makes it this check's own
	one.Reset()
	if _, err := w.Write(p.blob("bomb", 40).data); err != nil {
		return blob{}, err
	}
	if err := w.Close(); err != nil {
		return blob{}, err
	}
	data = append(data, one.Bytes()...)
	return blob{digestOf(data), data}, nil
}

var sec11 = &Check{
	ID: "sec-11", Level: Should, Timed: true, Silent: true, Spec: "pushing", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a layer that unpacks to a GiB is taken as fast as any other, and given back as it is",
	Hurts: "operators: a layer of a MiB takes all memory of a registry that unpacks it",
	Run: func(ctx context.Context, p *Probe) error {
		b, err := p.bomb()
		if err != nil {
			return err
		}
		doc, blobs := p.image("image", typeImage)
		doc.Layers = &[]descriptor{b.descriptor(typeImageLayer)}
		m := doc.manifest()
		if err := p.push(ctx, p.Repository, blobs[0]); err != nil {
			return err
		}
		took, err := p.atOnce(func() error {
			if err := p.push(ctx, p.Repository, b); err != nil {
				return err
			}
			return p.store(ctx, p.Repository, m, "bomb")
		})
		if err != nil {
			return err
		}
		if took > 0 {
			return &Violation{Want: "a layer of a MiB taken within " + p.options.Prompt.String(), Got: "taken after " + took.String()}
		}
		return p.readable(ctx, blobPath(p.Repository, b.digest), b)
	},
}
