package pusher

import "sync"

// An Event is one thing that a push tells its user, before an era puts it in
// its own words on a stream.
type Event struct {
	ID      string // short layer ID; "" for a line about the whole push
	Status  string // in the era's words: "Pushing", "Image already exists", …
	Current int64  // bytes so far
	Total   int64  // bytes in all; 0 when there are no numbers
	// Action says that the event has a progress object even without numbers
	// (P-041): "Buffering to Disk", "Image successfully pushed".
	Action bool
	Err    error // the error that ends the push; nil otherwise
	Aux    any   // docker 1.10 and later (P-038)
}

// A reporter hands events on one at a time, from whichever goroutine. Nothing is
// handed on after it was closed.
type reporter struct {
	mu     sync.Mutex // held while handle runs
	handle func(Event)
	closed bool
}

func (r *reporter) report(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed && r.handle != nil {
		r.handle(e)
	}
}

func (r *reporter) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}
