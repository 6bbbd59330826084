package fakeregistry

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

// An upline is a connection of a Proxy to the registry. One request at a time is
// under way on it.
type upline struct {
	proxy   *Proxy
	tcp     net.Conn // under TLS what TLS runs on
	conn    net.Conn
	metered *meter
	in      *bufio.Reader
	out     *bufio.Writer
	client  *conn // whose requests it carries; nil when it is for a single one. Set before it is shared.

	// ready gets one value when the registry has sent something, or an error when it
	// has ended the connection. Who receives nil owns in until the next listen.
	ready chan error

	mu     sync.Mutex // guards everything below
	busy   bool       // a request is under way
	ended  error      // how the registry ended the connection; nil while it has not
	closed bool
}

// A meter is a connection of which a limited number of bytes are read.
type meter struct {
	net.Conn
	left int64 // negative is no limit
}

// answerHeads bounds the heads of one answer, interim ones included.
const answerHeads = 1 << 20

var errHeadTooLarge = errors.New("the head of its answer is larger than 1 MiB")

// Read implements net.Conn.
func (m *meter) Read(p []byte) (int, error) {
	if m.left == 0 {
		return 0, errHeadTooLarge
	}
	if m.left > 0 {
		p = p[:min(int64(len(p)), m.left)]
	}
	n, err := m.Conn.Read(p)
	if m.left > 0 {
		m.left -= int64(n)
	}
	return n, err
}

func newUpline(p *Proxy, tcp, outer net.Conn) *upline {
	m := &meter{Conn: outer, left: -1}
	return &upline{
		proxy: p, tcp: tcp, conn: outer, metered: m, in: bufio.NewReader(m), out: bufio.NewWriter(outer), ready: make(chan error, 1),
	}
}

// listen waits for what the registry says next. A connection that it ends while
// no request is under way ends the client's too.
func (l *upline) listen() {
	l.proxy.work.Go(func() {
		_, err := l.in.Peek(1)
		l.mu.Lock()
		l.ended = err
		idle := err != nil && !l.busy
		l.mu.Unlock()
		l.ready <- err
		if idle {
			l.hangUp(err)
		}
	})
}

// hangUp ends the client's connection as the registry ended its own.
func (l *upline) hangUp(err error) {
	switch {
	case l.client == nil:
	case isReset(err):
		l.client.reset()
	default:
		_ = l.client.Close()
	}
	l.close()
}

// begin says that a request is under way. It reports whether the connection is
// still there.
func (l *upline) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = true
	return !l.closed
}

// rest says that the request has ended, and that another may follow. The caller
// has called listen.
func (l *upline) rest() {
	l.mu.Lock()
	l.busy = false
	ended := l.ended
	l.mu.Unlock()
	if ended != nil {
		l.hangUp(ended)
	}
}

// close ends the connection. It may be called more than once.
func (l *upline) close() {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if !again {
		l.proxy.forget(l)
		_ = l.tcp.Close() // without close_notify: TLS must not take what was cut for whole
	}
}

// reset ends the connection so that the registry is told at once.
func (l *upline) reset() {
	if t, ok := l.tcp.(interface{ SetLinger(sec int) error }); ok {
		_ = t.SetLinger(0) // one that is gone already is as good
	}
	l.close()
}

// finish says that nothing more will be sent, and goes on listening.
func (l *upline) finish() {
	if t, ok := l.conn.(interface{ CloseWrite() error }); ok {
		_ = t.CloseWrite() // the registry may be gone
	}
	if t, ok := l.tcp.(interface{ CloseWrite() error }); ok {
		_ = t.CloseWrite() // likewise
	}
}

// isReset reports whether the other end broke a connection.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// A byPieces is a writer that does not read by itself: a passingBody flushes it while it
// is read, and a bufio.Writer would have it read into what is flushed away.
type byPieces struct{ headWriter }

// A headWriter is what net/http wants of a writer that it does not buffer again.
type headWriter interface {
	io.Writer
	io.ByteWriter
}
