package fakeregistry

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A conn is a connection that the server accepted. Under TLS it is what TLS runs on.
type conn struct {
	net.Conn
	link   string // the client's end
	secure *tls.Conn

	ctx    context.Context           // of the connection; ends when it is closed. Set before the first read.
	before func(ctx context.Context) // runs once the client has sent something, before anybody sees it
	// patient puts before off until the server has sent something.
	patient   bool
	wantsCert bool        // whether the client should have shown a certificate
	line      string      // see lines; "" when it was dialled, or nobody counts
	forget    func(*conn) // called when it is closed

	silent   atomic.Bool            // whether "100 Continue" is swallowed
	answered atomic.Bool            // whether the server has sent something
	lastUse  atomic.Int64           // when a request ended last, in ns; 0 when none did
	finished atomic.Bool            // whether the client has closed its end and can still be answered
	deaf     atomic.Bool            // whether nothing is read any more
	h2       atomic.Pointer[h2Conn] // when HTTP/2 is spoken
	awaited  atomic.Int64           // since when the client is waited for in a request, in ns; 0 when it is not

	lull lull // guarded by the server's mutex

	mu     sync.Mutex // guards everything below
	cancel context.CancelFunc
	closed bool
}

// begin gives the connection its context.
func (c *conn) begin(ctx context.Context, cancel context.CancelFunc) {
	c.ctx = ctx
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel = cancel; c.closed {
		cancel()
	}
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if c.deaf.Load() {
		return 0, io.EOF
	}
	n, err := c.Conn.Read(p)
	if c.deaf.Load() {
		return 0, io.EOF
	}
	if err == io.EOF { //nolint:errorlint // as a connection gives it
		c.finished.Store(true)
	}
	if before := c.before; before != nil && n > 0 && (!c.patient || c.answered.Load()) {
		c.before = nil
		before(c.ctx)
	}
	return n, err
}

// goOn is what net/http writes when a handler wants the body of a request whose
// client asked before.
const goOn = "HTTP/1.1 100 Continue\r\n\r\n"

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if c.silent.Load() && string(p) == goOn {
		return len(p), nil
	}
	c.answered.Store(true)
	return c.Conn.Write(p)
}

// Close implements net.Conn. It ends the requests of the connection.
func (c *conn) Close() error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	if !again && c.cancel != nil {
		c.cancel()
	}
	c.mu.Unlock()
	if !again {
		c.forget(c)
	}
	if m, ok := c.Conn.(*memConn); ok && c.h2.Load() != nil {
		m.forsake()
	}
	return c.Conn.Close()
}

// reset closes the connection so that the other end is told at once that it is
// gone, and what is on its way is lost.
func (c *conn) reset() {
	if m, ok := c.Conn.(*memConn); ok {
		m.reset()
	} else if t, ok := c.Conn.(interface{ SetLinger(sec int) error }); ok {
		_ = t.SetLinger(0) // a connection that is gone already is as good
	}
	_ = c.Close()
}

// deafen ends what is being read from the connection, for good, so that it is
// closed once the answer under way is complete.
func (c *conn) deafen() {
	c.deaf.Store(true)
	_ = c.SetReadDeadline(clock.Real().Now()) // one that is gone is as good
}

// finish says that nothing more will come, and reads and drops what the client
// still sends until it closes too: to close at once would be a reset.
func (c *conn) finish() {
	if c.secure != nil {
		_ = c.secure.CloseWrite() // fails before the handshake is done
	}
	c.truncate()
}

// truncate is finish without a word to TLS. On a Network to close is no reset, and
// what the client still sends is not taken.
func (c *conn) truncate() {
	t, ok := c.Conn.(interface{ CloseWrite() error })
	if _, network := c.Conn.(*memConn); ok && !network && t.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, c.Conn)
	}
	_ = c.Close()
}

// CloseWrite is how net/http ends a connection whose client it does not hear out. A
// client that the kernel brings is let on for a while.
func (c *conn) CloseWrite() error {
	if m, ok := c.Conn.(*memConn); ok {
		return m.CloseWrite()
	}
	return nil
}

// write puts bytes on the wire past net/http.
func (c *conn) write(text string) {
	out := net.Conn(c)
	if c.secure != nil {
		out = c.secure
	}
	_, _ = io.WriteString(out, text) // the connection is about to be closed
}

type connKey struct{}

// connOf finds the connection that a request came over; nil without a Server.
func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}

// snap breaks the connection of a request: FailureReset or FailureClosed.
func snap(r *http.Request, how wire.Failure) {
	s := strikeOf(r)
	s.took(r.Context())
	text := "the fault reset the connection"
	if how == wire.FailureClosed {
		text = "the fault closed the connection"
	}
	wire.MarkFailure(r.Context(), how, text)
	if s != nil {
		s.broke = how
	}
	c := connOf(r.Context())
	switch {
	case c == nil: // net/http closes it when the handler panics
	case how == wire.FailureReset:
		c.reset()
	default:
		c.finish()
	}
}

// abort ends a request whose connection is broken, without another byte.
func abort() { panic(http.ErrAbortHandler) }
