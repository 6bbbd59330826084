package clock

import (
	"context"
	"slices"
	"sync"
)

// A Limit lets so many workers through at a time, in the order in which they
// came; a limit of one is a lock. It is safe for concurrent use.
type Limit struct {
	clock Clock

	mu      sync.Mutex // guards everything below
	free    int
	waiting []*Place
}

// NewLimit makes a limit of n on c.
func NewLimit(c Clock, n int) *Limit { return &Limit{clock: c, free: n} }

// A Place is one worker's place in the queue before a Limit, and inside.
type Place struct {
	limit *Limit
	ready *Signal
	in    bool // guarded by limit.mu
}

// Queue takes the next place. Whoever takes one calls Leave, whether or not it
// came to be inside. The caller is a worker.
func (l *Limit) Queue() *Place {
	p := &Place{limit: l, ready: NewSignal(l.clock)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free > 0 {
		l.free--
		p.in = true
		p.ready.Give()
		return p
	}
	l.waiting = append(l.waiting, p)
	return p
}

// Inside tells whether the place is inside already.
func (p *Place) Inside() bool {
	p.limit.mu.Lock()
	defer p.limit.mu.Unlock()
	return p.in
}

// Wait returns when the place is inside or ctx ends. The caller is a worker.
//
// Errors: ctx's error when ctx ended first.
func (p *Place) Wait(ctx context.Context) error { return p.ready.Wait(ctx) }

// Leave gives the place up: the next one comes inside. The caller is a worker.
func (p *Place) Leave() {
	l := p.limit
	l.mu.Lock()
	defer l.mu.Unlock()
	if !p.in {
		if i := slices.Index(l.waiting, p); i >= 0 {
			l.waiting = slices.Delete(l.waiting, i, i+1)
		}
		return
	}
	p.in = false
	if len(l.waiting) == 0 {
		l.free++
		return
	}
	next := l.waiting[0]
	l.waiting = l.waiting[1:]
	next.in = true
	next.ready.Give()
}
