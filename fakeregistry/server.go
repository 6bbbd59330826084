// Package fakeregistry is the other side of a push: registries that behave, and
// faults wrapped round them.
//
// A Server is a listener, a recorder, faults, a guard and a handler, in that
// order from the wire inwards.
package fakeregistry

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A Config says what to serve. The zero value, with a Registry, serves it plain
// on a loopback port with no faults and nobody to ask.
type Config struct {
	Registry Registry // required: NewV2, NewV1, Both, or distregistry.New
	Guard    Guard    // who may; nil lets everybody
	Faults   []Fault
	Seed     uint64 // of every fault that uses chance

	TLS bool // speak TLS with a certificate from a CA made for this server
	// Listen is the address; "" is 127.0.0.1:0. Other than loopback must be asked
	// for with Expose.
	Listen string
	Expose bool

	Clock clock.Clock  // nil is the real clock
	Log   *slog.Logger // one line at each firing; nil discards
	// Observe, when not nil, is called with each exchange as it ends.
	Observe func(wire.Exchange)
}

// A Registry is a handler of registry requests whose state can be looked at.
type Registry interface {
	http.Handler
	// Storage is where storage faults strike and tests look; nil when the
	// registry lives elsewhere.
	Storage() *Storage
	// Close releases what the registry holds. It is called once, after the last
	// request ended.
	Close() error
}

// A Guard demands authentication before a request reaches the registry.
type Guard interface {
	// Wrap returns next behind the guard. host is the server's "host:port".
	Wrap(host string, next http.Handler) http.Handler
}

// A Server is a registry on a listener. Its Close waits for every goroutine.
type Server struct{}

// Start starts a server. The caller closes it.
func Start(c Config) (*Server, error) { return nil, errors.ErrUnsupported }

// Host is "127.0.0.1:40312".
func (s *Server) Host() string { return "" }

// URL is "http://127.0.0.1:40312", or https.
func (s *Server) URL() string { return "" }

// CA is the root of the server's certificate; nil without TLS.
func (s *Server) CA() *x509.Certificate { return nil }

// Trace is what the server saw so far.
func (s *Server) Trace() wire.Trace { return nil }

// Fired lists what the faults did so far, in order.
func (s *Server) Fired() []Firing { return nil }

// Idle names the faults that have not fired and were not optional: a scenario
// that declares them is wrong.
func (s *Server) Idle() []string { return nil }

// Dial opens a connection as the network between client and server would:
// faults of dns and connect strike here, with the errors a client would see. To
// other hosts it dials plainly.
func (s *Server) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

// Event tells the faults and the trace that something happened ("push-ended",
// "delete layer1"); event faults and after-event triggers wait for it.
func (s *Server) Event(name string) {}

// Close stops the server, ends every connection and waits.
func (s *Server) Close() error { return errors.ErrUnsupported }
