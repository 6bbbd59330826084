// Package fakeregistry is the other side of a push: registries that behave, and
// faults wrapped round them.
//
// A Server is a listener, a recorder, faults, a guard and a handler, in that
// order from the wire inwards.
package fakeregistry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A Config says what to serve. The zero value, with a Registry, serves it plain
// on a loopback port with no faults and nobody to ask.
type Config struct {
	Registry Registry // required: NewV2, NewV1, Both, or distregistry.New
	Guard    Guard    // who may; nil lets everybody. A guard belongs to one server.
	Faults   []Fault
	Seed     uint64 // of every fault that uses chance, and of tokens

	TLS bool // speak TLS with a certificate from a CA made for this server
	// Names are host names under which clients know the server, besides its
	// address and localhost: its certificate has them, and Dial brings whoever asks
	// for them, at any port, here.
	Names []string
	// Listen is the address; "" is 127.0.0.1:0. Other than loopback must be asked
	// for with Expose.
	Listen string
	Expose bool

	// Network is where to listen; nil is the kernel's. On a Network nobody but Dial,
	// of this server or another there, reaches the server.
	Network *Network

	// Contents are what clients may upload, so that faults can select requests of
	// an upload by digest before the digest is on the wire.
	Contents []Content

	// Limits bound what clients can make the server keep; the zero value does not.
	Limits Limits

	Clock clock.Clock  // nil is the real clock
	Log   *slog.Logger // one line at each firing; nil discards
	// Observe, when not nil, is called with each exchange as it ends, one at a
	// time. It must not make a request to the server.
	Observe func(wire.Exchange)
}

// A Registry is a handler of registry requests whose state can be looked at. One
// that also has a method Restart() forgets there what it keeps in memory only.
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
type Server struct {
	registry Registry
	bench    *bench
	faults   *injector
	recorder *wire.Recorder
	http     http.Server
	secure   *authority // nil without TLS
	names    []string
	gate     *gate
	tokens   *gate // of a token service with a host of its own; nil without
	dials    dials
	limits   Limits
	network  *Network // nil for the kernel's

	done    chan struct{} // closed by Close
	serving sync.WaitGroup
	closing sync.Once
	failure error // of Close

	mu        sync.Mutex // guards everything below
	conns     map[*conn]struct{}
	downUntil time.Time
	closed    bool
	turn      uint64 // one more at each change of a lull
}

// Limits on what a client may keep a server busy with.
const (
	headerLimit   = 64 << 10
	headerTimeout = 10 * time.Second // on the real clock only
)

// Start starts a server. The caller closes it.
//
// Errors: no Registry; an address that is not a loopback one, without Expose; the
// operating system's when the address is taken; faults that are wrong, each with
// its Source in front.
func Start(c Config) (*Server, error) {
	if c.Registry == nil {
		return nil, errors.New("fakeregistry: Config.Registry is nil; want NewV2, NewV1, Both or distregistry.New")
	}
	if err := checkAddress(c); err != nil {
		return nil, err
	}
	s := &Server{registry: c.Registry, names: c.Names, network: c.Network, done: make(chan struct{}), conns: map[*conn]struct{}{}}
	s.dials.change.L = &s.dials.mu
	s.bench = newBench(c)
	s.bench.restart, s.bench.later, s.bench.done = s.Restart, s.later, s.done
	var err error
	if s.faults, err = newInjector(s.bench, c.Faults); err != nil {
		return nil, err
	}
	s.recorder = wire.NewRecorder(s.bench.clock, c.Observe)
	s.bench.recorder = s.recorder
	s.limit(c.Limits)
	if c.TLS {
		s.secure = newAuthority(c.Names)
	}
	if err := s.listen(c); err != nil {
		return nil, err
	}
	s.serve(c)
	return s, nil
}

func newBench(c Config) *bench {
	b := &bench{clock: c.Clock, seed: c.Seed, log: c.Log, guard: c.Guard, storage: c.Registry.Storage(), contents: c.Contents}
	if b.clock == nil {
		b.clock = clock.Real()
	}
	b.lines.clock = b.clock
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.storage != nil {
		b.storage.SetSeed(c.Seed)
	}
	return b
}

