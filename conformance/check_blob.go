package conformance

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

func blobChecks() list {
	return list{blob01, blob02, blob03, blob04, blob05, blob06, blob07, blob08, blob09, blob10, blob11, blob12, blob14}
}

var blob01 = &Check{
	ID: "blob-01", Level: Must, Pull: true, Spec: "existence", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "HEAD of a blob that is there answers 200 with its length and no body",
	Hurts: "docker, which asks before each layer and uploads it again on any other answer",
	Run: withBlobs([]int{100, 200_000}, func(ctx context.Context, p *Probe, b blob) error {
		a, err := p.head(ctx, blobPath(p.Repository, b.digest))
		if err != nil {
			return err
		}
		return first(a.want(http.StatusOK), a.length(len(b.data)))
	}),
}

var blob02 = &Check{
	ID: "blob-02", Level: Must, Pull: true, Spec: "existence", Requires: list{ping01},
	Doc:   "HEAD of a blob that is not there answers 404",
	Hurts: "docker, which leaves a layer out that it is told is there, and the image cannot be pulled",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.head(ctx, blobPath(p.Repository, p.blob("absent", 10).digest))
		if err != nil {
			return err
		}
		return a.want(http.StatusNotFound)
	},
}

var blob03 = &Check{
	ID: "blob-03", Level: Must, Pull: true, Spec: "pulling blobs", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "GET of a blob answers 200 with its very bytes",
	Hurts: "every client that pulls: the digest does not hold",
	Run: withBlobs([]int{5000, 4096, 1, 300_000}, func(ctx context.Context, p *Probe, b blob) error {
		return p.readable(ctx, blobPath(p.Repository, b.digest), b)
	}),
}

var blob04 = &Check{
	ID: "blob-04", Level: Must, Pull: true, Spec: "pulling blobs", Requires: list{ping01},
	Doc:   "GET of a blob that is not there answers 404",
	Hurts: "clients that would take the answer for the blob",
	Run: func(ctx context.Context, p *Probe) error {
		a, err := p.get(ctx, blobPath(p.Repository, p.blob("absent", 10).digest))
		if err != nil {
			return err
		}
		return a.want(http.StatusNotFound)
	},
}

var blob05 = &Check{
	ID: "blob-05", Level: Should, Pull: true, Spec: "HTTP ranges", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a range of a blob is served as 206 with Content-Range, from the front, the middle and the end",
	Hurts: "containerd and lazy pullers (stargz, SOCI), which read parts of layers",
	Run: withBlob(1000, func(ctx context.Context, p *Probe, b blob) error {
		whole := 0
		for _, r := range partsOf(len(b.data)) {
			a, err := p.get(ctx, blobPath(p.Repository, b.digest), "Range", r.ask)
			if err != nil {
				return err
			}
			if a.status == http.StatusOK {
				whole++
				if err := a.bytes(b.data); err != nil {
					return err
				}
				continue
			}
			want := fmt.Sprintf("bytes %d-%d/%d", r.start, r.end, len(b.data))
			if err := first(a.want(http.StatusPartialContent), a.bytes(b.data[r.start:r.end+1]), a.has("Content-Range", want)); err != nil {
				return err
			}
			if said := a.header.Get("Docker-Content-Digest"); said != "" && said != b.digest.String() {
				return a.violation("the digest of the blob, or none", said)
			}
		}
		if whole > 0 {
			return &SkipError{Reason: "ranges are answered with the whole blob", FellBack: true}
		}
		return nil
	}),
}

// A part is a range of a blob, its last byte included.
type part struct {
	ask        string
	start, end int
}

// partsOf are ranges that a blob of so many bytes has. What is asked for beyond its end
// is left out (RFC 9110, section 14.1.2).
func partsOf(n int) []part {
	return []part{
		{"bytes=" + span(0, (n+9)/10), 0, (n+9)/10 - 1},
		{"bytes=" + span(3*n/10, 3*n/10+(n+1)/2), 3 * n / 10, 3*n/10 + (n+1)/2 - 1},
		{fmt.Sprintf("bytes=%d-", 9*n/10), 9 * n / 10, n - 1},
		{fmt.Sprintf("bytes=-%d", (n+19)/20), n - (n+19)/20, n - 1},
		{"bytes=0-0", 0, 0},
		{fmt.Sprintf("bytes=%d-", n-1), n - 1, n - 1},
		{"bytes=" + span(n/2, 3*n), n / 2, n - 1},
		{fmt.Sprintf("bytes=-%d", 2*n), 0, n - 1},
	}
}

