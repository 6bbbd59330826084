package conformance

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// interruptChecks look at uploads that stand still, crawl, or lose their answers.
func interruptChecks() list { return list{res03, res05, res06, res07, res10} }

var res03 = &Check{
	ID: "res-03", Level: Must, Silent: true, Spec: "practice of clients", Requires: list{res01}, Uses: list{mono03, chunk10},
	Doc:   "what an upload says that it has after its line broke, it has: closed there, it is those bytes",
	Hurts: "clients that resume: the layer misses bytes, and its digest does not hold",
	Run: cutUpload(func(ctx context.Context, p *Probe, s *session, b blob, a *answer, _ int) error {
		end, err := rangeEnd(a)
		if err != nil {
			return of("res-01", err)
		}
		if end+1 > len(b.data) {
			return of("res-01", a.violation("no more than was sent", a.header.Get("Range")))
		}
		again, err := s.send(ctx, request{method: http.MethodGet, url: s.location, via: p.fresh()})
		if err != nil {
			return err
		}
		if later, err := rangeEnd(again); err == nil && later < end {
			return again.violation("Range "+a.header.Get("Range")+", as before", again.header.Get("Range"))
		}
		if err := s.moved(a); err != nil {
			return err
		}
		part := blob{digestOf(b.data[:end+1]), b.data[:end+1]}
		return s.closed(ctx, part, nil)
	}),
}

// fresh sends every request over a connection of its own; nil when the target's
// transport is none that can be told to.
func (p *Probe) fresh() http.RoundTripper {
	t, ok := p.transport.(*http.Transport)
	if !ok {
		return nil
	}
	single := t.Clone()
	single.DisableKeepAlives = true
	return single
}

// putAndLeave sends the whole closing PUT and goes away before the answer.
func (s *session) putAndLeave(ctx context.Context, b blob) error {
	head, err := s.p.rawHead(http.MethodPut, withDigest(s.location, b.digest.String()),
		"Content-Type: application/octet-stream", "Content-Length: "+strconv.Itoa(len(b.data)))
	if err != nil {
		return err
	}
	conn, err := s.p.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(s.p.clock.Now().Add(min(s.p.timeout, 10*time.Second)))
	if _, err := io.WriteString(conn, head+string(b.data)); err != nil {
		return nil //nolint:nilerr // it closed first: what it makes of that is looked at next
	}
	return nil
}

var res05 = &Check{
	ID: "res-05", Level: Should, Silent: true, Spec: "practice of clients", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "after a closing PUT whose answer was lost HEAD tells the truth, and the blob can be had by repeating what was done",
	Hurts: "jib and others against GHCR: \"blob upload unknown\" though the blob is stored",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.blob("lost", 500)
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		if err := s.putAndLeave(ctx, b); err != nil {
			return err
		}
		h, err := p.appears(ctx, b)
		if err != nil {
			return err
		}
		if h.status == http.StatusOK {
			if err := p.kept(ctx, b); err != nil {
				return err
			}
		} else if err := h.want(http.StatusNotFound); err != nil {
			return err
		}
		a, err := s.put(ctx, b.digest, b.data)
		if err != nil {
			return err
		}
		if a.status == http.StatusCreated || h.status == http.StatusOK && a.status/100 == 4 {
			return p.kept(ctx, b)
		}
		if err := a.refused(); err != nil {
			return err
		}
		if err := of("mono-03", p.push(ctx, p.Repository, b)); err != nil { // from the start
			return err
		}
		return p.readable(ctx, blobPath(p.Repository, b.digest), b)
	},
}

// appears asks for a blob until it is there, or has had time to be.
func (p *Probe) appears(ctx context.Context, b blob) (*answer, error) {
	for try := 0; ; try++ {
		h, err := p.head(ctx, blobPath(p.Repository, b.digest))
		if err != nil || h.status != http.StatusNotFound || try == 8 {
			return h, err
		}
		if err := p.clock.Sleep(ctx, 5*time.Millisecond<<try); err != nil {
			return h, err
		}
	}
}

