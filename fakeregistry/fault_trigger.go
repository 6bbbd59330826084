package fakeregistry

import (
	"hash/fnv"
	"strconv"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A rule is a fault in force, with its counts. The injector's mu guards what is
// below the blank line.
type rule struct {
	Fault
	index   int
	match   matcher
	event   string // the event at which it strikes; "" for requests
	after   moment
	until   moment
	removed bool // whether Inject's remove was called

	begun, ended bool // whether after and until were seen
	tallies      recent[string, *tally]
	draws        recent[string, uint64] // occurrences by operation and digest
	counts       map[occasion]int       // requests that it selected, or that a member of any-of did, of any content
	digests      recent[occasion, int]  // likewise, of one content each
	fired        int                    // firings that were not taken back
	notes        recent[string, int64]  // what the effect remembers
	texts        recent[string, string] // likewise
}

// A tally counts in one scope of a rule.
type tally struct {
	seen   int       // matching requests
	struck int       // firings that were not taken back
	owed   bool      // it was due, but another fault came first
	forced time.Time // until then it strikes every time, whatever the trigger says
}

// A moment is an operation or event that a trigger waits for. The zero moment
// is none.
type moment struct {
	pattern wire.Pattern
	event   string
}

func newMoment(s string) moment {
	if s == "" {
		return moment{}
	}
	m := moment{event: s}
	if p, err := wire.ParsePattern(s); err == nil {
		m.pattern = p
	}
	return m
}

func (m moment) some() bool { return m.event != "" }

// reached notes that an event was seen. The injector's mu is held.
func (r *rule) reached(event string) {
	r.begun = r.begun || r.after.event == event
	r.ended = r.ended || r.until.some() && r.until.event == event
}

// passed notes that a request has ended. The injector's mu is held.
func (r *rule) passed(e wire.Exchange) {
	r.begun = r.begun || r.after.pattern.Match(e)
	r.ended = r.ended || r.until.pattern.Match(e)
}

// A decision is what a rule says to one request that it matches.
type decision struct {
	strike bool
	again  bool // it strikes because it was told to go on, not because it is due
	tally  *tally
	draw   uint64 // the firing's own chance
}

// decide counts a matching request and says whether the rule strikes it. taken
// says that another fault of its class came first. The injector's mu is held.
func (r *rule) decide(scope, key string, seed uint64, now time.Time, taken func(draw uint64) bool) decision {
	if r.removed || r.ended || r.after.some() && !r.begun {
		return decision{}
	}
	t, _ := r.tallies.get(scope)
	if t == nil {
		t = &tally{}
		r.tallies.put(scope, t)
	}
	t.seen++
	drawn, _ := r.draws.get(key)
	r.draws.put(key, drawn+1)
	d := decision{tally: t, draw: chance(seed, r.index, key, drawn+1)}
	if now.Before(t.forced) {
		d.strike = !taken(d.draw)
		d.again = true
		return d
	}
	w := r.When
	if w.Times > 0 && t.struck >= w.Times {
		return d
	}
	due := t.owed || (w.Nth == 0 || t.seen == w.Nth) && (w.Every == 0 || t.seen%w.Every == 0)
	if !due || w.Chance > 0 && fraction(d.draw) >= w.Chance {
		return d
	}
	if taken(d.draw) {
		t.owed = w.Nth > 0 || w.Every > 0
		return d
	}
	t.owed = false
	t.struck++
	d.strike = true
	return d
}

// scope is where a trigger counts.
func (r *rule) scope(q *query) string {
	switch r.When.Per {
	case "connection":
		return q.link
	case "digest":
		return q.digest().String()
	case "repository":
		return q.route.Repository
	}
	return ""
}

// chance draws from the stream of one fault, operation and digest: a function of
// the seed and of how many requests of that operation and digest the fault saw,
// so that neither other faults nor the order of parallel layers move it.
func chance(seed uint64, index int, key string, occurrence uint64) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(strconv.AppendInt(nil, int64(index), 10))
	_, _ = h.Write([]byte("/" + key))
	return mix(mix(seed) ^ mix(h.Sum64()+occurrence))
}

// fraction maps a draw to [0, 1).
func fraction(draw uint64) float64 { return float64(mix(draw)>>11) / (1 << 53) }
