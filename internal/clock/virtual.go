package clock

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Epoch is when virtual time begins unless told otherwise: the day on which
// docker 1.8.3 was released.
var Epoch = time.Date(2015, time.October, 12, 12, 0, 0, 0, time.UTC)

// A Virtual clock stands still while anyone works and jumps to the next
// deadline when every party waits on it. Make one with NewVirtual.
type Virtual struct {
	mu      sync.Mutex // guards everything below
	now     time.Time
	working int // parties that are neither asleep nor held
	waits   waitHeap
	order   int // breaks ties between equal deadlines: first come, first served
	links   map[string]*link
	strays  map[string]*wait // holds of links that nobody is the client of, by link
	idle    map[*wait]bool   // of parties that do not work and will when a context ends
}

var _ Clock = (*Virtual)(nil)

// NewVirtual makes a clock that shows start; the zero time means Epoch.
func NewVirtual(start time.Time) *Virtual {
	if start.IsZero() {
		start = Epoch
	}
	return &Virtual{now: start, links: map[string]*link{}, strays: map[string]*wait{}, idle: map[*wait]bool{}}
}

// A link is a connection whose client is a worker of this process.
type link struct {
	hold *wait
	ctx  context.Context // until it ends the client waits; nil is for ever
}

// A wait is one deadline: of a sleeper, of a held exchange or of a context.
type wait struct {
	at      time.Time
	order   int
	index   int  // in the heap; -1 when not in it
	counted bool // whether firing it sets a party to work
	fired   bool
	endless bool   // it has no deadline
	gone    bool   // it was endless, and nobody waits for it any more
	fire    func() // called with mu held; must not block
	ctx     context.Context
	back    bool // ctx ended, and the party counts as working since
}

// Now is the present virtual time.
func (v *Virtual) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// Work implements Clock.
func (v *Virtual) Work() func() { return v.join() }

func (v *Virtual) join() func() {
	v.mu.Lock()
	v.working++
	v.mu.Unlock()
	return sync.OnceFunc(func() {
		v.mu.Lock()
		v.working--
		v.jump()
		v.mu.Unlock()
	})
}

// Sleep implements Clock.
func (v *Virtual) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	v.mu.Lock()
	woken := make(chan struct{})
	w := v.add(d, true, func() { close(woken) })
	w.ctx, v.idle[w] = ctx, true
	v.working--
	v.jump()
	v.mu.Unlock()
	select {
	case <-woken:
	case <-ctx.Done():
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.idle, w)
	if w.fired {
		return nil
	}
	v.remove(w)
	if !w.back {
		v.working++
	}
	return ctx.Err()
}

// Hold implements Clock.
func (v *Virtual) Hold(ctx context.Context, name string, d time.Duration) error {
	if err := ctx.Err(); err != nil || d == 0 {
		return err
	}
	v.mu.Lock()
	l := v.links[name]
	woken := make(chan struct{})
	w := &wait{index: -1, counted: l != nil && l.hold == nil, endless: d < 0, fire: func() { close(woken) }}
	w.ctx, v.idle[w] = ctx, true
	if w.counted {
		l.hold = w
		v.working--
	} else if l == nil {
		v.strays[name] = w
	}
	if d > 0 {
		v.push(w, d)
	}
	v.jump()
	v.mu.Unlock()

	var err error
	select {
	case <-woken:
	case <-ctx.Done():
		err = ctx.Err()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.idle, w)
	if !w.fired {
		v.remove(w)
		if w.counted && !w.back { // still ours to give back; Abandon clears it
			v.working++
		}
	} else if err = nil; w.gone {
		err = context.Canceled
	}
	if l := v.links[name]; l != nil && l.hold == w {
		l.hold = nil
	}
	if v.strays[name] == w {
		delete(v.strays, name)
	}
	return err
}

// Connected implements Clock. A hold of that link that is under way already is
// the client's from now on: the server may have been quicker to begin it, or it
// goes on after the answer and keeps the client's next request waiting.
func (v *Virtual) Connected(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	l := &link{}
	if old := v.links[name]; old != nil {
		l.ctx = old.ctx
	}
	v.links[name] = l
	w := v.strays[name]
	if w == nil || w.fired {
		return
	}
	delete(v.strays, name)
	l.hold, w.counted = w, true
	v.working--
	v.jump()
}

