package pusher

import (
	"net/http"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// TestGateKnowsBeforeItSends: an answer that says wait is looked at only when all
// who passed before it have begun, and nobody passes between its first byte and
// that look.
func TestGateKnowsBeforeItSends(t *testing.T) {
	t.Parallel()
	const key = "POST http://h/v2/a/blobs/uploads/"
	v := clock.NewVirtual(time.Time{})
	defer v.Work()()
	g := newBestGate(v, (*wire.Recorder)(nil).Turn)
	_, begun, err := g.pass(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	arrive, depart := g.arrival(key)
	arrived, early := make(chan struct{}), make(chan time.Time, 1)
	go func() { // net/http's: the first byte of an answer to somebody else
		arrive()
		close(arrived)
	}()
	select {
	case <-arrived:
		t.Fatal("the answer was looked at before a request that had passed began")
	case <-time.After(20 * time.Millisecond):
	}
	begun()
	<-arrived
	group := clock.NewGroup(v)
	group.Go(func() {
		_, later, err := g.pass(t.Context(), key)
		if err != nil {
			t.Error(err)
			return
		}
		later()
		early <- v.Now()
	})
	release := g.weigh(key, &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"7"}}}, v.Now())
	depart()
	release(&answer{status: http.StatusServiceUnavailable})
	group.Wait()
	if got := (<-early).Sub(clock.Epoch); got != 7*time.Second {
		t.Errorf("a request passed %v after the answer that asked for 7s", got)
	}
}
