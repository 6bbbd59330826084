package fakeregistry

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"net/http"
	"sync"

	"golang.org/x/net/http2"
)

// An h2Conn is a connection on which HTTP/2 is spoken, below the server that
// speaks it: net/http sends neither GOAWAY nor the reset of a stream at will.
type h2Conn struct {
	*tls.Conn

	reading  sync.Mutex // guards everything down to the blank line
	skip     int        // bytes of the client's preface that are still to come
	head     []byte     // of the frame that begins
	body     int        // bytes of the frame that are still to come
	youngest uint32     // stream that the client opened

	writing sync.Mutex      // guards everything below
	partial []byte          // of a frame that the server has begun to write
	codes   []http2.ErrCode // of the next streams that the server resets because their handler gave up
	leaving chan struct{}   // closed when leave is done; nil before it began

	begin sync.Once
	begun chan struct{} // closed when the server has written, or never will
}

// serveH2 speaks HTTP/2 on a connection that agreed on it.
func serveH2(hs *http.Server, tc *tls.Conn, h http.Handler) {
	b, ok := h.(interface{ BaseContext() context.Context })
	if !ok {
		return
	}
	ctx := b.BaseContext()
	nc := &h2Conn{Conn: tc, skip: len(http2.ClientPreface), begun: make(chan struct{})}
	if c := connOf(ctx); c != nil {
		c.h2.Store(nc)
	}
	(&http2.Server{}).ServeConn(nc, &http2.ServeConnOpts{Context: ctx, BaseConfig: hs, Handler: h}) //nolint:staticcheck // net/http would not let its frames be touched
	if left := nc.left(); left != nil {
		<-left // net/http closes the connection when this returns
	}
}

// leave runs end, which ends the connection in its own time. The server, which sees it
// end and would close it at once, waits: what the client still sends would be answered
// with a reset, and that may overtake what the client was told.
func (c *h2Conn) leave(end func()) {
	left := make(chan struct{})
	defer close(left)
	c.writing.Lock()
	c.leaving = left
	c.writing.Unlock()
	end()
}

// left is closed when leave is done; nil when it did not begin.
func (c *h2Conn) left() chan struct{} {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.leaving
}

// Close implements net.Conn. Where the connection is left, that closes it.
func (c *h2Conn) Close() error {
	c.begin.Do(func() { close(c.begun) })
	if c.left() != nil {
		return nil
	}
	return c.Conn.Close()
}

// frameHead is how long the head of a frame is (RFC 9113, 4.1).
const frameHead = 9

// Read implements net.Conn. It notes which streams the client opens.
func (c *h2Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.reading.Lock()
	defer c.reading.Unlock()
	for p = p[:n]; len(p) > 0; {
		switch {
		case c.skip > 0:
			k := min(c.skip, len(p))
			c.skip, p = c.skip-k, p[k:]
		case c.body > 0:
			k := min(c.body, len(p))
			c.body, p = c.body-k, p[k:]
		default:
			k := min(frameHead-len(c.head), len(p))
			c.head, p = append(c.head, p[:k]...), p[k:]
			if len(c.head) < frameHead {
				continue
			}
			size, kind, stream := parseHead(c.head)
			if kind == http2.FrameHeaders {
				c.youngest = max(c.youngest, stream)
			}
			c.head, c.body = c.head[:0], size
		}
	}
	return n, err
}

func parseHead(p []byte) (size int, kind http2.FrameType, stream uint32) {
	return int(p[0])<<16 | int(p[1])<<8 | int(p[2]), http2.FrameType(p[3]), binary.BigEndian.Uint32(p[5:]) & (1<<31 - 1)
}

// Write implements net.Conn. It lets whole frames through.
func (c *h2Conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.partial = append(c.partial, p...)
	whole := 0
	for rest := c.partial; len(rest) >= frameHead; rest = c.partial[whole:] {
		size, kind, _ := parseHead(rest)
		if len(rest) < frameHead+size {
			break
		}
		if kind == http2.FrameRSTStream {
			c.recode(rest[frameHead : frameHead+size])
		}
		whole += frameHead + size
	}
	if whole == 0 {
		return len(p), nil
	}
	_, err := c.Conn.Write(c.partial[:whole])
	c.begin.Do(func() { close(c.begun) })
	c.partial = append(c.partial[:0], c.partial[whole:]...)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// recode gives the reset of a stream the code that a fault wants. c.writing is held.
func (c *h2Conn) recode(payload []byte) {
	if len(c.codes) > 0 && len(payload) == 4 && http2.ErrCode(binary.BigEndian.Uint32(payload)) == http2.ErrCodeInternal {
		binary.BigEndian.PutUint32(payload, uint32(c.codes[0]))
		c.codes = c.codes[1:]
	}
}

// resets says what the next stream is reset with whose handler gives up.
func (c *h2Conn) resets(code http2.ErrCode) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.codes = append(c.codes, code)
}

// goAway tells the client that no further stream is taken. The server's settings come
// first: a client takes nothing before them.
func (c *h2Conn) goAway(code http2.ErrCode) {
	<-c.begun
	c.reading.Lock()
	youngest := c.youngest
	c.reading.Unlock()
	var frame bytes.Buffer
	_ = http2.NewFramer(&frame, nil).WriteGoAway(youngest, code, nil) // a bytes.Buffer takes all
	c.writing.Lock()
	defer c.writing.Unlock()
	_, _ = c.Conn.Write(frame.Bytes()) // the client may be gone
}
