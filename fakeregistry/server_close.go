package fakeregistry

import (
	"context"
	"errors"
	"time"
)

// Close stops the server, ends every connection and waits for every goroutine,
// then closes the registry. It may be called more than once.
//
// Errors: the registry's.
func (s *Server) Close() error {
	s.closing.Do(func() {
		close(s.done)
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.hangUp()
		_ = s.http.Close() // the listeners' error means that they are closed
		s.serving.Wait()
		s.failure = s.registry.Close()
	})
	return s.failure
}

// hangUp ends every connection.
func (s *Server) hangUp() {
	s.mu.Lock()
	open := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // the other end may have been first
	}
}

// Restart is what a registry's process does that stops and comes back after
// down: every connection ends, upload sessions and tokens are forgotten, and
// until it is back connections are refused. On a virtual clock only Dial can
// refuse them; whoever comes past it is reset.
func (s *Server) Restart(down time.Duration) {
	s.mu.Lock()
	s.downUntil = s.bench.clock.Now().Add(down)
	s.mu.Unlock()
	if s.real() && down > 0 {
		s.gate.shutFor(down)
		if s.tokens != nil {
			s.tokens.shutFor(down)
		}
	}
	if s.bench.storage != nil {
		s.bench.storage.DropUploads("")
	}
	for _, part := range []any{s.registry, s.bench.guard} {
		if r, ok := part.(interface{ Restart() }); ok {
			r.Restart()
		}
	}
	s.hangUp()
}

// later calls do when d has passed on the server's clock, unless the server is
// closed before. d < 0 is never. It is called while a request is under way.
func (s *Server) later(d time.Duration, do func()) {
	switch {
	case d < 0:
		return
	case d == 0:
		do()
		return
	}
	ctx, cancel := s.bench.clock.WithTimeout(untilDone{s.done}, d)
	s.serving.Go(func() {
		defer cancel()
		<-ctx.Done()
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			do()
		}
	})
}

// down reports whether the server is restarting.
func (s *Server) down() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.downUntil.IsZero() && s.bench.clock.Now().Before(s.downUntil)
}
