package fakeregistry

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A gate is a listener that can be shut for a while and keeps its address.
type gate struct {
	server *Server
	addr   string // as clients write it

	mu    sync.Mutex // guards everything below
	inner net.Listener
	shut  time.Duration // for how long, while inner is nil
	ended bool
}

func newGate(s *Server, addr string) (*gate, error) {
	l, err := s.listenAt(addr)
	if err != nil {
		return nil, err
	}
	a := l.Addr().(*net.TCPAddr) //nolint:errcheck,forcetypeassert // of a TCP listener
	host := a.IP.String()
	if a.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	_, port, _ := net.SplitHostPort(a.String())
	return &gate{server: s, addr: net.JoinHostPort(host, port), inner: l}, nil
}

// listenAt opens a listener where the server's clients are.
func (s *Server) listenAt(addr string) (net.Listener, error) {
	if s.network != nil {
		return s.network.listen(addr)
	}
	return net.Listen("tcp", addr)
}

// Accept implements net.Listener.
func (g *gate) Accept() (net.Conn, error) {
	for {
		l, err := g.open()
		if err != nil {
			return nil, err
		}
		nc, err := l.Accept()
		if err != nil {
			if g.isShut() {
				continue
			}
			return nil, err
		}
		if c := g.server.admit(g, nc); c != nil {
			return c, nil
		}
	}
}

func (g *gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inner == nil && !g.ended
}

// open is the listener, once it is open.
func (g *gate) open() (net.Listener, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.inner == nil && !g.ended {
		d := g.shut
		g.mu.Unlock()
		_ = g.server.bench.clock.Sleep(untilDone{g.server.done}, d)
		l, err := g.server.listenAt(g.addr)
		g.mu.Lock()
		if err == nil {
			g.inner = l
		}
		g.shut = 50 * time.Millisecond // until it is tried again
	}
	if g.ended {
		if g.inner != nil {
			_ = g.inner.Close() // opened while the server was closed
		}
		return nil, net.ErrClosed
	}
	return g.inner, nil
}

// shutFor closes the listening socket; Accept opens it again after d.
func (g *gate) shutFor(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inner != nil && !g.ended {
		_ = g.inner.Close() // an error means that it is closed
		g.inner = nil
	}
	g.shut = d
}

// Close implements net.Listener.
func (g *gate) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return nil
	}
	g.ended = true
	if g.inner == nil {
		return nil
	}
	return g.inner.Close()
}

// Addr implements net.Listener.
func (g *gate) Addr() net.Addr {
	a, _ := net.ResolveTCPAddr("tcp", g.addr)
	return a
}

// admit makes a connection that was accepted ready to be served; nil when it is not.
func (s *Server) admit(g *gate, nc net.Conn) net.Conn {
	c := &conn{Conn: nc, link: nc.RemoteAddr().String(), forget: s.forget}
	switch entered, closed := s.enter(c); {
	case closed:
		_ = nc.Close()
		return nil
	case !entered:
		c.forget = func(*conn) {}
		c.reset()
		return nil
	}
	if s.down() {
		c.reset()
		return nil
	}
	if s.faults.strikesDials() {
		ops := []wire.Op{wire.OpConnect}
		if g == s.tokens {
			ops = append(ops, wire.OpToken)
		}
		dialled := s.dials.claim(c.link)
		if !dialled && s.faults.limitsLines() {
			c.line = s.bench.lines.enter(c.link)
		}
		if !s.faults.accepted(c, g.addr, dialled, ops...) {
			return nil
		}
	}
	if s.secure == nil {
		return c
	}
	config, err := s.faults.secured(c, g.addr, s.secure)
	switch {
	case err != nil:
		c.reset()
		return nil
	case config == nil:
		return c
	}
	c.secure = tls.Server(c, config)
	return c.secure
}

// forget drops a connection that was closed.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	if c.line != "" {
		s.bench.lines.leave(c.line)
	}
}

// innerConn is the connection under TLS.
func innerConn(nc net.Conn) *conn {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	return nc.(*conn) //nolint:errcheck,forcetypeassert // the gate hands out nothing else
}

// untilDone is a context that ends with a channel.
type untilDone struct{ done <-chan struct{} }

func (untilDone) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (u untilDone) Done() <-chan struct{} { return u.done }

// Err implements context.Context.
func (u untilDone) Err() error {
	select {
	case <-u.done:
		return context.Canceled
	default:
		return nil
	}
}

// Value implements context.Context.
func (untilDone) Value(any) any { return nil }