var blob06 = &Check{
	ID: "blob-06", Level: Must, Pull: true, Spec: "HTTP ranges", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a range that a blob does not have is answered 416, or with the whole blob, and completely",
	Hurts: "clients that resume a pull: the connection breaks or the file is cut",
	Run: withBlob(1000, func(ctx context.Context, p *Probe, b blob) error {
		for _, ask := range []string{span(5*len(b.data), 10*len(b.data)), fmt.Sprintf("%d-", len(b.data))} {
			a, err := p.get(ctx, blobPath(p.Repository, b.digest), "Range", "bytes="+ask)
			if err != nil {
				return err
			}
			if a.status == http.StatusOK {
				err = a.bytes(b.data)
			} else {
				err = a.want(http.StatusRequestedRangeNotSatisfiable)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}),
}

var blob07 = &Check{
	ID: "blob-07", Level: Should, Silent: true, Spec: "HTTP ranges", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "two ranges at once are answered in parts, with the whole, or refused",
	Hurts: "lazy pullers (stargz), which ask for several ranges",
	Run: withBlob(1000, func(ctx context.Context, p *Probe, b blob) error {
		a, err := p.get(ctx, blobPath(p.Repository, b.digest), "Range", "bytes=0-9,20-29")
		if err != nil {
			return err
		}
		switch {
		case a.status == http.StatusOK:
			return a.bytes(b.data)
		case a.status == http.StatusPartialContent && !strings.HasPrefix(a.header.Get("Content-Type"), "multipart/byteranges"):
			return a.violation("206 of type multipart/byteranges", "206 of type "+quoteOr(a.header.Get("Content-Type")))
		}
		return a.want(http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable)
	}),
}

var blob08 = &Check{
	ID: "blob-08", Level: Should, Pull: true, Silent: true, Spec: "HTTP conditions", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a blob's ETag, where one is sent, makes If-None-Match answer 304, and another does not",
	Hurts: "caches before the registry, which fetch the blob again",
	Run: withBlob(100, func(ctx context.Context, p *Probe, b blob) error {
		return p.conditional(ctx, blobPath(p.Repository, b.digest))
	}),
}

var blob09 = &Check{
	ID: "blob-09", Level: Must, Pull: true, Silent: true, Spec: "HTTP HEAD", Requires: list{blob01, blob03},
	Doc:   "HEAD and GET of a blob tell the same length, type and digest",
	Hurts: "clients that make room, or choose, by what HEAD said",
	Run: withBlob(100, func(ctx context.Context, p *Probe, b blob) error {
		return p.alike(ctx, blobPath(p.Repository, b.digest))
	}),
}

var blob10 = &Check{
	ID: "blob-10", Level: Must, Spec: "pushing", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a blob of no bytes can be pushed and pulled",
	Hurts: "clients that push empty layers or configurations",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.blob("", 0)
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		a, err := s.put(ctx, b.digest, nil)
		if err = first(err, a.wantIf(err, http.StatusCreated)); err != nil {
			return err
		}
		return p.kept(ctx, b)
	},
}

var blob11 = &Check{
	ID: "blob-11", Level: Should, Silent: true, Spec: "content sniffing", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a blob that is a page is not served as one",
	Hurts: "whoever opens the registry in a browser: the blob's script runs there",
	Run: func(ctx context.Context, p *Probe) error {
		b := blob{data: append([]byte("<html><script>alert(1)</script>"), p.blob("page", 30).data...)}
		b.digest = digestOf(b.data)
		if err := p.push(ctx, p.Repository, b); err != nil {
			return err
		}
		a, err := p.get(ctx, blobPath(p.Repository, b.digest))
		if err != nil {
			return err
		}
		if strings.Contains(a.header.Get("Content-Type"), "html") {
			return a.violation("a Content-Type that no browser shows", a.header.Get("Content-Type"))
		}
		return nil
	},
}

var blob12 = &Check{
	ID: "blob-12", Level: Must, Pull: true, Silent: true, Spec: "pulling blobs", Requires: list{mono02}, Uses: list{mono03, blob03},
	Doc:   "where a blob is given by redirect, its bytes are there, and no credentials are needed for them",
	Hurts: "docker, which sends none to another host",
	Run: withBlob(80, func(ctx context.Context, p *Probe, b blob) error {
		a, err := p.send(ctx, request{method: http.MethodGet, url: blobPath(p.Repository, b.digest)})
		if err != nil {
			return err
		}
		if a.status/100 != 3 {
			return &SkipError{Reason: "blobs are not given by redirect"}
		}
		to, err := a.location()
		if err != nil {
			return err
		}
		a, err = p.send(ctx, request{method: http.MethodGet, url: to, bare: true})
		return first(err, a.wantIf(err, http.StatusOK), a.bytes(b.data))
	}),
}

var blob14 = &Check{
	ID: "blob-14", Level: Must, Silent: true, Spec: "pushing", Requires: list{mono02, chunk01},
	Doc:   "a blob cannot be read before its upload is closed",
	Hurts: "clients that are told that a layer is there of which half has arrived",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.blob("half", 200)
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		defer s.cancel(ctx)
		if _, err := s.chunk(ctx, b.data); err != nil {
			return err
		}
		for _, ask := range []func(context.Context, string, ...string) (*answer, error){p.head, p.get} {
			a, err := ask(ctx, blobPath(p.Repository, b.digest))
			if err = first(err, a.wantIf(err, http.StatusNotFound)); err != nil {
				return err
			}
		}
		return nil
	},
}

