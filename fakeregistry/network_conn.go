package fakeregistry

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// errTaken is what a listener says of an address that another has.
var errTaken = os.NewSyscallError("bind", syscall.EADDRINUSE)

// A memConn is one end of a connection of a Network. Where the kernel would leave
// something to chance, it does not:
//
//   - what a client writes is taken when the server reads it and not before: how
//     much of a body went out is how much the server took;
//   - what a server writes waits in a buffer, and the client reads all of it before
//     it hears that the connection broke, and nothing before its own write has returned;
//   - that the server is gone shows to a client in Read and not in Write, which waits
//     until the connection is closed, as net/http does when it has read of it, or
//     until GiveUp.
type memConn struct {
	in, out       *memStream
	local, remote *net.TCPAddr
}

// answerBuffer is how many bytes of a server's wait for the client, at most.
const answerBuffer = 64 << 10

// newMemConns makes both ends of a connection.
func newMemConns(client, server *net.TCPAddr) (c, s *memConn) {
	pair := &memPair{}
	pair.change.L = &pair.mu
	up, down := &memStream{memPair: pair}, &memStream{memPair: pair, room: answerBuffer}
	return &memConn{in: down, out: up, local: client, remote: server}, &memConn{in: up, out: down, local: server, remote: client}
}

// Read implements net.Conn.
func (c *memConn) Read(p []byte) (int, error) {
	n, err := c.in.read(p, c.out)
	return n, c.wrap("read", err)
}

// Write implements net.Conn.
func (c *memConn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	return n, c.wrap("write", err)
}

// wrap gives an error the words that the kernel's would have.
func (c *memConn) wrap(op string, err error) error {
	var number syscall.Errno
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return err
	case errors.As(err, &number):
		err = os.NewSyscallError(op, number)
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// Close implements net.Conn: the other end hears of it in good order.
func (c *memConn) Close() error {
	c.end(io.EOF)
	return nil
}

// reset ends the connection so that the other end is told of a reset.
func (c *memConn) reset() { c.end(syscall.ECONNRESET) }

func (c *memConn) end(how error) {
	c.in.set(func() {
		c.in.left, c.out.shut = true, true
		if c.out.ended == nil {
			c.out.ended = how
		}
	})
}

// CloseWrite says that nothing more will be written. Of what the client still sends
// nothing is taken either.
func (c *memConn) CloseWrite() error {
	c.in.set(func() {
		c.in.past = true
		if c.out.ended == nil {
			c.out.ended = io.EOF
		}
	})
	return nil
}

// Stalled returns once a Write waits for the other end, which is not going to read
// any more, or is waiting itself until its own bytes are read; or once over is closed,
// which is to happen when a Write failed.
func (c *memConn) Stalled(over <-chan struct{}) {
	select {
	case <-over:
		return
	default:
	}
	ended := false
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-over:
			c.out.set(func() { ended = true })
		case <-stop:
		}
	}()
	s := c.out
	s.mu.Lock()
	defer s.mu.Unlock()
	for !ended && !(s.stuck() && (s.past || s.left || c.in.stuck())) {
		s.change.Wait()
	}
}

// GiveUp makes the Write that waits fail, and those to come.
func (c *memConn) GiveUp() { c.out.set(func() { c.out.hopeless = true }) }

// forsake makes the other end's Write that waits fail, and those to come: over HTTP/2
// who reads there writes too, and would wait for ever.
func (c *memConn) forsake() { c.in.set(func() { c.in.hopeless = true }) }

// Broken is what Read says, after all that was sent, of how the other end ended the
// connection; nil when it did not.
func (c *memConn) Broken() error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.wrap("read", c.in.ended)
}

// LocalAddr implements net.Conn.
func (c *memConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *memConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *memConn) SetDeadline(t time.Time) error {
	c.readUntil(t)
	c.writeUntil(t)
	return nil
}

// SetReadDeadline implements net.Conn. A time that is to come is not kept: on a
// Network time is the clock's affair. One that is past ends a Read at once.
func (c *memConn) SetReadDeadline(t time.Time) error {
	c.readUntil(t)
	return nil
}

