package fakeregistry

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// Limits bound what clients that mean no good, or are merely slow, can make a
// server keep. The zero value of each is no limit, as suits a test whose clients
// are its own. Heads of requests are bounded always: 64 KiB, and 10 s on the
// system's clock.
type Limits struct {
	// Connections is how many may be open at once. For a further one, the one that has
	// been without a complete header of a request longest is reset; where each has one,
	// that whose client has been waited for longest, a twelfth of Idle at least; where
	// there is none, the further one itself.
	Connections int
	// Idle is how long, on the system's clock, a client may neither send a byte of a
	// request or body nor take one of an answer; then its connection is closed.
	Idle time.Duration
	// Sessions is how many upload sessions may be open at once; a further one is
	// refused with 429 by our own V2 and as a full disk by others.
	Sessions int
	// Bytes is how much blobs, manifests and open uploads may come to; what is more is
	// refused as by a full disk. Memory for it is at most twice that and 32 KiB for
	// each session.
	Bytes int64
	// Exchanges is how many ended exchanges, and how many firings, are remembered.
	Exchanges int
}

// limit puts limits in force.
func (s *Server) limit(l Limits) {
	s.limits = l
	if l.Exchanges > 0 {
		s.recorder.KeepLast(l.Exchanges)
		s.faults.keep = l.Exchanges
	}
	if s.bench.storage != nil {
		s.bench.storage.Limit(l.Sessions, l.Bytes)
	}
}

// patient gives next clients that do not stop in the middle.
func (s *Server) patient(next http.Handler) http.Handler {
	if s.limits.Idle <= 0 || !s.real() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := connOf(r.Context())
		if c == nil || r.ProtoMajor != 1 { // a stream of HTTP/2 has no deadline of its own
			next.ServeHTTP(w, r)
			return
		}
		p := &prompt{conn: c, idle: s.limits.Idle}
		if r.Body != nil && r.Body != http.NoBody {
			r = r.WithContext(r.Context())
			r.Body = &promptBody{r.Body, p}
		} else {
			p.read.Store(true)
		}
		defer p.listen() // for what net/http still reads
		next.ServeHTTP(&promptWriter{w, p}, r)
	})
}

// A prompt gives the client of one request so long for each piece.
type prompt struct {
	conn *conn
	idle time.Duration
	read atomic.Bool // whether all of its body was
}

// listen gives the client so long for the next piece of its request.
func (p *prompt) listen() {
	if !p.read.Load() {
		_ = p.conn.SetReadDeadline(clock.Real().Now().Add(p.idle)) // one that is gone is gone
	}
}

// speak gives the client so long to take a piece of its answer. Before the first
// one, net/http may read what is left of the request.
func (p *prompt) speak() {
	p.listen()
	_ = p.conn.SetWriteDeadline(clock.Real().Now().Add(p.idle)) // one that is gone is gone
}

// A promptBody is a body whose client must not stop.
type promptBody struct {
	io.ReadCloser
	*prompt
}

// Read implements io.Reader.
func (b *promptBody) Read(p []byte) (int, error) {
	b.listen()
	done := b.conn.awaits(clock.Real().Now())
	n, err := b.ReadCloser.Read(p)
	done()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.conn.deafen()
	case err != nil:
		b.read.Store(true)
		fallthrough
	default:
		if !b.conn.deaf.Load() {
			_ = b.conn.SetReadDeadline(time.Time{}) // one that is gone is gone
		}
	}
	return n, err
}

// A promptWriter is an answer whose client must not stop.
type promptWriter struct {
	http.ResponseWriter
	*prompt
}

// Unwrap is for http.ResponseController.
func (w *promptWriter) Unwrap() http.ResponseWriter {
	w.speak() // who unwraps it flushes or takes over
	return w.ResponseWriter
}

// WriteHeader implements http.ResponseWriter.
func (w *promptWriter) WriteHeader(status int) {
	w.speak()
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *promptWriter) Write(p []byte) (int, error) {
	w.speak()
	defer w.conn.awaits(clock.Real().Now())()
	return w.ResponseWriter.Write(p)
}

// ErrTooMany says that a storage has as many open upload sessions as it may.
var ErrTooMany = errors.New("too many upload sessions are open")

// bounds are the limits of a storage. They are set before it is used.
type bounds struct {
	sessions int
	bytes    int64
	counted  int64 // bytes when they were counted last
	since    int64 // bytes added since
}

// Limit bounds how many upload sessions may be open and how many bytes are kept,
// those of open sessions included; 0 is no limit. Begin then fails with
// ErrTooMany, and writing with syscall.ENOSPC.
func (s *Storage) Limit(sessions int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bounds.sessions, s.bounds.bytes = sessions, bytes
}

// crowded reports whether no further session may begin. s.mu is held.
func (s *Storage) crowded() bool {
	if s.bounds.sessions <= 0 {
		return false
	}
	n := 0
	for _, r := range s.repos {
		n += len(r.uploads)
	}
	return n >= s.bounds.sessions
}

// reserve makes room for n more bytes.
//
// Errors: syscall.ENOSPC.
func (s *Storage) reserve(n int) error {
	s.mu.RLock()
	limited := s.bounds.bytes > 0
	s.mu.RUnlock()
	if !limited {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.bounds
	b.since += int64(n)
	if b.counted+b.since <= b.bytes {
		return nil
	}
	b.counted, b.since = s.held(), int64(n) // something may have been removed since
	if b.counted+b.since > b.bytes {
		b.since = 0
		return syscall.ENOSPC
	}
	return nil
}

// held is how many bytes blobs, manifests and sessions have. s.mu is held.
func (s *Storage) held() int64 {
	var n int64
	for _, c := range s.content {
		n += c.size
	}
	for _, r := range s.repos {
		for _, u := range r.uploads {
			n += u.size.Load()
		}
	}
	return n
}

// expects is how many bytes to make room for at once: what a client claims to
// send is not believed beyond twice what it sent.
func (u *Upload) expects(length int64) int64 {
	u.storage.mu.RLock()
	defer u.storage.mu.RUnlock()
	if u.storage.bounds.bytes <= 0 {
		return length
	}
	return min(length, max(firstChunk, 2*u.size.Load()))
}
