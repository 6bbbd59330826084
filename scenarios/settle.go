package scenarios

import (
	"context"
	"slices"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// settled waits, for so much real time at most as closing says, until the servers
// are done with what the client asked: one that was killed leaves requests behind,
// and one that saw its connection break goes on before the handler that broke it
// has ended. Virtual time stands still meanwhile. What hangs until the server ends is
// shown as open.
func (w *world) settled(ctx context.Context) {
	for patience := closing; w.busy() && patience > 0; patience -= time.Millisecond {
		if clock.Real().Sleep(ctx, time.Millisecond) != nil {
			return
		}
	}
}

// busy reports whether a server is at work on an exchange.
func (w *world) busy() bool {
	return slices.ContainsFunc(w.hosts, func(h *host) bool {
		return h.server.Recorder().Busy() && slices.ContainsFunc(h.server.Trace(), w.underWay)
	})
}

// underWay reports whether an exchange will end by itself while time stands still. One
// that is held does not where its body was not read to the end: net/http notices
// that a client is gone only after that.
func (w *world) underWay(e wire.Exchange) bool {
	return e.Open && !(e.Request.Body.Cut && w.served == nil && w.clock.Held(e.Link))
}
