package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// perfChecks measure, and judge nothing but that it works.
func perfChecks() list { return list{perf01, perf02, perf03, perf04} }

var perf01 = &Check{
	ID: "perf-01", Level: May, Alone: true, Silent: true, Spec: "measured", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc: "how many requests and bytes a push of one image takes, in docker's order",
	Run: func(ctx context.Context, p *Probe) error {
		doc, blobs := p.image("image", typeImage)
		began := p.clock.Now()
		before, sent := p.seq, 0
		for _, b := range []blob{blobs[1], blobs[0]} { // layers first, then the configuration
			h, err := p.head(ctx, blobPath(p.Repository, b.digest))
			if err != nil {
				return err
			}
			if h.status == http.StatusOK {
				continue
			}
			if err := p.push(ctx, p.Repository, b); err != nil {
				return err
			}
			sent += len(b.data)
		}
		m := doc.manifest()
		if err := p.store(ctx, p.Repository, m, "tag"); err != nil {
			return err
		}
		p.measure("requests of a push", float64(p.seq-before), "requests")
		p.measure("bodies of it", float64(sent+len(m.data)), "bytes")
		p.measure("time of it", ms(p.clock.Now().Sub(began)), "ms")
		return nil
	},
}

// perfTries is how often a route is asked.
const perfTries = 30

var perf02 = &Check{
	ID: "perf-02", Level: May, Alone: true, Silent: true, Spec: "measured", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc: "how long each route takes: at half, at 95 and at 99 of a hundred requests",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		there, absent := blobPath(p.Repository, p.blob("layer image", 120).digest), blobPath(p.Repository, p.blob("absent", 9).digest)
		for _, row := range []struct {
			name string
			r    request
		}{
			{"ping", request{method: http.MethodGet, url: "/v2/"}},
			{"HEAD of a blob that is there", request{method: http.MethodHead, url: there}},
			{"HEAD of one that is not", request{method: http.MethodHead, url: absent}},
			{"GET of a blob", request{method: http.MethodGet, url: there}},
			{"GET of a manifest", request{method: http.MethodGet, url: manifestPath(p.Repository, "tag"), header: header("Accept", acceptAll)}},
			{"PUT of a manifest", request{method: http.MethodPut, url: manifestPath(p.Repository, "tag"), body: m.data, header: header("Content-Type", m.mediaType)}},
			{"list of tags", request{method: http.MethodGet, url: tagsPath(p.Repository, "")}},
		} {
			var took []time.Duration
			for range perfTries {
				began := p.clock.Now()
				if _, err := p.read(ctx, row.r); err != nil {
					return err
				}
				took = append(took, p.clock.Now().Sub(began))
			}
			for _, q := range []struct {
				name string
				part float64
			}{{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}} {
				p.measure(row.name+" "+q.name, ms(quantile(took, q.part)), "ms")
			}
		}
		return nil
	},
}

// perfBlob is how large the blob of perf-03 is at most, in bytes.
const perfBlob = 64 << 20

var perf03 = &Check{
	ID: "perf-03", Level: May, Alone: true, Silent: true, Spec: "measured", Requires: list{mono02}, Uses: list{mono03, chunk01, chunk10},
	Doc: "how fast one large blob is taken, whole and in chunks, and given back",
	Run: func(ctx context.Context, p *Probe) error {
		size := min(p.options.Large, perfBlob)
		rate := func(name string, began time.Time) {
			p.measure(name, float64(size)/1e6/max(p.clock.Now().Sub(began).Seconds(), 1e-6), "MB/s")
		}
		whole, parts := p.large("whole", size), p.large("parts", size)
		began := p.clock.Now()
		a, err := p.putLarge(ctx, whole)
		if err = of("mono-03", first(err, a.wantIf(err, http.StatusCreated))); err != nil {
			return err
		}
		rate("upload whole", began)
		began = p.clock.Now()
		if err := p.sameLarge(ctx, whole); err != nil {
			return err
		}
		rate("download", began)
		began = p.clock.Now()
		if err := p.inParts(ctx, parts); err != nil {
			return err
		}
		rate("upload in chunks", began)
		return nil
	},
}

// inParts uploads large content in chunks of a sixteenth.
func (p *Probe) inParts(ctx context.Context, l *largeBlob) error {
	s, err := p.start(ctx, p.Repository)
	if err != nil {
		return err
	}
	step := max(l.size/16, 4096)
	for at := int64(0); at < l.size; at += step {
		end := min(at+step, l.size)
		part := &largeBlob{size: end - at, block: rotated(l.block, at)}
		a, err := s.send(ctx, request{
			method: http.MethodPatch, url: s.location, large: part,
			header: header("Content-Type", "application/octet-stream", "Content-Range", fmt.Sprintf("%d-%d", at, end-1)),
		})
		if err = of("chunk-01", first(err, a.wantIf(err, http.StatusAccepted))); err != nil {
			return err
		}
		if a.header.Get("Location") != "" {
			if err := s.moved(a); err != nil {
				return err
			}
		}
	}
	a, err := s.put(ctx, l.digest, nil)
	if err = of("chunk-10", first(err, a.wantIf(err, http.StatusCreated))); err != nil {
		return err
	}
	p.remember(blobPath(p.Repository, l.digest))
	return nil
}

// rotated is a block from an offset on, and then what was before.
func rotated(block []byte, at int64) []byte {
	n := int(at % int64(len(block)))
	return slices.Concat(block[n:], block[:n])
}

var perf04 = &Check{
	ID: "perf-04", Level: May, Alone: true, Silent: true, Spec: "measured", Requires: list{mono02}, Uses: list{mono03},
	Doc: "how much slower an upload is beside three and beside fifteen others",
	Run: func(ctx context.Context, p *Probe) error {
		size := min(p.options.Large/16, 1<<20)
		var alone time.Duration
		for _, n := range []int{1, 4, 16} {
			took := make([]time.Duration, 16)
			if err := together(n, len(took), func(i int) error {
				l := p.large(fmt.Sprint("beside ", n, " ", i), size)
				began := p.clock.Now()
				a, err := p.putLarge(ctx, l)
				took[i] = p.clock.Now().Sub(began)
				return of("mono-03", first(err, a.wantIf(err, http.StatusCreated)))
			}); err != nil {
				return err
			}
			half := median(took)
			if n == 1 {
				alone = half
				p.measure("upload alone", ms(half), "ms")
				continue
			}
			p.measure(fmt.Sprintf("%d at once take", n), float64(half)/float64(max(alone, time.Microsecond)), "times as long")
		}
		return nil
	},
}
