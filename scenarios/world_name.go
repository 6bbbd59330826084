package scenarios

import (
	"context"
	"fmt"
	"net"
	"slices"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// named reports whether the scenario's hosts are known by names, not by
// addresses: they are where a fault of the name service is written.
func (w *world) named() bool {
	if w.served != nil {
		return false // nobody else could look them up
	}
	return slices.ContainsFunc(allFaults(w.s), ofNames)
}

// ofNames reports whether a fault is one of the name service.
func ofNames(f Fault) bool {
	kind, ok := fakeregistry.KindOf(f.Name)
	return ok && kind.Layer == "dns"
}

// hostName is the name of host i, from 0, where hosts have names.
func hostName(i int) string { return fmt.Sprintf("registry%d.test", i+1) }

// loopback is what the resolver says of every host: what a docker asks when it
// decides whether a registry is insecure is no lookup of a push.
func loopback(context.Context, string) ([]net.IP, error) {
	return []net.IP{net.IPv4(127, 0, 0, 1)}, nil
}

// address is how clients write the host, with its port.
func (h *host) address() string {
	if h.name == "" {
		return h.server.Host()
	}
	_, port, _ := net.SplitHostPort(h.server.Host())
	return net.JoinHostPort(h.name, port)
}
