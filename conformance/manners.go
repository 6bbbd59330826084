package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// errBudget says that a run has sent what it may. It is no fault of the registry.
var errBudget = errors.New("the run has sent what it may")

// manners keep a run within what its user allows, and out of a registry's way when
// that says so. They are shared by all probes of a run.
type manners struct {
	clock       clock.Clock
	maxRequests int64
	maxBytes    int64
	pause       time.Duration // between the beginnings of two requests; 0 is none

	mu       sync.Mutex // guards everything below
	requests int64
	bytes    int64 // of bodies, both ways
	next     time.Time
}

// take waits until one more request with a body of so many bytes may be sent.
//
// Errors: errBudget when it may not; ctx's.
func (m *manners) take(ctx context.Context, size int64) error {
	m.mu.Lock()
	if m.maxRequests > 0 && m.requests >= m.maxRequests {
		m.mu.Unlock()
		return fmt.Errorf("%w: %d requests", errBudget, m.maxRequests)
	}
	if m.maxBytes > 0 && m.bytes+size > m.maxBytes {
		m.mu.Unlock()
		return fmt.Errorf("%w: %d bytes", errBudget, m.maxBytes)
	}
	m.requests++
	m.bytes += size
	var wait time.Duration
	if m.pause > 0 {
		now := m.clock.Now()
		if m.next.Before(now) {
			m.next = now
		}
		wait = m.next.Sub(now)
		m.next = m.next.Add(m.pause)
	}
	m.mu.Unlock()
	if wait > 0 {
		return m.clock.Sleep(ctx, wait)
	}
	return ctx.Err()
}

// took counts what came back.
func (m *manners) took(size int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes += size
}

// spent is what the run has sent so far.
func (m *manners) spent() (requests, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.requests, m.bytes
}

// longestRetry is how long a registry can make the run wait for one request.
const longestRetry = 10 * time.Second

// retryAfter is how long an answer of 429 wants one to wait: as it says, or a
// little longer each time.
func (p *Probe) retryAfter(a *answer, try int) time.Duration {
	said := a.header.Get("Retry-After")
	if seconds, err := strconv.Atoi(said); err == nil && seconds >= 0 {
		return min(time.Duration(seconds)*time.Second, longestRetry)
	}
	if at, err := http.ParseTime(said); err == nil {
		return min(max(at.Sub(p.clock.Now()), 0), longestRetry)
	}
	return 50 * time.Millisecond << try
}
