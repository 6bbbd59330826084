package wire

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// A Recorder turns traffic into a Trace, at the client's side (Dial and
// Transport) or at the server's side (Handler). It is safe for concurrent use.
// A nil *Recorder is valid: its wrappers return what they were given.
//
// Bodies are measured as they pass (length, sha256, and the head of textual
// ones) and never held. Requests and responses are otherwise left as they are:
// nothing is read ahead, added or retried.
type Recorder struct {
	clock  clock.Clock
	notify func(Exchange)
	before func(context.Context) error // nil lets every request go at once
	start  time.Time

	notifying sync.Mutex // held while notify runs

	mu      sync.Mutex // guards everything below
	keep    int        // how many ended exchanges to keep; 0 keeps all
	seq     int
	open    int                // exchanges under way
	settled chan struct{}      // closed when open falls to 0; nil when nobody waits
	conns   int                // numbers given so far
	records []*record          // in order of Seq
	links   map[string]*conn   // connections that are open, or known by their link only
	pending map[string]*faults // struck on a link that no exchange had used yet
}

// NewRecorder makes a recorder whose times are c's. notify, when not nil, is
// called once for each exchange when it ends, one call at a time, in order of
// ending. It may read the recorder's Trace; it must not make an exchange that
// the same recorder sees, and must not change what it is given.
func NewRecorder(c clock.Clock, notify func(Exchange)) *Recorder {
	return &Recorder{
		clock: c, notify: notify, start: c.Now(),
		links: map[string]*conn{}, pending: map[string]*faults{},
	}
}

// Before makes every request through Transport ask f before its exchange begins; f
// may wait, and its error ends the request. f gets the request's context and is
// called from many goroutines at once. Before is called before the first request.
func (r *Recorder) Before(f func(context.Context) error) {
	if r != nil {
		r.before = f
	}
}

// Turn asks what Before was given, for a client that keeps its requests back itself
// and has to ask first. A request under the context that it returns does not ask
// again.
//
// Errors: those of what Before was given.
func (r *Recorder) Turn(ctx context.Context) (context.Context, error) {
	if r == nil || r.before == nil {
		return ctx, nil
	}
	return context.WithValue(ctx, turnKey{}, true), r.before(ctx)
}

// turnKey marks the context of a request that has asked.
type turnKey struct{}

// askFirst lets a request ask before its exchange begins, unless it did.
func (r *Recorder) askFirst(req *http.Request) error {
	if did, _ := req.Context().Value(turnKey{}).(bool); did || r.before == nil {
		return nil
	}
	err := r.before(req.Context())
	if err != nil && req.Body != nil {
		_ = req.Body.Close() // as the contract of RoundTripper has it
	}
	return err
}

// KeepLast makes the recorder forget all but the last n exchanges that ended,
// for a recorder that lives as long as its process. 0, the default, keeps all.
func (r *Recorder) KeepLast(n int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep = n
	r.trim()
}

// Event notes that the bench itself did something ("restart", "delete layer1").
// It becomes an exchange of OpEvent, which ends at once; see Exchange.Event.
func (r *Recorder) Event(text string) {
	if r == nil {
		return
	}
	rec := &record{e: Exchange{Route: Route{Op: OpEvent}, Request: Request{Target: text}}}
	r.begin(rec)
	rec.end(FailureNone, "")
}

// Trace is what was recorded so far, ordered by Seq, as a copy. An exchange
// that is still under way is in it, with Open set and with what is known of it
// up to now: a stuck push shows where it is stuck.
func (r *Recorder) Trace() Trace {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	records := append([]*record(nil), r.records...)
	r.mu.Unlock()
	t := make(Trace, len(records))
	for i, rec := range records {
		t[i] = rec.snapshot()
	}
	return t
}

// Settle waits until no exchange is under way: a client may have its answer, and
// http.Server.Shutdown may have returned, before a handler does.
//
// Errors: ctx's error when ctx ended first.
func (r *Recorder) Settle(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	if r.open == 0 {
		r.mu.Unlock()
		return nil
	}
	if r.settled == nil {
		r.settled = make(chan struct{})
	}
	settled := r.settled
	r.mu.Unlock()
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Busy reports whether an exchange is under way.
func (r *Recorder) Busy() bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open > 0
}

// ended notes that an exchange is no longer under way.
func (r *Recorder) ended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	if r.open == 0 && r.settled != nil {
		close(r.settled)
		r.settled = nil
	}
}

// begin adds an exchange to the trace. Nobody else has seen rec yet.
func (r *Recorder) begin(rec *record) {
	rec.owner, rec.began = r, r.clock.Now()
	rec.e.At = rec.began.Sub(r.start)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	r.open++
	rec.e.Seq = r.seq
	r.records = append(r.records, rec)
	if r.keep > 0 && len(r.records) >= 2*r.keep {
		r.trim()
	}
}

// trim forgets the oldest ended exchanges beyond keep. The caller holds mu.
func (r *Recorder) trim() {
	excess := len(r.records) - r.keep
	if r.keep <= 0 || excess <= 0 {
		return
	}
	kept := make([]*record, 0, 2*r.keep)
	for _, rec := range r.records {
		if excess > 0 && rec.isEnded() {
			excess--
			continue
		}
		kept = append(kept, rec)
	}
	r.records = kept
}

// tell hands an ended exchange to notify.
func (r *Recorder) tell(e Exchange) {
	r.notifying.Lock()
	defer r.notifying.Unlock()
	r.notify(e)
}
