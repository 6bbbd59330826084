package wire

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
)

// A certain connection leaves nothing to chance where the kernel does: see
// fakeregistry.Network.
type certain interface {
	// Stalled returns once what is written will not be taken any more, and a write
	// waits; or once over is closed.
	Stalled(over <-chan struct{})
	// GiveUp ends such a write.
	GiveUp()
	// Broken is what Read says of how the other end ended the connection; nil when it
	// did not.
	Broken() error
}

// certainty finds the certain connection below c; nil when there is none.
func (c *conn) certainty() certain {
	if c == nil {
		return nil
	}
	for inner := c.Conn; inner != nil; {
		if sure, ok := inner.(certain); ok {
			return sure
		}
		w, ok := inner.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		inner = w.NetConn()
	}
	return nil
}

func (a *attempt) connection() *conn {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used
}

// settle waits, where an answer came before the request's body was through, until
// it is known how much of the body the other end takes.
func (a *attempt) settle(resp *http.Response) {
	sure := a.connection().certainty()
	if a.sent.closed == nil || sure == nil || resp.ProtoMajor != 1 {
		return
	}
	sure.Stalled(a.sent.closed)
	select {
	case <-a.sent.closed:
	default:
		sure.GiveUp()
	}
}

// peekFailed is what net/http puts before an error that it read before it knew of the
// request, which may be sooner or later.
const peekFailed = "readLoopPeekFailLocked: "

// sure is the error of a request whose connection broke. net/http tells of its
// writing or of its reading, whichever fails first; who read knows better.
func (a *attempt) sure(err error) error {
	sure := a.connection().certainty()
	if within := errors.Unwrap(err); sure != nil && within != nil && strings.HasPrefix(err.Error(), peekFailed) {
		err = within
	}
	var op *net.OpError
	wrote := errors.As(err, &op) && op.Op == "write"
	if unsent := a.sent.closed != nil && !a.sent.ended.Load(); sure == nil || !unsent && !wrote {
		return err
	}
	if how := classify(err, false); how != FailureReset && how != FailureClosed {
		return err
	}
	switch broken := sure.Broken(); {
	case broken != nil:
		return broken
	case errors.Is(err, net.ErrClosed): // what was read is TLS's word for the end
		return io.EOF
	}
	return err
}