var res06 = &Check{
	ID: "res-06", Level: Should, Silent: true, Spec: "chunked upload", Requires: list{chunk01, chunk11}, Uses: list{mono03, chunk10},
	Doc:   "an upload is still there after nothing came for a while, and one that expired is 404",
	Hurts: "clients whose disk or line is slow: the layer starts again",
	Run: inChunks(func(ctx context.Context, p *Probe, s *session, b blob, size int) error {
		if err := p.clock.Sleep(ctx, p.options.Patience); err != nil {
			return err
		}
		a, err := s.at(ctx, http.MethodGet)
		if err != nil {
			return err
		}
		p.measure("an idle upload was waited for", p.options.Patience.Seconds(), "s")
		if a.status != http.StatusNoContent {
			return a.violation("204 after "+p.options.Patience.String()+" in which nothing came", a.said())
		}
		return s.closed(ctx, b, b.data[size:])
	}),
}

var res07 = &Check{
	ID: "res-07", Level: Should, Silent: true, Spec: "practice of clients", Requires: list{chunk01}, Uses: list{mono03, chunk05, chunk10},
	Doc:   "an upload goes on over whatever connection its requests come, six times over",
	Hurts: "every client, against registries of several replicas: one push in ten ends in \"blob upload unknown\"",
	Run: func(ctx context.Context, p *Probe) error {
		via := p.fresh()
		if via == nil {
			return &SkipError{Reason: "there is no way to a connection of its own for each request"}
		}
		for i := range 6 {
			if err := p.hop(ctx, via, fmt.Sprint("hop ", i)); err != nil {
				return err
			}
		}
		return nil
	},
}

// hop uploads a blob, each request over a connection of its own.
func (p *Probe) hop(ctx context.Context, via http.RoundTripper, name string) error {
	s, err := p.startVia(ctx, p.Repository, via)
	if err != nil {
		return err
	}
	size := s.chunkSize()
	return s.inThree(ctx, p.blob(name, 2*size+40), size)
}

var res10 = &Check{
	ID: "res-10", Level: Should, Timed: true, Silent: true, Spec: "practice of clients", Requires: list{mono02}, Uses: list{mono03},
	Doc:   "a blob that comes slowly, a little at a time, is taken",
	Hurts: "users on slow lines, whose layers take minutes",
	Run: func(ctx context.Context, p *Probe) error {
		b := p.blob("slow", 2000)
		s, err := p.start(ctx, p.Repository)
		if err != nil {
			return err
		}
		head, err := p.rawHead(http.MethodPut, withDigest(s.location, b.digest.String()),
			"Content-Type: application/octet-stream", "Content-Length: "+strconv.Itoa(len(b.data)), "Connection: close")
		if err != nil {
			return err
		}
		conn, err := p.dial(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		after, err := p.crawl(ctx, conn, head, b.data)
		if err != nil {
			return err
		}
		status, err := p.hear(conn)
		if err != nil || status != http.StatusCreated {
			got := "no answer"
			if err == nil {
				got = fmt.Sprint("status ", status)
			}
			return p.rawViolation(head+string(b.data), status, fmt.Sprintf("201 to a body of %d bytes that takes %s", len(b.data), p.options.Patience), fmt.Sprintf("%s, after %d bytes", got, after))
		}
		p.remember(blobPath(p.Repository, b.digest))
		p.measure("a slow body was sent for", p.options.Patience.Seconds(), "s")
		return p.readable(ctx, blobPath(p.Repository, b.digest), b)
	},
}

// crawl sends a body in twenty pieces over the run's patience. It ends early, without
// an error, when the registry ends the connection.
func (p *Probe) crawl(ctx context.Context, conn net.Conn, head string, body []byte) (sent int, err error) {
	_ = conn.SetDeadline(p.clock.Now().Add(p.options.Patience + p.timeout))
	if _, err := io.WriteString(conn, head); err != nil {
		return 0, nil //nolint:nilerr // it is looked at by who called
	}
	const pieces = 20
	for i := range pieces {
		if err := p.clock.Sleep(ctx, p.options.Patience/pieces); err != nil {
			return sent, err
		}
		piece := body[len(body)*i/pieces : len(body)*(i+1)/pieces]
		if _, err := conn.Write(piece); err != nil {
			return sent, nil //nolint:nilerr // as above
		}
		sent += len(piece)
	}
	return sent, nil
}
