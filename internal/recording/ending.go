package recording

import (
	"io"
	"net"
)

// HangUp resets a connection.
func HangUp(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// Part ends a connection in peace: what the client still sends is read, so that
// the kernel does not turn the end into a reset.
func Part(c net.Conn, r io.Reader) {
	if w, ok := c.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, r)
	_ = c.Close()
}