func (c *memConn) readUntil(t time.Time) { c.in.set(func() { c.in.lateRead = past(t) }) }

// SetWriteDeadline implements net.Conn, as SetReadDeadline. A time that is to come is
// what crypto/tls sets for its last word: a Write does not wait, and this end is taken
// not to read any more.
func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.writeUntil(t)
	return nil
}

func (c *memConn) writeUntil(t time.Time) {
	c.out.set(func() {
		c.out.lateWrite, c.out.hasty = past(t), !t.IsZero()
		c.in.past = c.in.past || c.out.hasty
	})
}

func past(t time.Time) bool { return !t.IsZero() && !t.After(clock.Real().Now()) }

// A memPair is what both directions of a connection share.
type memPair struct {
	mu     sync.Mutex // guards what is below, and both streams
	change sync.Cond  // with mu
}

// set changes something and tells everybody.
func (p *memPair) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.change.Broadcast()
}

// A memStream is one direction of a connection. The pair's mu guards all but room.
type memStream struct {
	*memPair
	room int // how many bytes may wait for the reader after write has returned

	data  []byte // written and not read
	ended error  // how the writer ended it; nil when it did not
	shut  bool   // the writer has closed its end
	left  bool   // the reader has closed its end
	past  bool   // the reader will not read on

	hopeless  bool // see GiveUp
	waits     bool // a write waits
	lateRead  bool
	lateWrite bool
	hasty     bool // a write does not wait
}

// stuck reports whether a write waits for the reader and not only for its turn to
// go on. mu is held.
func (s *memStream) stuck() bool { return s.waits && len(s.data) > 0 && len(s.data) >= s.room }

// read reads what was written. An answer is not read before the write that it may be an
// answer to has returned: net/http gives a connection up whose request it believes not
// to be written, which on a busy machine is a matter of chance.
func (s *memStream) read(p []byte, other *memStream) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.left:
			return 0, net.ErrClosed
		case s.lateRead:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case other.waits && !other.stuck():
		case len(s.data) > 0:
			n := copy(p, s.data)
			s.data = s.data[n:]
			s.change.Broadcast()
			return n, nil
		case s.ended != nil:
			return 0, s.ended
		}
		s.change.Wait()
	}
}

func (s *memStream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room > 0 || s.hasty {
		return s.buffer(p)
	}
	for len(s.data) > 0 && !s.shut { // of one before, which did not wait
		s.change.Wait()
	}
	if !s.shut {
		s.data, s.waits = p, true
		defer func() {
			s.data, s.waits = nil, false
			s.change.Broadcast()
		}()
	}
	for {
		done := len(p) - len(s.data)
		switch {
		case s.shut && !s.waits:
			return 0, net.ErrClosed
		case len(s.data) == 0:
			return len(p), nil
		case s.shut:
			return done, net.ErrClosed
		case s.lateWrite:
			return done, os.ErrDeadlineExceeded
		case s.hopeless:
			return done, syscall.EPIPE
		}
		s.change.Broadcast()
		s.change.Wait()
	}
}

// buffer writes what need not be read at once. mu is held.
func (s *memStream) buffer(p []byte) (int, error) {
	room := s.room
	if s.hasty {
		room = len(s.data) + len(p)
	}
	defer func() {
		s.waits = false
		s.change.Broadcast()
	}()
	for done := 0; ; {
		switch {
		case s.shut || s.ended != nil:
			return done, net.ErrClosed
		case s.left:
			return done, syscall.EPIPE
		case s.lateWrite:
			return done, os.ErrDeadlineExceeded
		case done == len(p):
			return done, nil
		}
		if n := min(room-len(s.data), len(p)-done); n > 0 {
			s.data = append(s.data, p[done:done+n]...)
			done += n
			s.change.Broadcast()
			continue
		}
		s.waits = true
		s.change.Broadcast()
		s.change.Wait()
	}
}
