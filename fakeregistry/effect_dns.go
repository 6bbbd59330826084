package fakeregistry

import (
	"net"
	"net/http"
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

func (f lookupFault) dial(network, addr string) error {
	err := f.err
	err.Name, _, _ = net.SplitHostPort(addr)
	return &net.OpError{Op: "dial", Net: network, Err: &err}
}
