package fakeregistry

import (
	"net/http"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// A lull is what is known of how long a connection has asked for nothing. The
// server's mutex guards it.
type lull struct {
	requests int    // whose header is complete and whose answer is not
	since    uint64 // the turn at which it was accepted, or its last request ended
}

// attentive gives next requests that are counted by connection, where connections
// are limited.
func (s *Server) attentive(next http.Handler) http.Handler {
	if s.limits.Connections <= 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connOf(r.Context()); c != nil {
			s.asks(c, 1)
			defer s.asks(c, -1)
		}
		next.ServeHTTP(w, r)
	})
}

// asks notes that a request of a connection began or ended.
func (s *Server) asks(c *conn, change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.lull.requests += change
	s.turn++
	c.lull.since = s.turn
}

// enter counts a connection that was accepted. Where there are as many as there may
// be, the one that has been silent longest makes way for it.
func (s *Server) enter(c *conn) (entered, closed bool) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return false, true
	}
	var gone *conn
	if s.limits.Connections > 0 && len(s.conns) >= s.limits.Connections {
		if gone = s.mostSilent(); gone == nil {
			s.mu.Unlock()
			return false, false
		}
		delete(s.conns, gone)
	}
	s.turn++
	c.lull.since = s.turn
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	if gone != nil {
		gone.reset()
	}
	return true, false
}

// mostSilent is the connection that has been without a complete header longest;
// where each has one, the one whose client has been waited for longest, and for a
// twelfth of Limits.Idle at least. nil when there is none. s.mu is held.
func (s *Server) mostSilent() *conn {
	var silent, slow *conn
	late := clock.Real().Now().Add(-s.limits.Idle / 12).UnixNano()
	for c := range s.conns {
		awaited := c.awaited.Load()
		switch {
		case c.lull.requests == 0:
			if silent == nil || c.lull.since < silent.lull.since {
				silent = c
			}
		case awaited == 0, awaited > late:
		case slow == nil, awaited < slow.awaited.Load():
			slow = c
		}
	}
	if silent == nil {
		return slow
	}
	return silent
}

// awaits notes that the server waits for the client, to send a piece or to take one,
// until done is called.
func (c *conn) awaits(now time.Time) (done func()) {
	c.awaited.Store(now.UnixNano())
	return func() { c.awaited.Store(0) }
}
