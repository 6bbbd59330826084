package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// Dial wraps a dial function so that the exchanges recorded by Transport know
// their Link and Conn, and so that the clock knows which links a worker of this
// process waits on. Connections are numbered in the order in which exchanges
// first use them. The wrapped connection gives the original by NetConn.
func (r *Recorder) Dial(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	if r == nil {
		return dial
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: nc, recorder: r, link: nc.LocalAddr().String()}
		r.mu.Lock()
		r.links[c.link] = c
		r.mu.Unlock()
		if a, ok := ctx.Value(attemptKey{}).(*attempt); !ok || a.dialled(c) {
			c.wait(a)
		}
		return c, nil
	}
}

// A conn is a connection seen from its client.
type conn struct {
	net.Conn // nil when it is known by its link only
	recorder *Recorder
	link     string
	written  atomic.Int64 // bytes handed to the kernel

	number int // 0 until an exchange used it; guarded by recorder.mu

	mu      sync.Mutex // guards everything below
	waiting bool       // the clock counts a worker as the client of this link
	user    *attempt   // who waits; net/http gives a connection to the next while the one before still reads
	closed  bool
}

// NetConn is the connection that dial returned.
func (c *conn) NetConn() net.Conn { return c.Conn }

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// ReadFrom implements io.ReaderFrom: net/http copies request bodies through it.
func (c *conn) ReadFrom(src io.Reader) (int64, error) { return copyBody(c.Conn, src, &c.written) }

// Close implements net.Conn. The clock hears of it before the port is free for
// another connection.
func (c *conn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.abandon(nil)
	c.recorder.mu.Lock()
	if c.recorder.links[c.link] == c {
		delete(c.recorder.links, c.link)
	}
	c.recorder.mu.Unlock()
	return c.Conn.Close()
}

// wait tells the clock that a worker is about to wait on the link.
func (c *conn) wait(by *attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.user = by
	if !c.waiting && !c.closed {
		c.waiting = true
		c.recorder.clock.Connected(c.link)
	}
	if c.waiting && by != nil {
		c.recorder.clock.Awaits(by.req.Context(), c.link)
	}
}

// abandon tells the clock that nobody waits on the link any more, unless somebody
// else than by does. nil is whoever waits.
func (c *conn) abandon(by *attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting && (by == nil || c.user == nil || c.user == by) {
		c.waiting = false
		c.recorder.clock.Abandon(c.link)
	}
}

// connOf finds what Dial knows of the connection that a transport uses, which
// may have TLS or other wrappers on top.
func (r *Recorder) connOf(nc net.Conn) *conn {
	for inner := nc; inner != nil; {
		if c, ok := inner.(*conn); ok && c.recorder == r {
			return c
		}
		w, ok := inner.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		inner = w.NetConn()
	}
	link := nc.LocalAddr().String()
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.links[link]
	if c == nil { // dialled past Dial
		c = &conn{recorder: r, link: link}
		r.links[link] = c
	}
	return c
}

// numberOf gives c its number at its first use.
func (r *Recorder) numberOf(c *conn) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.number == 0 {
		r.conns++
		c.number = r.conns
	}
	return c.number
}

// copyBody copies src to dst through a pooled buffer and adds what was written
// to written, which may be nil.
func copyBody(dst io.Writer, src io.Reader, written *atomic.Int64) (int64, error) {
	buf := copies.Get().(*[]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer copies.Put(buf)
	var total int64
	for {
		n, rerr := src.Read(*buf)
		if n > 0 {
			m, werr := dst.Write((*buf)[:n])
			total += int64(m)
			if written != nil {
				written.Add(int64(m))
			}
			if werr != nil {
				return total, werr
			}
			if m < n {
				return total, io.ErrShortWrite
			}
		}
		if errors.Is(rerr, io.EOF) {
			return total, nil
		}
		if rerr != nil {
			return total, rerr
		}
	}
}
