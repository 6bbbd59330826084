package pusher

import (
	"context"
	"sync"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// transfers are the uploads of a client. At most so many are under way at once,
// one of each key: pushes that want the same share it and its result (P-340,
// P-341, P-350). It is safe for concurrent use.
type transfers struct {
	clock clock.Clock
	limit *clock.Limit

	mu    sync.Mutex // guards byKey, and watchers of every transfer
	byKey map[string]*transfer
}

// newTransfers lets n uploads be under way at once; 0 is one.
func newTransfers(c clock.Clock, n int) *transfers {
	return &transfers{clock: c, limit: clock.NewLimit(c, max(n, 1)), byKey: map[string]*transfer{}}
}

// An upload is what a transfer does. tell tells everybody who shares it.
type upload func(ctx context.Context, tell func(Event)) (image.Descriptor, error)

// A transfer is one upload under way or done.
type transfer struct {
	owner    *transfers
	key      string
	cancel   context.CancelFunc
	done     *clock.Signal
	ended    chan struct{}   // closed when its goroutine is about to end
	watchers map[*share]bool // guarded by owner.mu

	told sync.Mutex // guards last, and keeps events in order
	last *Event

	result image.Descriptor // with err, once done
	err    error
}

// A share is one push's part in a transfer. Whoever got it releases it.
type share struct {
	*transfer
	report func(Event)
}

// share joins the transfer of a key, or begins one with do. waiting is told when
// it has to wait for its turn. retain is called for a transfer that begins, and
// what it returns when it ends. The caller is a worker.
func (t *transfers) share(ctx context.Context, key string, report func(Event), waiting Event, retain func() func(), do upload) *share {
	s := &share{report: report}
	t.mu.Lock()
	defer t.mu.Unlock()
	if x, ok := t.byKey[key]; ok {
		s.transfer = x
		x.join(s)
		return s
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx)) // others may come to need it
	x := &transfer{
		owner: t, key: key, cancel: cancel, done: clock.NewSignal(t.clock), ended: make(chan struct{}),
		watchers: map[*share]bool{s: true},
	}
	s.transfer, t.byKey[key] = x, x
	place, release := t.limit.Queue(), retain()
	clock.NewGroup(t.clock).Go(func() {
		defer close(x.ended)
		defer release()
		defer place.Leave()
		if !place.Inside() {
			x.tell(waiting)
		}
		if x.err = place.Wait(own); x.err == nil {
			x.result, x.err = do(own, x.tell)
		}
		t.mu.Lock()
		if t.byKey[key] == x {
			delete(t.byKey, key)
		}
		t.mu.Unlock()
		x.done.Give()
	})
	return s
}

// join adds a push, which is told what was told last. The caller holds the
// owner's mu.
func (x *transfer) join(s *share) {
	x.told.Lock()
	defer x.told.Unlock()
	x.watchers[s] = true
	if x.last != nil {
		s.report(*x.last)
	}
}

// tell tells everybody who shares the transfer.
func (x *transfer) tell(e Event) {
	x.owner.mu.Lock()
	list := make([]*share, 0, len(x.watchers))
	for s := range x.watchers {
		list = append(list, s)
	}
	x.told.Lock()
	defer x.told.Unlock()
	x.owner.mu.Unlock()
	x.last = &e
	for _, s := range list {
		s.report(e)
	}
}

// wait returns the transfer's result.
//
// Errors: the upload's; ctx's error when ctx ended first.
func (s *share) wait(ctx context.Context) (image.Descriptor, error) {
	if err := s.done.Wait(ctx); err != nil {
		return image.Descriptor{}, err
	}
	return s.result, s.err
}

// releaseAll gives shares back. Transfers that nobody else shares are cancelled,
// and have ended when it returns, without time passing.
func releaseAll(shares []*share) {
	var alone []*share
	for _, s := range shares {
		t := s.owner
		t.mu.Lock()
		delete(s.watchers, s)
		if len(s.watchers) == 0 {
			if t.byKey[s.key] == s.transfer {
				delete(t.byKey, s.key) // nobody joins what is cancelled
			}
			s.cancel()
			alone = append(alone, s)
		}
		t.mu.Unlock()
	}
	for _, s := range alone {
		<-s.ended
	}
}

// layerKey finds the layer in a context.
type layerKey struct{}

// withLayer is the context of what is done for a layer.
func withLayer(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, layerKey{}, id)
}

// LayerOf is the layer on whose behalf an era that pushes several at once does
// something, by the ID that its events have; "" for none. Config.Dial gets such a
// context: so whoever watches connections can tell layers apart.
func LayerOf(ctx context.Context) string {
	id, _ := ctx.Value(layerKey{}).(string)
	return id
}
