package fakeregistry

import (
	"io"
	"net/http"
)

// unreadLimit is how much of a request's body net/http reads after its answer, so
// that the connection can be used again. Of more it closes the connection, half a
// second of real time later, for what the kernel would do to the answer else.
const unreadLimit = 256 << 10

// promptly lets a server on a Network, which does nothing to an answer, close such
// connections at once.
func promptly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := connOf(r.Context())
		if c == nil || r.ProtoMajor != 1 || r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		body := r.Body
		read := &takenBody{ReadCloser: body}
		r.Body = read // in net/http's own request: or it would not look
		next.ServeHTTP(w, r)
		switch left := r.ContentLength - read.n; {
		case read.ended, r.ContentLength >= 0 && left < unreadLimit:
			return
		case r.ContentLength < 0:
			if n, err := io.CopyN(io.Discard, body, unreadLimit); n < unreadLimit || err != nil {
				return
			}
		}
		c.deafen() // net/http finds that the body broke off
	})
}

// A takenBody counts what is read of it.
type takenBody struct {
	io.ReadCloser
	n     int64
	ended bool
}

// Read implements io.Reader.
func (b *takenBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	b.ended = b.ended || err != nil
	return n, err
}
