package fakeregistry

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// An injector decides which faults strike, and lets them. It knows nothing of
// any particular fault.
type injector struct {
	bench    *bench
	rules    atomic.Pointer[[]*rule] // in order of precedence; never changed in place
	received atomic.Int64            // bytes of bodies that the registry took

	mu      sync.Mutex // guards the counts of the rules and everything below
	firings []*firing
	keep    int                              // how many firings at least are remembered; 0 is all
	known   int                              // faults so far: the next one's index
	written recent[digest.Digest, time.Time] // when a blob was committed last, while a fault wants to know
}

// A firing is a Firing under way.
type firing struct {
	Firing
	void bool // it found nothing to disturb
}

// A placed effect takes hold elsewhere than where its fault was written.
type placed interface {
	// places returns where: operations, or the name of an event.
	places(written []wire.Pattern) (ops []wire.Pattern, event string)
}

// A happening effect can strike without a request.
type happening interface {
	happen(s *strike)
}

func newInjector(b *bench, faults []Fault) (*injector, error) {
	in := &injector{bench: b}
	in.rules.Store(&[]*rule{})
	if _, err := in.add(faults, false); err != nil {
		return nil, err
	}
	return in, nil
}

// add puts faults in force, behind those that are, or in front of them.
func (in *injector) add(faults []Fault, front bool) ([]*rule, error) {
	fresh := make([]*rule, len(faults))
	var errs []error
	for i, f := range faults {
		r, err := newRule(f)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.label(), err))
			continue
		}
		fresh[i] = r
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, r := range fresh {
		r.index = in.known
		in.known++
	}
	old := *in.rules.Load()
	var list []*rule
	if front {
		list = slices.Concat(fresh, old)
	} else {
		list = slices.Concat(old, fresh)
	}
	in.rules.Store(&list)
	return fresh, nil
}

// remove ends rules. Their firings stay in Fired and Idle.
func (in *injector) remove(rules []*rule) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, r := range rules {
		r.removed = true
	}
}

func (f Fault) label() string {
	if f.Source != "" {
		return f.Source + ": fault " + f.Name
	}
	return "fault " + f.Name
}

func newRule(f Fault) (*rule, error) {
	if f.Effect == nil {
		return nil, errors.New("it has no effect")
	}
	r := &rule{
		Fault: f,
		after: newMoment(f.When.AfterEvent), until: newMoment(f.When.Until),
	}
	if p, ok := f.Effect.(placed); ok {
		r.On.Ops, r.event = p.places(f.On.Ops)
	}
	if x, ok := f.Effect.(interface{ selects(m *Match) }); ok {
		x.selects(&r.On)
	}
	if connecting(f.Effect) && !opensConnections(&r.On) {
		return nil, errors.New("it strikes connections; want connect as its place")
	}
	m, err := newMatcher(r.On)
	if err != nil {
		return nil, err
	}
	r.match = m
	if err := f.When.check(); err != nil {
		return nil, err
	}
	if _, ok := f.Effect.(happening); !ok && (r.event != "" || matchAny(r.On.Ops, wire.OpEvent)) {
		return nil, errors.New("it strikes requests, not events")
	}
	return r, nil
}

// A hit is a rule that strikes a request.
type hit struct {
	rule   *rule
	effect Effect
	strike *strike
}

// Wrap returns next behind the faults.
func (in *injector) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rules := *in.rules.Load()
		if len(rules) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		in.serve(w, r, next, rules)
	})
}

func (in *injector) serve(w http.ResponseWriter, r *http.Request, next http.Handler, rules []*rule) {
	if in.bench.skew.Load() != 0 {
		w.Header().Set("Date", in.bench.now().UTC().Format(http.TimeFormat))
	}
	q := in.bench.query(r)
	watch := &statusWriter{ResponseWriter: w}
	hits := in.choose(q, rules)
	done := &doneHandler{next: next, method: r.Method, received: &in.received}
	h := http.Handler(done)
	if slices.ContainsFunc(rules, func(x *rule) bool { return x.match.maybe(q.route.Op) && x.match.request(q) }) {
		h = in.late(q, rules, &hits, h)
	}
	h = disturbed(h, hits)
	returned := false
	defer func() { in.settle(q, watch, hits, done.did, returned) }()
	h.ServeHTTP(watch, r)
	returned = true
}

// inward is the order in which classes take hold, from the registry to the wire.
var inward = [...]Class{ClassAnswer, ClassBeside, ClassBreak, ClassPace}

// disturbed is next behind faults, the first of a class outermost.
func disturbed(next http.Handler, hits []hit) http.Handler {
	for _, class := range inward {
		for _, x := range slices.Backward(hits) {
			if classOf(x.effect) == class {
				next = struck{x, next}
			}
		}
	}
	return next
}

func classOf(e Effect) Class {
	if c, ok := e.(Classed); ok {
		return c.Class()
	}
	return ClassAnswer
}

// choose counts a request for every rule that selects it before it is answered.
func (in *injector) choose(q *query, rules []*rule) []hit {
	var hits []hit
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, r := range rules {
		if r.event == "" && r.match.op(q.route.Op) && r.match.request(q) && in.suits(r.Effect, q) {
			hits = in.ask(r, q, hits)
		}
	}
	return hits
}

