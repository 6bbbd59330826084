package scenarios

import (
	"context"
	"hash/fnv"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/pusher"
)

// round is how often in virtual time each layer may begin a request: a length that
// nobody notices, with an instant for each layer of any image.
const round = 1024 * time.Nanosecond

// turnsShow is the least time that a report tells: hundreds of rounds stay below it.
const turnsShow = time.Millisecond

// turns lets layers that a client pushes at once begin their requests one after
// the other, each at instants of its own. Virtual time stands still while anyone
// works, so that what one request sets off is over, or waits for time to pass,
// before the next one begins: the same seed gives the same order of requests. A
// request that takes time still overlaps with those of others.
type turns struct {
	clock    *clock.Virtual
	contents *contents
}

// wait returns at the next instant of the layer that ctx is of, at once when it is
// of none.
//
// Errors: ctx's error when ctx ended first.
func (t turns) wait(ctx context.Context) error {
	layer := pusher.LayerOf(ctx)
	if layer == "" {
		return nil
	}
	now := t.clock.Now().Sub(clock.Epoch)
	own := now.Truncate(round) + t.instant(layer)
	if own <= now {
		own += round
	}
	return t.clock.Sleep(ctx, own-now)
}

// instant is when in a round a layer's requests begin. What is no layer, such as a
// config, has an instant behind them.
func (t turns) instant(layer string) time.Duration {
	for i, l := range t.contents.layers {
		if l.shownAs(layer) {
			return time.Duration(i)
		}
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(layer))
	return round/2 + time.Duration(h.Sum32()%uint32(round/2))
}
