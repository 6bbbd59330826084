package fakeregistry

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A dialling effect strikes while a connection is opened, with the error that
// the client would see, or leads it to another address. "" is where it leads by
// itself.
type dialling interface {
	dial(ctx context.Context, s *strike, network, addr string) (to string, err error)
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

// A target is where a dial leads and what it counts as.
type target struct {
	addr string    // "" when it is not the server's
	ops  []wire.Op // dns, connect, token
	line string    // see lines; "" when nobody counts
}

// dial lets faults strike a connection that a client of this process opens. to is
// where it leads instead; "" is where it would.
func (in *injector) dial(ctx context.Context, network, addr string, t target) (to string, err error) {
	ctx = context.WithValue(ctx, lineKey{}, t.line)
	for _, op := range t.ops {
		for _, h := range in.chosen(op, addr, t) {
			there, err := h.effect.(dialling).dial(ctx, h.strike, network, addr) //nolint:errcheck,forcetypeassert // see chosen
			if err != nil || there != "" {
				to = there
			}
			h.strike.took(ctx)
			if err != nil {
				return "", err
			}
		}
	}
	return to, nil
}

// chosen counts the opening of a connection for every rule that strikes it.
func (in *injector) chosen(op wire.Op, addr string, t target) []hit {
	q := connQuery(op, addr, "")
	q.lines = in.bench.lines.count()
	var hits []hit
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, r := range *in.rules.Load() {
		if _, ok := r.Effect.(dialling); ok && r.match.op(op) && r.match.request(q) && (t.addr != "" || r.On.Host != "") && wants(r.Effect, q) {
			hits = in.ask(r, q, hits)
		}
	}
	return hits
}

// wants reports whether an effect has anything to do, as far as it knows.
func wants(e Effect, q *query) bool {
	p, ok := e.(picky)
	return !ok || p.suits(q)
}

// accepted lets faults strike a connection, and reports whether it is served.
// dialled says that dial has been asked about it.
func (in *injector) accepted(c *conn, addr string, dialled bool, ops ...wire.Op) bool {
	for _, op := range ops {
		q := connQuery(op, addr, c.link)
		q.lines = in.bench.lines.count()
		var hits []hit
		in.mu.Lock()
		for _, r := range *in.rules.Load() {
			_, atDial := r.Effect.(dialling)
			if _, ok := r.Effect.(accepting); ok && !(dialled && atDial) && r.match.op(op) && r.match.request(q) && wants(r.Effect, q) {
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

// limitsLines reports whether there are faults that limit connections.
func (in *injector) limitsLines() bool {
	for _, r := range *in.rules.Load() {
		if _, ok := r.Effect.(limit); ok {
			return true
		}
	}
	return false
}
