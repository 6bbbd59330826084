package fakeregistry

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A dialling effect strikes while a connection is opened, with the error that
// the client would see.
type dialling interface {
	dial(network, addr string) error
}

// An accepting effect strikes a connection that was accepted. It reports whether
// the connection is served all the same.
type accepting interface {
	accept(s *strike, c *conn) bool
}

// connecting reports whether an effect strikes connections and not requests.
func connecting(e Effect) bool {
	_, d := e.(dialling)
	_, a := e.(accepting)
	return d || a
}

// opensConnections reports whether a match selects connections; one that names
// no operation selects all of them.
func opensConnections(m *Match) bool {
	if len(m.Ops) == 0 {
		m.Ops = patterns("connect")
	}
	return slices.ContainsFunc([]wire.Op{wire.OpDNS, wire.OpConnect, wire.OpTLS, wire.OpToken}, func(o wire.Op) bool {
		return matchAny(m.Ops, o)
	})
}

// connQuery is the opening of a connection as faults see it.
func connQuery(op wire.Op, addr, link string) *query {
	return &query{r: &http.Request{Host: addr, URL: &url.URL{}}, route: wire.Route{Op: op}, link: link}
}

// dial lets faults strike a connection that a client of this process opens. ours
// says whether addr is the server's, ops what the opening counts as.
func (in *injector) dial(ctx context.Context, network, addr string, ours bool, ops ...wire.Op) error {
	for _, op := range ops {
		q := connQuery(op, addr, "")
		var hits []hit
		in.mu.Lock()
		for _, r := range *in.rules.Load() {
			if _, ok := r.Effect.(dialling); ok && r.match.op(op) && r.match.request(q) && (ours || r.On.Host != "") {
				hits = in.ask(r, q, hits)
			}
		}
		in.mu.Unlock()
		if len(hits) > 0 {
			hits[0].strike.took(ctx)
			return hits[0].effect.(dialling).dial(network, addr) //nolint:errcheck,forcetypeassert // seen above
		}
	}
	return nil
}

// accepted lets faults strike a connection, and reports whether it is served.
// dialled says that dial has been asked about it.
func (in *injector) accepted(c *conn, addr string, dialled bool, ops ...wire.Op) bool {
	for _, op := range ops {
		q := connQuery(op, addr, c.link)
		var hits []hit
		in.mu.Lock()
		for _, r := range *in.rules.Load() {
			_, atDial := r.Effect.(dialling)
			if _, ok := r.Effect.(accepting); ok && !(dialled && atDial) && r.match.op(op) && r.match.request(q) {
				hits = in.ask(r, q, hits)
			}
		}
		in.mu.Unlock()
		for _, h := range hits {
			h.strike.announce()
			in.bench.recorder.MarkLink(c.link, h.strike.firing.Fault)
			if !h.effect.(accepting).accept(h.strike, c) { //nolint:errcheck,forcetypeassert // seen above
				return false
			}
		}
	}
	return true
}

// strikesDials reports whether there are faults that strike connections.
func (in *injector) strikesDials() bool {
	for _, r := range *in.rules.Load() {
		if connecting(r.Effect) {
			return true
		}
	}
	return false
}