// Held reports whether a Hold of link is under way, so that what is held goes on only
// when time passes or its context ends.
func (v *Virtual) Held(name string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if w := v.strays[name]; w != nil && !w.fired {
		return true
	}
	l := v.links[name]
	return l != nil && l.hold != nil && !l.hold.fired
}

// Awaits implements Clock.
func (v *Virtual) Awaits(ctx context.Context, name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if l := v.links[name]; l != nil {
		l.ctx = ctx
	}
}

// Abandon implements Clock.
func (v *Virtual) Abandon(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.abandon(name)
}

// abandon is Abandon. The caller holds mu.
func (v *Virtual) abandon(name string) {
	l := v.links[name]
	if l == nil {
		return
	}
	delete(v.links, name)
	if w := l.hold; w != nil && w.counted && !w.fired {
		w.counted = false
		if !w.back {
			v.working++
		}
		if w.endless {
			w.fired, w.gone = true, true
			w.fire()
			return
		}
		v.strays[name] = w
	}
}

// Release implements Clock.
func (v *Virtual) Release(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	w := v.strays[name]
	if l := v.links[name]; l != nil && l.hold != nil {
		w = l.hold
	}
	if w == nil || w.fired {
		return
	}
	v.remove(w)
	w.fired = true
	if w.counted && !w.back {
		v.working++
	}
	w.fire()
}

// pause takes a worker out of the accounts. Whoever wakes it joins for it, unless
// ctx ended and it resumes by itself.
func (v *Virtual) pause(ctx context.Context) (resume func(woken bool)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	w := &wait{index: -1, counted: true, ctx: ctx}
	v.idle[w] = true
	v.working--
	v.jump()
	return func(woken bool) {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.idle, w)
		switch {
		case woken && w.back: // two have joined for it
			v.working--
			v.jump()
		case !woken && !w.back:
			v.working++
		}
	}
}

// block waits for done as a worker whose place is taken by the one that closes done.
func (v *Virtual) block(done <-chan struct{}) {
	v.mu.Lock()
	v.working--
	v.jump()
	v.mu.Unlock()
	<-done
}

// add queues a wait that ends d from now. The caller holds mu.
func (v *Virtual) add(d time.Duration, counted bool, fire func()) *wait {
	w := &wait{index: -1, counted: counted, fire: fire}
	v.push(w, d)
	return w
}

func (v *Virtual) push(w *wait, d time.Duration) {
	v.order++
	w.at, w.order = v.now.Add(d), v.order
	heap.Push(&v.waits, w)
}

func (v *Virtual) remove(w *wait) {
	if w.index >= 0 {
		heap.Remove(&v.waits, w.index)
	}
}

// jump moves time to the next deadline for as long as nobody works. The caller
// holds mu.
func (v *Virtual) jump() {
	for v.working <= 0 && !v.recall() && v.waits.Len() > 0 {
		w := heap.Pop(&v.waits).(*wait) //nolint:errcheck,forcetypeassert // the heap holds nothing else
		if w.at.After(v.now) {
			v.now = w.at
		}
		w.fired = true
		if w.counted {
			v.working++
		}
		w.fire()
	}
}

// recall sets those to work whose context has ended, before time passes: they will
// notice, but when is up to the machine. It reports whether there were any. The
// caller holds mu.
func (v *Virtual) recall() bool {
	for w := range v.idle {
		if w.counted && !w.back && !w.fired && w.ctx.Err() != nil {
			v.remove(w)
			w.back = true
			v.working++
		}
	}
	for name, l := range v.links {
		if l.ctx != nil && l.ctx.Err() != nil && l.hold != nil && !l.hold.fired {
			v.abandon(name)
		}
	}
	return v.working > 0
}

// A waitHeap orders waits by deadline, then by age.
type waitHeap []*wait

func (h waitHeap) Len() int { return len(h) }

func (h waitHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].order < h[j].order
}

func (h waitHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *waitHeap) Push(x any) {
	w := x.(*wait) //nolint:errcheck,forcetypeassert // only this file pushes
	w.index = len(*h)
	*h = append(*h, w)
}

// Pop implements heap.Interface.
func (h *waitHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	w.index = -1
	*h = old[:len(old)-1]
	return w
}
