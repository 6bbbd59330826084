package pusher

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// A bestGate keeps requests back that the registry asked to be kept back: whoever
// sends the same method to the same address waits, not only who was told. It is safe for concurrent use.
type bestGate struct {
	clock clock.Clock

	mu     sync.Mutex // guards everything below
	after  map[string]time.Time
	judged map[string]*clock.Signal // an answer is being read that may say wait
	absurd map[string]error
}

func newBestGate(c clock.Clock) *bestGate {
	return &bestGate{clock: c, after: map[string]time.Time{}, judged: map[string]*clock.Signal{}, absurd: map[string]error{}}
}

// pass returns when a request may be sent.
//
// Errors: ctx's; that of a registry that wants to be left alone for too long.
func (g *bestGate) pass(ctx context.Context, key string) error {
	for {
		g.mu.Lock()
		wait, busy, err := g.after[key].Sub(g.clock.Now()), g.judged[key], g.absurd[key]
		g.mu.Unlock()
		switch {
		case err != nil:
			return err
		case busy != nil:
			err = busy.Wait(ctx)
		case wait > 0:
			err = g.clock.Sleep(ctx, wait)
		default:
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// weigh looks at an answer's head before its body is read; what it returns is
// called with the whole.
func (g *bestGate) weigh(key string, resp *http.Response, now time.Time) func(*answer) {
	if resp.StatusCode < 400 {
		return func(*answer) {}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if wait, ok := retryAfter(resp.Header, now); ok {
		if wait > bestPatience {
			g.absurd[key] = &finalError{fmt.Errorf("%s: the registry answered %d and asks to be left alone for %s, longer than the %s that are waited; push again later",
				key, resp.StatusCode, wait.Round(time.Second), bestPatience)}
		} else if until := now.Add(wait); until.After(g.after[key]) {
			g.after[key] = until
		}
	}
	if g.judged[key] != nil {
		return func(*answer) {}
	}
	s := clock.NewSignal(g.clock)
	g.judged[key] = s
	return func(a *answer) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if a.status < 500 && a.status != http.StatusUnauthorized && a.has(finalCodes...) {
			g.absurd[key] = &finalError{a.err()}
		}
		delete(g.judged, key)
		s.Give()
	}
}
