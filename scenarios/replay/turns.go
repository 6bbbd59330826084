package replay

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// turns are the order in which several scripts of one step answer: that in which the
// recorded requests began. An answer that let something begin came before what it let
// begin, so whoever keeps to that order never waits for himself; and a client that gets
// its answers one by one decides each time what the recorded one decided: which layer
// gets a place that became free, and what is known of it by then.
type turns struct {
	mu    sync.Mutex // guards order
	order []int      // numbers of exchanges that are not answered yet
}

// A turn is where one exchange stands.
type turn struct {
	seq   int
	after int // it comes behind this one; its own number unless it told too much too early
}

func newTurns(list []turn) *turns {
	slices.SortStableFunc(list, func(a, b turn) int {
		return cmp.Or(cmp.Compare(a.after, b.after), cmp.Compare(b.seq, a.seq)) // what waits has the lower number
	})
	t := &turns{}
	for _, one := range list {
		t.order = append(t.order, one.seq)
	}
	return t
}

// The times of turns: how often one looks whether his has come, and after which time,
// longer than any docker waits before it tries again, a request that was recorded and
// does not come is not waited for any more.
const (
	turnStep  = 10 * time.Millisecond
	turnLimit = 25 * time.Second
)

// wait waits until everything before an exchange is answered, and for a moment in which
// the client does what it can do with that. Its own turn ends with leave.
//
// Errors: ctx's; context.Canceled of a client that gave up.
func (t *turns) wait(ctx context.Context, c clock.Clock, link string, seq int) error {
	waited, head := time.Duration(0), -1
	for {
		if err := c.Hold(ctx, link, turnStep); err != nil {
			return err
		}
		first := t.first()
		if first == seq || first < 0 || !t.waiting(seq) {
			return nil
		}
		if first != head { // somebody had his turn
			waited, head = 0, first
			continue
		}
		if waited += turnStep; waited > turnLimit {
			t.leave(first)
		}
	}
}

// first is whose turn it is; -1 when all have had theirs.
func (t *turns) first() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.order) == 0 {
		return -1
	}
	return t.order[0]
}

func (t *turns) waiting(seq int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.order, seq)
}

func (t *turns) leave(seq int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.order = slices.DeleteFunc(t.order, func(s int) bool { return s == seq })
}

// turnsOf puts the exchanges of all sides in order, the sides as they queued their
// layers. places are how many layers are under way at once.
func turnsOf(sides []*side, places int) *turns {
	var list []turn
	for _, s := range sides {
		for _, e := range s.step.Exchanges {
			if e.Event == "" {
				list = append(list, turn{e.Seq, e.Seq})
			}
		}
	}
	o := ordering{sides: sides, list: list}
	o.ignorance()
	o.knowledge(places)
	return newTurns(list)
}

// An ordering is how the order of answers is found.
type ordering struct {
	sides []*side
	list  []turn
}

func (o ordering) at(seq int) *turn {
	return &o.list[slices.IndexFunc(o.list, func(t turn) bool { return t.seq == seq })]
}

// ignorance puts an answer after which a layer is known to be on the registry behind
// what another side began of that layer without knowing.
func (o ordering) ignorance() {
	for _, s := range o.sides {
		for _, other := range o.sides {
			for _, layer := range s.told.order {
				end, first := s.end(layer), other.start(layer)
				if known := other.course.known[layer]; other != s && end > 0 && first > 0 && known != nil && !*known {
					o.at(end).after = max(o.at(end).after, first)
				}
			}
		}
	}
}

// knowledge has a layer that one side knew of through another one come to its place not
// before: it gets that of a layer which has ended, so those that end in between end
// after the one that told.
func (o ordering) knowledge(places int) {
	var ends []turn
	for _, s := range o.sides {
		for _, layer := range s.told.order {
			if end := s.end(layer); end > 0 {
				ends = append(ends, *o.at(end))
			}
		}
	}
	slices.SortFunc(ends, func(a, b turn) int { return cmp.Or(cmp.Compare(a.after, b.after), cmp.Compare(b.seq, a.seq)) })
	n := 0
	for _, s := range o.sides {
		for _, layer := range s.told.order {
			place := n - places
			n++
			teller := s.teller(layer, o.sides)
			if teller == nil || place < 0 {
				continue
			}
			told := slices.IndexFunc(ends, func(t turn) bool { return t.seq == teller.end(layer) })
			for i := place; i < told; i++ {
				one := o.at(ends[i].seq)
				one.after = max(one.after, ends[told].after)
			}
		}
	}
}

// end is the number of the last exchange of a layer, after which it is known; 0 for none.
func (s *side) end(layer string) int {
	own := s.course.of(layer)
	if len(own) == 0 {
		return 0
	}
	return s.step.Exchanges[own[len(own)-1]].Seq
}

// start is the number of the first exchange of a layer; 0 for none.
func (s *side) start(layer string) int {
	own := s.course.of(layer)
	if len(own) == 0 {
		return 0
	}
	return s.step.Exchanges[own[0]].Seq
}

// settle gives each body the first session that is left of those which any layer may have
// opened: so it can be sent by the time that it was.
func (c *courses) settle() {
	opened := c.of(ownerAny)
	for i, e := range c.step.Exchanges {
		if e.Method != "PATCH" || len(opened) == 0 || opened[0] > i {
			continue
		}
		if n := len(c.before(i)); n > 0 && c.step.Exchanges[c.before(i)[n-1]].Method == "POST" {
			continue // it has one
		}
		c.owner[opened[0]], opened = c.owner[i], opened[1:]
	}
}

// before are the exchanges before one that have the same owner.
func (c *courses) before(i int) []int {
	own := c.of(c.owner[i])
	return own[:slices.Index(own, i)]
}

// repositoryOf is the repository that an exchange is about; "" for a ping.
func repositoryOf(e recording.Exchange) string {
	if e.Event != "" {
		return ""
	}
	r := routeOf(e.Method, e.Path)
	if r.Op == wire.OpToken || r.Repository == "" {
		return scopeOf(e.Path)
	}
	return r.Repository
}
