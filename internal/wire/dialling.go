package wire

import (
	"context"
	"fmt"
)

// Dialling is for a dial function that lets time pass on the clock before it
// opens a connection. ctx is the context that it was given; where that comes from
// a Recorder's Transport, link names the waiting request to clock.Hold until done
// is called or the request ends, and requested is the context of the request:
// net/http lets dials go on when theirs ended. Elsewhere link is "" and requested
// is ctx. done must be called.
func Dialling(ctx context.Context) (requested context.Context, link string, done func()) {
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return ctx, "", func() {}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || a.used != nil { // nobody waits for it any more
		return a.req.Context(), "", func() {}
	}
	link = fmt.Sprintf("dial of %p, %d", a, len(a.dials))
	a.dials = append(a.dials, link)
	a.recorder.clock.Connected(link)
	a.recorder.clock.Awaits(a.req.Context(), link)
	return a.req.Context(), link, func() { a.recorder.clock.Abandon(link) }
}

// dropDials tells the clock that nobody waits for a dial any more. The caller
// holds mu.
func (a *attempt) dropDials() {
	for _, link := range a.dials {
		a.recorder.clock.Abandon(link)
	}
}
