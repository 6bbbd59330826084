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
// sends the same method to the same address waits, not only who was told. From the
// first byte of an answer until its head was looked at, nobody passes, and whoever
// passed before has begun by then: a request is either sent before the answer or
// knows what it says. It is safe for concurrent use.
type bestGate struct {
	clock clock.Clock
	turn  func(context.Context) (context.Context, error) // asked before each try; see wire.Recorder.Turn

	mu     sync.Mutex // guards everything below
	after  map[string]time.Time
	judged map[string]*clock.Signal // an answer is being read that may say wait
	absurd map[string]error

	leaving  map[string]int // who passed and has not begun yet
	begun    *sync.Cond     // somebody who passed did, on mu
	arriving map[string]*bestArrivals
}

// bestArrivals are the answers of which a first byte came and whose heads were not
// looked at yet.
type bestArrivals struct {
	n    int
	over *clock.Signal
}

func newBestGate(c clock.Clock, turn func(context.Context) (context.Context, error)) *bestGate {
	g := &bestGate{
		clock: c, turn: turn, after: map[string]time.Time{}, judged: map[string]*clock.Signal{}, absurd: map[string]error{},
		leaving: map[string]int{}, arriving: map[string]*bestArrivals{},
	}
	g.begun = sync.NewCond(&g.mu)
	return g
}

// pass returns when a request may be sent, with the context to send it under. begun
// is called as soon as it is on its way, or will never be; more than once does no
// harm.
//
// Errors: ctx's; that of a registry that wants to be left alone for too long.
func (g *bestGate) pass(ctx context.Context, key string) (own context.Context, begun func(), err error) {
	for {
		if err := ctx.Err(); err != nil {
			return ctx, nil, err
		}
		if ctx, err = g.turn(ctx); err != nil {
			return ctx, nil, err
		}
		g.mu.Lock()
		wait, busy, err := g.after[key].Sub(g.clock.Now()), g.judged[key], g.absurd[key]
		if a := g.arriving[key]; a != nil {
			busy = a.over
		}
		if err == nil && busy == nil && wait <= 0 {
			g.leaving[key]++
			g.mu.Unlock()
			return ctx, sync.OnceFunc(func() { g.begin(key) }), nil
		}
		g.mu.Unlock()
		switch {
		case err != nil:
			return ctx, nil, err
		case busy != nil:
			err = busy.Wait(ctx)
		default:
			err = g.clock.Sleep(ctx, wait)
		}
		if err != nil {
			return ctx, nil, err
		}
	}
}

func (g *bestGate) begin(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.leaving[key]--; g.leaving[key] == 0 {
		delete(g.leaving, key)
		g.begun.Broadcast()
	}
}

// arrival is what a request does when its answer begins to arrive, once, and what
// it does in the end, whether or not one arrived.
func (g *bestGate) arrival(key string) (arrive, depart func()) {
	var mu sync.Mutex // guards arrived and departed
	arrived, departed := false, false
	arrive = func() {
		mu.Lock()
		defer mu.Unlock()
		if !arrived && !departed {
			arrived = true
			g.arrive(key)
		}
	}
	return arrive, func() {
		mu.Lock()
		defer mu.Unlock()
		if arrived && !departed {
			g.depart(key)
		}
		departed = true
	}
}

// arrive closes the gate and waits for those who passed it: they only have to
// begin, which takes no time of the clock.
func (g *bestGate) arrive(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.arriving[key]
	if a == nil {
		a = &bestArrivals{over: clock.NewSignal(g.clock)}
		g.arriving[key] = a
	}
	a.n++
	for g.leaving[key] > 0 {
		g.begun.Wait()
	}
}

func (g *bestGate) depart(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.arriving[key]
	if a.n--; a.n == 0 {
		delete(g.arriving, key)
		a.over.Give()
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