// A picky effect has nothing to disturb at some of the requests that its fault
// selects, and knows before they are answered: they do not count.
type picky interface {
	suits(q *query) bool
}

// suits reports whether an effect has anything to do at a request. What strikes
// the connections of a token service with a host of its own does not strike its
// requests again.
func (in *injector) suits(e Effect, q *query) bool {
	if p, ok := e.(picky); ok && !p.suits(q) {
		return false
	}
	return !(in.bench.ownTokens && connecting(e))
}

// ask lets one rule decide. in.mu is held.
func (in *injector) ask(r *rule, q *query, hits []hit) []hit {
	effect := r.Effect
	now := in.bench.clock.Now()
	r.count(q)
	d := r.decide(r.scope(q), string(q.route.Op)+" "+q.digest().String(), in.bench.seed, now, func(draw uint64) bool {
		if c, ok := effect.(chooser); ok {
			if effect = c.pick(q, draw); effect == nil {
				return true
			}
		}
		class := classOf(effect)
		exclusive := class == ClassAnswer || class == ClassBreak
		return exclusive && slices.ContainsFunc(hits, func(h hit) bool { return classOf(h.effect) == class })
	})
	if !d.strike {
		return hits
	}
	s := &strike{in: in, rule: r, tally: d.tally, draw: mix(d.draw + 1), route: q.route, link: q.link, again: d.again}
	name := faultName(r, effect)
	s.firing = &firing{Firing: Firing{
		Fault: name, Index: r.index, Op: q.route.Op, Link: q.link, At: now, Digest: q.digest(), Nth: r.nth(name, q), Again: d.again,
	}}
	if in.keep > 0 && len(in.firings) >= 2*in.keep {
		in.firings = append(in.firings[:0:0], in.firings[len(in.firings)-in.keep:]...)
	}
	in.firings = append(in.firings, s.firing)
	r.fired++
	return append(hits, hit{rule: r, effect: effect, strike: s})
}

// settle is called when a request has ended.
func (in *injector) settle(q *query, w *statusWriter, hits []hit, did, returned bool) {
	in.bench.used(q.r, returned)
	e := wire.Exchange{Route: q.route, Response: wire.Response{Status: w.status}}
	if !returned {
		e.Response.Status, e.Failure = 0, wire.FailureClosed
	}
	in.mu.Lock()
	for _, h := range hits {
		h.strike.firing.Done = did && !h.strike.undone
		if h.strike.broke != wire.FailureNone {
			e.Failure = h.strike.broke
		}
	}
	for _, r := range *in.rules.Load() {
		r.passed(e)
		in.remember(r, q, did)
	}
	in.mu.Unlock()
	for _, h := range hits {
		if !h.strike.firing.void {
			h.strike.took(q.r.Context())
		}
	}
}

// remember notes when a blob was committed, for a fault that wants to know. in.mu
// is held.
func (in *injector) remember(r *rule, q *query, did bool) {
	if _, ok := r.Effect.(remembering); !ok || !did || q.route.Op != wire.OpUploadPut && q.route.Op != wire.OpUploadMount {
		return
	}
	in.written.put(q.route.Digest, in.bench.clock.Now())
}

// happen tells the rules of an event, and strikes with those that wait for it.
func (in *injector) happen(name string) {
	q := &query{route: wire.Route{Op: wire.OpEvent}}
	var hits []hit
	in.mu.Lock()
	for _, r := range *in.rules.Load() {
		r.reached(name)
		if r.event == name || r.event == "" && matchAny(r.match.early, wire.OpEvent) {
			hits = in.ask(r, q, hits)
		}
	}
	in.mu.Unlock()
	for _, h := range hits {
		h.effect.(happening).happen(h.strike) //nolint:errcheck,forcetypeassert // newRule saw to it
		h.strike.announce()
	}
}

// fired lists the firings so far.
func (in *injector) fired() []Firing {
	in.mu.Lock()
	defer in.mu.Unlock()
	list := make([]Firing, 0, len(in.firings))
	for _, f := range in.firings {
		if !f.void {
			list = append(list, f.Firing)
		}
	}
	return list
}

// idle names the faults that should have fired and did not, in order.
func (in *injector) idle() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	rules := slices.Clone(*in.rules.Load())
	slices.SortFunc(rules, func(a, b *rule) int { return a.index - b.index })
	var names []string
	for _, r := range rules {
		if r.fired == 0 && !r.When.Optional {
			names = append(names, r.Name)
		}
	}
	return names
}

// struck counts how often each fault struck, by its index.
func (in *injector) struck() []int {
	in.mu.Lock()
	defer in.mu.Unlock()
	counts := make([]int, in.known)
	for _, r := range *in.rules.Load() {
		counts[r.index] = r.fired
	}
	return counts
}

// faultName is the name of the fault that struck.
func faultName(r *rule, e Effect) string {
	if n, ok := e.(interface{ faultName() string }); ok {
		return n.faultName()
	}
	return strings.Clone(r.Name)
}
