package fakeregistry

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A strike is one time that a fault takes hold of one request, or of an event.
// Effects find theirs with strikeOf. Its methods work on nil, for an effect that
// is used without a server: then the clock is the real one and nothing counts.
type strike struct {
	in     *injector
	rule   *rule
	tally  *tally
	firing *firing
	draw   uint64
	route  wire.Route
	link   string
	again  bool // see decision

	told   atomic.Bool  // whether took or missed was called
	broke  wire.Failure // how the effect broke the connection
	undone bool         // whether it did so before the registry had all that it was sent
}

type strikeKey struct{}

// strikeOf finds the strike that a request is under; nil when there is none.
func strikeOf(r *http.Request) *strike {
	s, _ := r.Context().Value(strikeKey{}).(*strike)
	return s
}

// struck is a handler with a fault in front of it.
type struck struct {
	hit
	next http.Handler
}

// ServeHTTP implements http.Handler. Of an effect that has not said whether it
// took hold when the request is aborted, it did so if it aborted it itself.
func (x struck) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(context.WithValue(r.Context(), strikeKey{}, x.strike))
	within, returned := false, false // next is running; the effect returned
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		within = true
		x.next.ServeHTTP(w, r)
		within = false
	})
	defer func() {
		switch {
		case returned:
		case within:
			x.strike.missed()
		default:
			x.strike.took(r.Context())
		}
	}()
	x.effect.Disturb(w, r, next)
	returned = true
}

// took says that the fault has something to disturb, as soon as that is known.
// The engine says so of a fault that says neither took nor missed.
func (s *strike) took(ctx context.Context) {
	if s == nil || !s.told.CompareAndSwap(false, true) {
		return
	}
	wire.MarkFault(ctx, s.firing.Fault)
	s.announce()
}

// announce tells the log and the triggers that the fault struck.
func (s *strike) announce() {
	name := s.firing.Fault
	s.in.mu.Lock()
	for _, r := range *s.in.rules.Load() {
		r.reached(name)
	}
	s.in.mu.Unlock()
	s.in.bench.log.Info("fault struck", slog.String("fault", name), slog.String("op", string(s.route.Op)),
		slog.String("repository", s.route.Repository), slog.String("digest", s.route.Digest.String()))
}

// answered tells the triggers of an answer that does not pass net/http, before it
// is sent.
func (s *strike) answered(status int) {
	if s == nil {
		return
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	for _, r := range *s.in.rules.Load() {
		r.passed(wire.Exchange{Route: s.route, Response: wire.Response{Status: status}})
	}
}

// missed says that the fault found nothing to disturb: it did not strike, and a
// trigger that counts firings does not count this one.
func (s *strike) missed() {
	if s == nil || !s.told.CompareAndSwap(false, true) {
		return
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.firing.void = true
	s.rule.fired--
	if !s.again {
		s.tally.struck--
	}
}

// persist makes the fault strike every matching request of its scope for the
// next d, whatever its trigger says.
func (s *strike) persist(d time.Duration) {
	if s == nil {
		return
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.tally.forced = s.in.bench.clock.Now().Add(d)
}

// note keeps a number for the fault, under a key, between requests.
func (s *strike) note(key string, change func(*int64)) {
	if s == nil {
		var n int64
		change(&n)
		return
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	n, _ := s.rule.notes.get(key)
	change(&n)
	s.rule.notes.put(key, n)
}

// keep keeps a text for the fault, under a key, between requests.
func (s *strike) keep(key, text string) {
	if s == nil {
		return
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.rule.texts.put(key, text)
}

// kept is what was kept under a key; "" when nothing was.
func (s *strike) kept(key string) string {
	if s == nil {
		return ""
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	text, _ := s.rule.texts.get(key)
	return text
}

// goesOn says that the fault strikes because of persist.
func (s *strike) goesOn() bool { return s != nil && s.again }

// cutShort says that the registry did not get all that it was sent.
func (s *strike) cutShort() {
	if s != nil {
		s.undone = true
	}
}

// received is how many bytes of bodies the registry took so far.
func (s *strike) received() int64 {
	if s == nil {
		return 0
	}
	return s.in.received.Load()
}

// rand is the firing's own chance.
func (s *strike) rand() *rand.Rand {
	if s == nil {
		return rand.New(rand.NewPCG(1, 1)) //nolint:gosec // chance that must repeat
	}
	return rand.New(rand.NewPCG(s.draw, s.in.bench.seed)) //nolint:gosec // chance that must repeat
}

// bench is the server that the strike belongs to, as far as effects may touch it.
func (s *strike) server() *bench {
	if s == nil {
		return &bench{clock: clock.Real()}
	}
	return s.in.bench
}

// hold lets d pass on the server's clock while the client waits; d < 0 waits
// until the client or the server gives up. The error is the context's.
func (s *strike) hold(r *http.Request, d time.Duration) error {
	if d == 0 {
		return nil
	}
	s.took(r.Context())
	return s.server().clock.Hold(r.Context(), r.RemoteAddr, d)
}

// dialling is wire.Dialling, for a dial that also ends when the server does, or when
// the client's own limit on it does. That the dial is cancelled is no such end:
// net/http does so, sooner or later, once the request is over.
func (s *strike) dialling(ctx context.Context) (own context.Context, link string, done func()) {
	requested, link, end := wire.Dialling(ctx)
	own, cancel := context.WithCancel(context.WithValue(requested, lineKey{}, ctx.Value(lineKey{})))
	limited := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancel()
		}
	})
	stop := func() bool { return true }
	if closed := s.server().done; closed != nil {
		stop = context.AfterFunc(untilDone{closed}, cancel)
	}
	return own, link, func() {
		limited()
		stop()
		cancel()
		end()
	}
}

// delay lets d pass while a client of this process opens a connection.
//
// Errors: the context's of the request, or of the dial where there is none.
func (s *strike) delay(ctx context.Context, d time.Duration) error {
	s.took(ctx)
	own, link, done := s.dialling(ctx)
	defer done()
	return s.server().clock.Hold(own, link, d)
}

// Hold waits on the clock of the server that r came to, on behalf of the client,
// which waits for its answer: it is how an Effect of one's own delays. d < 0
// waits until the client or the server gives up.
//
// Errors: the request's context's, when it ended first.
func Hold(r *http.Request, d time.Duration) error { return strikeOf(r).hold(r, d) }
