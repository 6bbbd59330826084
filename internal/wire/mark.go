package wire

import (
	"context"
	"net/http"
	"strings"
)

// faults are the names of those that struck an exchange, in order, each once.
type faults struct{ names []string }

func (f *faults) add(name string) {
	for _, n := range f.names {
		if n == name {
			return
		}
	}
	f.names = append(f.names, name)
}

// String joins the names with commas.
func (f *faults) String() string { return strings.Join(f.names, ",") }

// recordKey and attemptKey find the exchange under way in a request's context:
// a *record at the server's side, an *attempt at the client's.
type (
	recordKey  struct{}
	attemptKey struct{}
)

func recordOf(ctx context.Context) *record {
	if rec, ok := ctx.Value(recordKey{}).(*record); ok {
		return rec
	}
	if a, ok := ctx.Value(attemptKey{}).(*attempt); ok {
		return a.record()
	}
	return nil
}

// MarkFault notes that the fault of that name struck the exchange that ctx
// belongs to: the context of a request that passed a Recorder's Handler, or the
// one that a dial function gets from a Recorder's Transport. Elsewhere, and
// after the exchange ended, it does nothing.
func MarkFault(ctx context.Context, name string) {
	rec := recordOf(ctx)
	if rec == nil {
		return
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.faults.add(name)
}

// MarkFailure notes why the exchange that ctx belongs to will have no complete
// answer, for one who breaks the connection himself: the recorder cannot see
// through a hijacked connection. text is for Exchange.Err.
func MarkFailure(ctx context.Context, f Failure, text string) {
	rec := recordOf(ctx)
	if rec == nil {
		return
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.e.Failure, rec.e.Err, rec.marked = f, text, true
}

// MarkAnswer notes the answer that was written by hand on a hijacked
// connection. h may be nil; it is copied.
func MarkAnswer(ctx context.Context, status int, h http.Header) {
	rec := recordOf(ctx)
	if rec == nil {
		return
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.e.Response.Status, rec.replied, rec.answered = status, fieldsOf(h.Clone()), true
}

// MarkLink notes that a fault of that name struck a connection, named by its
// client's end, for one who sees no request: it marks the exchange under way on
// that link or else the next one to begin.
func (r *Recorder) MarkLink(link, name string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	var last *record
	for i := len(r.records) - 1; i >= 0 && last == nil; i-- {
		if rec := r.records[i]; rec.onLink(link) {
			last = rec
		}
	}
	if last == nil {
		p := r.pending[link]
		if p == nil {
			p = &faults{}
			r.pending[link] = p
		}
		p.add(name)
	}
	r.mu.Unlock()
	if last != nil {
		last.mu.Lock()
		last.faults.add(name)
		last.mu.Unlock()
	}
}

func (r *record) onLink(link string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.ended && r.e.Link == link
}

// takePending moves the faults that waited for link to rec.
func (r *Recorder) takePending(rec *record, link string) {
	r.mu.Lock()
	p := r.pending[link]
	delete(r.pending, link)
	r.mu.Unlock()
	if p == nil {
		return
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for _, name := range p.names {
		rec.faults.add(name)
	}
}
