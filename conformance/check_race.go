package conformance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// raceChecks look at two things that happen at once.
func raceChecks() list { return list{conc06, conc07, conc09, conc10, conc11} }

var conc06 = &Check{
	ID: "conc-06", Level: Should, Timed: true, Silent: true, Spec: "practice of clients", Requires: list{chunk01}, Uses: list{mono03, chunk10},
	Doc:   "a closing PUT that comes while a chunk is under way is refused, or the blob is what its digest says",
	Hurts: "clients that give a chunk up and close: the layer is cut or doubled",
	Run: inChunks(func(ctx context.Context, p *Probe, s *session, b blob, size int) error {
		rest := b.data[size : 2*size]
		head, err := p.rawHead(http.MethodPatch, s.location, "Content-Type: application/octet-stream", "Connection: close",
			"Content-Length: "+strconv.Itoa(len(rest)), "Content-Range: "+span(size, 2*size))
		if err != nil {
			return err
		}
		conn, err := p.dial(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(p.clock.Now().Add(p.timeout))
		if _, err := io.WriteString(conn, head+string(rest[:size/2])); err != nil {
			return err
		}
		part := blob{digestOf(b.data[:size]), b.data[:size]}
		closed := make(chan *answer, 1)
		failed := make(chan error, 1)
		go func() {
			a, err := s.put(ctx, part.digest, nil)
			closed <- a
			failed <- err
		}()
		if err := p.clock.Sleep(ctx, 30*time.Millisecond); err != nil { // the PUT may wait for the chunk: it must not for ever
			return err
		}
		_, _ = conn.Write(rest[size/2:])
		patched, _ := p.hear(conn) // 0 when the registry ended it, which it may
		a, err := <-closed, <-failed
		switch {
		case err != nil:
			return err
		case a.status >= 500:
			return a.violation("a status below 500", a.said())
		case patched >= 500:
			return a.violation("a status below 500 to the chunk too", told(patched))
		case a.status == http.StatusCreated:
			return p.kept(ctx, part)
		}
		return a.refused()
	}),
}

// rounds is how often what depends on chance is tried.
const rounds = 6

var conc07 = &Check{
	ID: "conc-07", Level: Must, Silent: true, Spec: "practice of clients", Requires: list{del03, man03}, Uses: list{mono03},
	Doc:   "a blob that is deleted and pushed at once is in the end there or not: no manifest is taken that names it when it is not",
	Hurts: "everybody who pulls an image that was pushed during a clean-up: a layer is missing",
	Run: func(ctx context.Context, p *Probe) error {
		for i := range rounds {
			doc, blobs := p.image(fmt.Sprint("image ", i), typeImage)
			if err := p.push(ctx, p.Repository, blobs...); err != nil {
				return err
			}
			layer := blobs[1]
			if err := together(2, 2, func(n int) error {
				if n == 0 {
					a, err := p.remove(ctx, blobPath(p.Repository, layer.digest))
					return first(err, a.wantIf(err, http.StatusAccepted, http.StatusNotFound))
				}
				return p.push(ctx, p.Repository, layer)
			}); err != nil {
				return err
			}
			if err := p.consistent(ctx, doc.manifest(), layer); err != nil {
				return err
			}
		}
		return nil
	},
}

// consistent demands that a blob is there for HEAD, GET and manifests, or for none.
func (p *Probe) consistent(ctx context.Context, m manifest, layer blob) error {
	h, err := p.head(ctx, blobPath(p.Repository, layer.digest))
	if err = first(err, h.wantIf(err, http.StatusOK, http.StatusNotFound)); err != nil {
		return err
	}
	a, err := p.putManifest(ctx, p.Repository, "racing", m)
	if err != nil {
		return err
	}
	if h.status == http.StatusOK {
		return first(a.want(http.StatusCreated), p.readable(ctx, blobPath(p.Repository, layer.digest), layer))
	}
	if a.status != http.StatusCreated {
		return a.refused()
	}
	absent := p.blob("never pushed", 30)
	doc, _ := p.image("image 0", typeImage)
	doc.Layers = &[]descriptor{absent.descriptor(typeImageLayer)}
	sparse, err := p.putManifest(ctx, p.Repository, "sparse", doc.manifest())
	if err != nil {
		return err
	}
	if sparse.status == http.StatusCreated {
		return &SkipError{Reason: "manifests are taken though what they name is missing", FellBack: true}
	}
	return a.violation("a manifest refused whose layer is not there", a.said())
}

var conc09 = &Check{
	ID: "conc-09", Level: Should, Silent: true, Spec: "mounting", Requires: list{mount01, del03}, Uses: list{mono03},
	Doc:   "a mount of a blob that is being deleted mounts it, or starts an upload",
	Hurts: "docker, during a clean-up of its base image: the layer is said to be there and is not",
	Run: func(ctx context.Context, p *Probe) error {
		for i := range rounds {
			b := p.blob(fmt.Sprint("mounted ", i), 90)
			if err := p.push(ctx, p.Other, b); err != nil {
				return err
			}
			var a *answer
			if err := together(2, 2, func(n int) error {
				if n == 0 {
					d, err := p.remove(ctx, blobPath(p.Other, b.digest))
					return first(err, d.wantIf(err, http.StatusAccepted, http.StatusNotFound))
				}
				var err error
				a, err = p.mount(ctx, p.Repository, b.digest.String(), p.Other)
				return first(err, a.wantIf(err, http.StatusCreated, http.StatusAccepted))
			}); err != nil {
				return err
			}
			if a.status == http.StatusCreated {
				if err := p.kept(ctx, b); err != nil {
					return err
				}
			}
		}
		return nil
	},
}

var conc10 = &Check{
	ID: "conc-10", Level: Should, Silent: true, Spec: "tags", Requires: list{tag03}, Uses: list{mono03, man03, tag04, tag06},
	Doc:   "paging through tags while others come and go misses none that was there all the time",
	Hurts: "mirrors and clean-ups of busy repositories: they miss tags",
	Run: func(ctx context.Context, p *Probe) error {
		var stable []string
		for i := range 9 {
			stable = append(stable, fmt.Sprintf("k%d", i))
		}
		m, err := p.stored(ctx, p.Repository, "image", append(slices.Clone(stable), "a-first", "k3-going")...)
		if err != nil {
			return err
		}
		changes := []func() (*answer, error){
			func() (*answer, error) { return p.putManifest(ctx, p.Repository, "a-new", m) },
			func() (*answer, error) { return p.remove(ctx, manifestPath(p.Repository, "k3-going")) },
			func() (*answer, error) { return p.remove(ctx, manifestPath(p.Repository, "a-first")) },
			func() (*answer, error) { return p.putManifest(ctx, p.Repository, "z-new", m) },
		}
		seen, last, err := p.pageWhile(ctx, changes)
		if err != nil {
			return err
		}
		for _, tag := range stable {
			if !slices.Contains(seen, tag) {
				return last.violation("every tag that was there throughout: "+strings.Join(stable, " "), strings.Join(seen, " "))
			}
		}
		return nil
	},
}

// pageWhile pages by Link, or by the last tag where there is none, and makes a
// change after each page.
func (p *Probe) pageWhile(ctx context.Context, changes []func() (*answer, error)) (seen []string, last *answer, err error) {
	next := tagsPath(p.Repository, "?n=3")
	for page := 0; page < 30; page++ {
		a, err := p.get(ctx, next)
		if err != nil {
			return nil, a, err
		}
		l, err := a.tags()
		if err != nil {
			return nil, a, err
		}
		seen, last = append(seen, l.Tags...), a
		if len(l.Tags) == 0 {
			return seen, a, nil
		}
		if next = nextLink(a); next == "" {
			if len(l.Tags) != 3 {
				return seen, a, nil
			}
			next = tagsPath(p.Repository, "?n=3&last="+l.Tags[len(l.Tags)-1])
		}
		u, err := a.url.Parse(next)
		if err != nil || !p.sameHost(u) {
			return nil, a, a.violation("a Link to the registry itself", quoteOr(next))
		}
		next = u.String()
		if page < len(changes) {
			if _, err := changes[page](); err != nil {
				return nil, a, err
			}
		}
	}
	return seen, last, nil
}

var conc11 = &Check{
	ID: "conc-11", Level: Should, Timed: true, Silent: true, Spec: "practice of clients", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a hundred uploads that nobody goes on with do not make a push slower",
	Hurts: "everybody, the more pushes were given up: each new one is slower",
	Run: func(ctx context.Context, p *Probe) error {
		var before, after time.Duration
		for range 2 { // what shows once may be chance
			var err error
			if before, err = p.pushTime(ctx, "before"); err != nil {
				return err
			}
			idle := make([]*session, 100)
			err = together(4, len(idle), func(i int) error {
				var err error
				idle[i], err = p.start(ctx, p.Repository)
				return err
			})
			if err == nil {
				after, err = p.pushTime(ctx, "after")
			}
			_ = together(4, len(idle), func(i int) error {
				if idle[i] != nil {
					idle[i].cancel(ctx)
				}
				return nil
			})
			if err != nil {
				return err
			}
			if after < 5*before || after-before < p.options.Prompt/10 {
				p.measure("push of a blob", ms(before), "ms")
				p.measure("beside 100 idle uploads", ms(after), "ms")
				return nil
			}
		}
		return &Violation{Want: fmt.Sprintf("a push of about %.1f ms, as before", ms(before)), Got: fmt.Sprintf("%.1f ms beside 100 idle uploads", ms(after))}
	},
}

// pushTime is the median time of five pushes of a small blob.
func (p *Probe) pushTime(ctx context.Context, name string) (time.Duration, error) {
	var took []time.Duration
	for i := range 5 {
		began := p.clock.Now()
		if err := p.push(ctx, p.Repository, p.blob(fmt.Sprint(name, " ", i), 200)); err != nil {
			return 0, err
		}
		took = append(took, p.clock.Now().Sub(began))
	}
	return median(took), nil
}
