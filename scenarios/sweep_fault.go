package scenarios

import (
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// sweepFault is a kind of fault at one step, by its defaults where they can strike
// a push of a small image; nil where it cannot strike.
func sweepFault(k fakeregistry.Kind, at SweepStep) *Fault {
	f := &Fault{Name: k.Name, Args: sweepArgs(k.Name, at)}
	op, nth := wire.Op(""), at.Nth
	for _, p := range k.Places() {
		switch {
		case p.Op == string(wire.OpConnect), p.Op == string(wire.OpTLS):
			if at.Connect > 0 {
				op, nth = wire.Op(p.Op), at.Connect
			}
		case at.Op == wire.OpConnect:
		case p.Op == string(wire.OpEvent), p.MatchOp(at.Op):
			op = at.Op
		}
	}
	if op == "" {
		return nil
	}
	if counts(k.Name) {
		return f
	}
	f.Where.Ops, f.When.Nth = []Pattern{{Op: string(op)}}, nth
	if at.OfWhat > 0 && op == at.Op {
		f.Where.Digest, f.When.Nth = at.What, at.OfWhat
	}
	return f
}

// counts reports whether a fault counts requests by its own parameters.
func counts(name string) bool {
	return name == "dns-moves" || name == "tls-rotates" || name == "rate-limit"
}

// sweepArgs are the parameters of faults that have no default, or that strike
// nothing by it where a push is short and its layers are small.
func sweepArgs(name string, at SweepStep) fakeregistry.Args {
	switch name {
	case "respond":
		return fakeregistry.Args{"status": int64(500)}
	case "too-large", "chunk-too-large":
		return fakeregistry.Args{"limit": int64(512)}
	case "quota":
		return fakeregistry.Args{"bytes": int64(512)}
	case "half-close", "disk-full":
		return fakeregistry.Args{"after": int64(100)}
	case "rate-limit":
		return fakeregistry.Args{"allow": int64(max(at.Place-1, 1)), "in": time.Hour}
	case "dns-moves":
		return fakeregistry.Args{"to": "host2", "after": int64(at.Place)}
	case "tls-rotates":
		return fakeregistry.Args{"after": int64(at.Place)}
	}
	return nil
}

// blameless says why no client is to blame when a fault breaks an invariant; ""
// where one is. late says that it strikes once the last manifest was put.
func blameless(fault, invariant string, late bool) string {
	switch fault + " " + invariant {
	case "gc-strikes truth":
		if late {
			return "the registry drops layers once it has taken the manifest"
		}
	case "dns-moves truth":
		return "the name leads to another registry, and that one has the image"
	case "bit-rot truth":
		return "the blob rots in the registry, and nothing on the wire shows it"
	case "location-elsewhere expected-traffic":
		return "a Location may lead to another host, and this one does"
	case "realm-elsewhere expected-traffic":
		return "the challenge names that host"
	}
	return ""
}

// waivers are reasons for every invariant that a cell broke; nil where one of them
// has none.
func (c *SweepCell) waivers(fault string, late bool) map[string]string {
	waive := map[string]string{}
	for _, f := range c.Result.Failures {
		reason := blameless(fault, partOf(f.Name), late)
		if reason == "" {
			return nil
		}
		waive[partOf(f.Name)] = reason
	}
	return waive
}

// grave are the invariants without which a result means nothing: where one of them
// is broken, known or not, a push is neither pushed nor refused.
func grave(name string) bool { return name == "truth" || name == "no-half-tag" }

// requestCount is how many requests a result has.
func requestCount(r report.Result) int {
	n := 0
	for _, e := range r.Trace {
		if e.Route.Op != wire.OpEvent {
			n++
		}
	}
	return n
}
