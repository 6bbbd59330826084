package clock

import (
	"context"
	"sync"
)

// A Signal is given once. Workers wait for it with the accounts of virtual time
// kept. It is safe for concurrent use.
type Signal struct {
	clock Clock

	mu      sync.Mutex // guards everything below
	given   bool
	waiting map[chan struct{}]bool // closed when it is given
}

// NewSignal makes a signal on c.
func NewSignal(c Clock) *Signal { return &Signal{clock: c, waiting: map[chan struct{}]bool{}} }

// Give wakes everybody who waits, and whoever will wait. The caller is a worker.
// Only the first call does anything.
func (s *Signal) Give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.given {
		return
	}
	s.given = true
	for woken := range s.waiting {
		s.clock.join() // on behalf of who wakes, so that time cannot slip between the two
		close(woken)
	}
	clear(s.waiting)
}

// Wait returns when the signal is given or ctx ends. The caller is a worker.
//
// Errors: ctx's error when ctx ended first.
func (s *Signal) Wait(ctx context.Context) error {
	s.mu.Lock()
	if s.given {
		s.mu.Unlock()
		return nil
	}
	if err := ctx.Err(); err != nil {
		s.mu.Unlock()
		return err
	}
	woken := make(chan struct{})
	s.waiting[woken] = true
	s.mu.Unlock()
	resume := s.clock.pause(ctx)
	select {
	case <-woken:
		resume(true)
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	resume(s.given)
	if s.given {
		return nil
	}
	delete(s.waiting, woken)
	return ctx.Err()
}
