package fakeregistry

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"
)

// dnsKinds are faults of the name service. They strike at Dial only, and only
// where a name is dialled and not an address.
func dnsKinds() []Kind {
	kind := func(name, doc string, err net.DNSError) Kind {
		return Kind{
			Name: name, Layer: "dns", Where: []string{"connect"}, Seam: SeamConn, Doc: doc, Params: []Param{hostParam},
			New: func(a Args) (Effect, error) { return lookupFault{connFault{a.text("host")}, err}, nil },
		}
	}
	return []Kind{
		kind("dns-nxdomain", "According to the resolver there is no such name as the registry's.",
			net.DNSError{Err: "no such host", IsNotFound: true}),
		kind("dns-servfail", "The resolver fails and cannot say whether there is such a name.",
			net.DNSError{Err: "server misbehaving", IsTemporary: true}),
		{
			Name: "dns-slow", Layer: "dns", Where: []string{"connect"}, Seam: SeamConn,
			Doc:    "A slow resolver uses up the time for opening a connection before a packet is sent.",
			Params: []Param{hostParam, timeParam("by", 5*time.Second, "how long a lookup takes; ∞ has no answer")},
			New:    func(a Args) (Effect, error) { return slowLookup{connFault{a.text("host")}, a.time("by")}, nil },
		},
		{
			Name: "dns-moves", Layer: "dns", Where: []string{"any"}, Seam: SeamConn,
			Doc: "The name begins to lead to another backend in the middle of a push, where nobody knows the upload session.",
			Params: []Param{
				hostParam,
				textParam("to", "", "the address to which it leads, with its port; empty is one where nobody listens"),
				{Name: "after", Type: ParamInt, Default: int64(1), Doc: "how many connections still go to the old one"},
			},
			New: func(a Args) (Effect, error) {
				return moved{connFault{a.text("host")}, a.text("to"), a.number("after")}, nil
			},
		},
		{
			Name: "dns-dead-v6", Layer: "dns", Where: []string{"connect"}, Seam: SeamConn,
			Doc:    "The name has an IPv6 address that leads nowhere and an IPv4 address that works. Dial tries the first and, after a while, the second, as Go does.",
			Params: []Param{hostParam, timeParam("fallback", 300*time.Millisecond, "after how long the second is tried; ∞ is never")},
			New:    func(a Args) (Effect, error) { return deadEnd{hole{connFault{a.text("host")}, a.time("fallback")}}, nil },
		},
	}
}

var hostParam = textParam("host", "", "the host, with or without port; empty is the server's own")

// A connFault strikes connections, to one host or to the server.
type connFault struct{ host string }

// selects narrows where the fault strikes.
func (f connFault) selects(m *Match) {
	if m.Host == "" {
		m.Host = f.host
	}
}

// Disturb implements Effect; a connection has no request.
func (connFault) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) { pass(w, r, next) }

// Class implements Classed.
func (connFault) Class() Class { return ClassBreak }

// A lookupFault is a name that cannot be looked up.
type lookupFault struct {
	connFault
	err net.DNSError
}

// places: a lookup is part of connecting.
func (lookupFault) places([]Pattern) ([]Pattern, string) { return patterns("dns"), "" }

func (f lookupFault) dial(_ context.Context, _ *strike, network, addr string) (string, error) {
	return "", lookupError(network, addr, f.err)
}

// lookupError is what a client sees of a name that cannot be looked up.
func lookupError(network, addr string, err net.DNSError) error {
	err.Name, _, _ = net.SplitHostPort(addr)
	return &net.OpError{Op: "dial", Net: network, Err: &err}
}

// A slowLookup takes its time.
type slowLookup struct {
	connFault
	by time.Duration
}

func (slowLookup) places([]Pattern) ([]Pattern, string) { return patterns("dns"), "" }

// Class implements Classed.
func (slowLookup) Class() Class { return ClassPace }

func (f slowLookup) dial(ctx context.Context, s *strike, network, addr string) (string, error) { //nolint:unparam // of an interface
	if err := s.delay(ctx, f.by); err != nil {
		err = givenUp(ctx, network, addr, err)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = lookupError(network, addr, net.DNSError{Err: "i/o timeout", IsTimeout: true})
		}
		return "", err
	}
	return "", nil
}

// moved is a name that leads elsewhere after a while.
type moved struct {
	connFault
	to    string
	after int64
}

func (moved) places([]Pattern) ([]Pattern, string) { return patterns("dns"), "" }

func (f moved) dial(_ context.Context, s *strike, network, addr string) (string, error) {
	seen := int64(0)
	s.note("connections", func(n *int64) { *n++; seen = *n })
	switch {
	case seen <= f.after:
		s.missed()
		return "", nil
	case f.to == "":
		return "", refused(network, addr)
	}
	return f.to, nil
}

// deadEnd is a name with an address too many.
type deadEnd struct{ hole }

func (deadEnd) places([]Pattern) ([]Pattern, string) { return patterns("dns"), "" }

// accept: a client that looks names up itself never sees it.
func (deadEnd) accept(s *strike, _ *conn) bool {
	s.missed()
	return true
}