// checkAddress refuses addresses that other machines reach, unless asked for.
func checkAddress(c Config) error {
	if c.Listen == "" || c.Expose {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("fakeregistry: %q is not an address; want host:port such as 127.0.0.1:5000: %w", c.Listen, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("fakeregistry: other machines could reach %q; want a loopback address, or Expose", c.Listen)
}

// listen opens the server's listeners.
func (s *Server) listen(c Config) error {
	addr := c.Listen
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	var err error
	if s.gate, err = newGate(s, addr); err != nil {
		return fmt.Errorf("fakeregistry: %w", err)
	}
	h, ok := c.Guard.(interface{ setTokenHost(host string) })
	if g, own := c.Guard.(interface{ ownHost() bool }); !ok || !own || !g.ownHost() {
		return nil
	}
	host, _, _ := net.SplitHostPort(s.gate.addr)
	if s.tokens, err = newGate(s, net.JoinHostPort(host, "0")); err != nil {
		return errors.Join(fmt.Errorf("fakeregistry: token service: %w", err), s.gate.Close())
	}
	h.setTokenHost(s.tokens.addr)
	s.bench.ownTokens = true
	return nil
}

// serve answers until Close.
func (s *Server) serve(c Config) {
	h := http.Handler(c.Registry)
	if c.Guard != nil {
		h = c.Guard.Wrap(s.Host(), h)
	}
	h = demanding(s.faults.Wrap(h))
	if streams(c.Registry) {
		h = bothWays(h)
	}
	h = recased(c.Registry, s.attentive(s.recorder.Handler(s.patient(h))))
	if s.network != nil {
		h = promptly(h)
	}
	s.http = http.Server{
		Handler:        h,
		ConnContext:    s.connContext,
		ConnState:      s.connState,
		MaxHeaderBytes: headerLimit,
		TLSNextProto:   map[string]func(*http.Server, *tls.Conn, http.Handler){"h2": serveH2},
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	if s.real() {
		s.http.ReadHeaderTimeout, s.http.IdleTimeout = headerTimeout, s.limits.Idle
	}
	if c.Log != nil {
		s.http.ErrorLog = slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug)
	}
	for _, g := range []*gate{s.gate, s.tokens} {
		if g != nil {
			s.serving.Go(func() { _ = s.http.Serve(g) }) // ends with ErrServerClosed
		}
	}
}

// real reports whether time passes by itself.
func (s *Server) real() bool {
	_, virtual := s.bench.clock.(*clock.Virtual)
	return !virtual
}

// connContext gives a connection's requests what faults and guards need.
func (s *Server) connContext(ctx context.Context, nc net.Conn) context.Context {
	c := innerConn(nc)
	ctx, cancel := context.WithCancel(context.WithValue(context.WithValue(ctx, benchKey{}, s.bench), connKey{}, c))
	ctx = s.recorder.ConnContext(ctx, nc)
	c.begin(ctx, cancel)
	return ctx
}

// connState counts connections whose goroutine has not ended.
func (s *Server) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.serving.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.serving.Done()
	case http.StateActive, http.StateIdle:
	}
}

// Host is "127.0.0.1:40312".
func (s *Server) Host() string { return s.gate.addr }

// TokenHost is where the token service is: Host, unless the guard wants it on a
// host of its own.
func (s *Server) TokenHost() string {
	if s.tokens != nil {
		return s.tokens.addr
	}
	return s.Host()
}

// URL is "http://127.0.0.1:40312", or https.
func (s *Server) URL() string {
	if s.secure != nil {
		return "https://" + s.Host()
	}
	return "http://" + s.Host()
}

// CA is the root of the server's certificate; nil without TLS.
func (s *Server) CA() *x509.Certificate {
	if s.secure == nil || s.secure.ready() != nil {
		return nil
	}
	return s.secure.root
}

// CAPEM is CA in the form of a file; nil without TLS.
func (s *Server) CAPEM() []byte {
	if s.secure == nil {
		return nil
	}
	return s.secure.pem()
}

// Trace is what the server saw so far.
func (s *Server) Trace() wire.Trace { return s.recorder.Trace() }

// Recorder is the server's recorder, for one who notes things in its trace.
func (s *Server) Recorder() *wire.Recorder { return s.recorder }

// Fired lists what the faults did so far, in order.
func (s *Server) Fired() []Firing { return s.faults.fired() }

// Struck is how often each fault struck so far, those included that Fired no
// longer remembers, by its index.
func (s *Server) Struck() []int { return s.faults.struck() }

// Idle names the faults that have not fired and were not optional: a scenario
// that declares them is wrong.
func (s *Server) Idle() []string { return s.faults.idle() }

// Inject puts more faults in force, in front of those there are. Their indices
// in Fired go on from the last one. remove, which may be called more than once,
// ends them; requests under way keep theirs.
//
// Errors: as Start's for faults; then none is in force.
func (s *Server) Inject(faults []Fault) (remove func(), err error) {
	rules, err := s.faults.add(faults, true)
	if err != nil {
		return nil, err
	}
	return func() { s.faults.remove(rules) }, nil
}

// Event tells the faults and the trace that something happened ("push-ended",
// "delete layer1"); event faults and after-event triggers wait for it.
func (s *Server) Event(name string) {
	s.recorder.Event(name)
	s.faults.happen(name)
}