// withBlob makes a check that begins with a blob in its repository.
func withBlob(size int, run func(ctx context.Context, p *Probe, b blob) error) func(context.Context, *Probe) error {
	return func(ctx context.Context, p *Probe) error {
		if p.given != nil {
			return run(ctx, p, p.given.blob)
		}
		b := p.blob("blob", size)
		if err := p.push(ctx, p.Repository, b); err != nil {
			return err
		}
		return run(ctx, p, b)
	}
}

// withBlobs does the same with one blob of each size after another.
func withBlobs(sizes []int, run func(ctx context.Context, p *Probe, b blob) error) func(context.Context, *Probe) error {
	return func(ctx context.Context, p *Probe) error {
		if p.given != nil {
			return run(ctx, p, p.given.blob)
		}
		for _, size := range sizes {
			b := p.blob(fmt.Sprint("blob of ", size), size)
			if err := p.push(ctx, p.Repository, b); err != nil {
				return err
			}
			if err := run(ctx, p, b); err != nil {
				return err
			}
		}
		return nil
	}
}

// readable demands that an address gives a blob.
func (p *Probe) readable(ctx context.Context, address string, b blob) error {
	a, err := p.get(ctx, address)
	if err != nil {
		return err
	}
	return first(a.want(http.StatusOK), a.bytes(b.data), a.length(len(b.data)))
}

// kept remembers a blob that the registry says it took, and demands that it can be
// read.
func (p *Probe) kept(ctx context.Context, b blob) error {
	p.remember(blobPath(p.Repository, b.digest))
	return p.readable(ctx, blobPath(p.Repository, b.digest), b)
}

// length demands a Content-Length, which an answer in chunks need not have.
func (a *answer) length(want int) error {
	got := a.header.Get("Content-Length")
	if got == strconv.Itoa(want) || got == "" && a.req.method == http.MethodGet {
		return nil
	}
	return a.violation("Content-Length "+strconv.Itoa(want), quoteOr(got))
}

// has demands a header.
func (a *answer) has(name, want string) error {
	if got := a.header.Get(name); got != want {
		return a.violation(name+" "+want, quoteOr(got))
	}
	return nil
}

// conditional asks again with the ETag that an answer had.
func (p *Probe) conditional(ctx context.Context, path string) error {
	a, err := p.get(ctx, path, "Accept", acceptAll)
	if err != nil {
		return err
	}
	etag := a.header.Get("Etag")
	if a.status != http.StatusOK || etag == "" {
		return &SkipError{Reason: "no ETag is sent"}
	}
	again, err := p.get(ctx, path, "Accept", acceptAll, "If-None-Match", etag)
	if err = first(err, again.wantIf(err, http.StatusNotModified)); err != nil {
		return err
	}
	other, err := p.get(ctx, path, "Accept", acceptAll, "If-None-Match", `"`+digestOf([]byte("other")).String()+`"`)
	return first(err, other.wantIf(err, http.StatusOK))
}

// alike demands that HEAD says nothing else than GET. It may leave out what only the
// making of the content tells (RFC 9110, section 9.3.2), but a manifest's type, which
// clients ask for.
func (p *Probe) alike(ctx context.Context, path string) error {
	g, err := p.get(ctx, path, "Accept", acceptAll)
	if err != nil {
		return err
	}
	h, err := p.head(ctx, path, "Accept", acceptAll)
	if err != nil {
		return err
	}
	if err := h.want(g.status); err != nil {
		return err
	}
	for _, name := range []string{"Content-Length", "Content-Type", "Docker-Content-Digest"} {
		if name == "Content-Length" && g.header.Get(name) == "" {
			continue // it was sent in chunks
		}
		if h.header.Get(name) == "" && (name != "Content-Type" || g.exchange.Route.Op != wire.OpManifestGet) {
			continue
		}
		if err := h.has(name, g.header.Get(name)); err != nil {
			return err
		}
	}
	return nil
}
