package conformance

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func resumeChecks() list { return list{res01, res02, res04, res08, res09, mono14} }

// cutPatch sends half of a chunk and ends the connection.
func (s *session) cutPatch(ctx context.Context, data []byte) error {
	head, err := s.p.rawHead(http.MethodPatch, s.location,
		"Content-Type: application/octet-stream", "Content-Length: "+strconv.Itoa(len(data)), fmt.Sprintf("Content-Range: %d-%d", s.size, s.size+len(data)-1))
	if err != nil {
		return err
	}
	_, err = s.p.raw(ctx, head+string(data[:len(data)/2]), true)
	return err
}

// settled asks where an upload is until the registry has noticed that its
// connection was cut: the answer is the same twice.
func (s *session) settled(ctx context.Context) (*answer, error) {
	var before string
	for range 20 {
		a, err := s.at(ctx, http.MethodGet)
		if err != nil {
			return a, err
		}
		now := a.said() + a.header.Get("Range")
		if now == before {
			return a, nil
		}
		before = now
		if err := s.p.clock.Sleep(ctx, 20*time.Millisecond); err != nil {
			return a, err
		}
	}
	return s.at(ctx, http.MethodGet)
}

// cutUpload is an upload of which a first chunk arrived, and half of the second.
func cutUpload(run func(ctx context.Context, p *Probe, s *session, b blob, a *answer, size int) error) func(context.Context, *Probe) error {
	return inChunks(func(ctx context.Context, p *Probe, s *session, b blob, size int) error {
		if err := s.cutPatch(ctx, b.data[size:2*size]); err != nil {
			return err
		}
		a, err := s.settled(ctx)
		if err != nil {
			return err
		}
		return run(ctx, p, s, b, a, size)
	})
}

var res01 = &Check{
	ID: "res-01", Level: Should, Spec: "practice of clients", Requires: list{chunk01, chunk11},
	Doc:   "an upload whose line broke in a chunk is still there, and has no more than was sent",
	Hurts: "clients on bad lines: the layer starts again from its first byte",
	Run: cutUpload(func(_ context.Context, _ *Probe, _ *session, _ blob, a *answer, size int) error {
		if err := a.want(http.StatusNoContent); err != nil {
			return err
		}
		end, err := rangeEnd(a)
		if err == nil && end >= size+size/2 {
			return a.violation(fmt.Sprintf("a Range that ends before byte %d", size+size/2), a.header.Get("Range"))
		}
		return err
	}),
}

// rangeEnd is the last byte of an upload.
func rangeEnd(a *answer) (int, error) {
	_, last, _ := strings.Cut(a.header.Get("Range"), "-")
	end, err := strconv.Atoi(last)
	if err != nil {
		return 0, a.violation("a Range such as 0-255", quoteOr(a.header.Get("Range")))
	}
	return end, nil
}

var res02 = &Check{
	ID: "res-02", Level: Should, Spec: "practice of clients", Requires: list{res01}, Uses: list{mono03, chunk05, chunk10},
	Doc:   "an upload whose line broke can be gone on with from where it says that it is",
	Hurts: "clients on bad lines: the layer starts again from its first byte",
	Run: cutUpload(func(ctx context.Context, _ *Probe, s *session, b blob, a *answer, _ int) error {
		end, err := rangeEnd(a)
		if err != nil {
			return err
		}
		if err := s.moved(a); err != nil {
			return err
		}
		s.size = end + 1
		if a, err = s.chunk(ctx, b.data[s.size:]); err != nil {
			return err
		}
		if err := a.want(http.StatusAccepted); err != nil {
			return err
		}
		return s.closed(ctx, b, nil)
	}),
}

var res04 = &Check{
	ID: "res-04", Level: Should, Silent: true, Spec: "practice of clients", Requires: list{chunk01}, Uses: list{mono03, chunk10},
	Doc:   "an upload can be closed over another connection after the line broke",
	Hurts: "clients on bad lines and registries behind balancers: \"blob upload unknown\"",
	Run: inChunks(func(ctx context.Context, p *Probe, s *session, b blob, size int) error {
		if t, ok := p.transport.(*http.Transport); ok {
			t.CloseIdleConnections()
		}
		return s.closed(ctx, b, b.data[size:])
	}),
}

var res08 = &Check{
	ID: "res-08", Level: Must, Silent: true, Spec: "pushing manifests", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a manifest of which half arrived does not change its tag",
	Hurts: "everybody who pulls the tag after a push whose line broke",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "first", "tag")
		if err != nil {
			return err
		}
		doc, blobs := p.image("second", m.mediaType)
		if err := p.push(ctx, p.Repository, blobs...); err != nil {
			return err
		}
		second := doc.manifest()
		head, err := p.rawHead(http.MethodPut, manifestPath(p.Repository, "tag"),
			"Content-Type: "+m.mediaType, "Content-Length: "+strconv.Itoa(len(second.data)))
		if err != nil {
			return err
		}
		if _, err := p.raw(ctx, head+string(second.data[:len(second.data)/2]), true); err != nil {
			return err
		}
		a, err := p.getManifest(ctx, p.Repository, "tag")
		if err != nil {
			return err
		}
		return a.holds(m)
	},
}

var res09 = &Check{
	ID: "res-09", Level: Should, Silent: true, Spec: "HTTP semantics", Requires: list{mono02}, Uses: list{mono03, man03},
	Doc:   "a manifest that is sent again is taken again",
	Hurts: "clients that repeat a PUT whose answer was lost",
	Run: func(ctx context.Context, p *Probe) error {
		m, err := p.stored(ctx, p.Repository, "image", "tag")
		if err != nil {
			return err
		}
		a, err := p.putManifest(ctx, p.Repository, "tag", m)
		return first(err, a.wantIf(err, http.StatusCreated))
	},
}

var mono14 = &Check{
	ID: "mono-14", Level: Must, Silent: true, Spec: "HTTP/1.1 framing", Requires: list{mono02},
	Doc:   "a closing PUT of which half arrived stores nothing",
	Hurts: "everybody who pulls: the layer is cut",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.blob("cut", 400)
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		// The digest of the half that arrives: a registry that does not count takes it.
		half := b.data[:200]
		head, err := p.rawHead(http.MethodPut, withDigest(s.location, digestOf(half).String()),
			"Content-Type: application/octet-stream", "Content-Length: "+strconv.Itoa(len(b.data)))
		if err != nil {
			return err
		}
		if _, err := p.raw(ctx, head+string(half), true); err != nil {
			return err
		}
		if err := p.clock.Sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
		a, err := p.head(ctx, blobPath(p.Repository, digestOf(half)))
		return first(err, a.wantIf(err, http.StatusNotFound))
	},
}
