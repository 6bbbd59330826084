package clock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// holding starts a hold of link and returns once the clock knows of it, with a
// channel that tells when it ended.
func holding(v *clock.Virtual, d time.Duration) <-chan time.Duration {
	begun, ended := make(chan struct{}), make(chan time.Duration, 1)
	go func() {
		ctx := &tellingContext{Context: context.Background(), asked: begun}
		_ = v.Hold(ctx, link, d)
		ended <- v.Now().Sub(clock.Epoch)
	}()
	<-begun
	return ended
}

// A tellingContext closes asked when somebody waits on it, which Hold does after
// it has entered the hold in the clock's accounts.
type tellingContext struct {
	context.Context
	asked chan struct{}
}

func (c *tellingContext) Done() <-chan struct{} {
	close(c.asked)
	return nil
}

func TestAHoldMayBeginBeforeItsClientIsKnown(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	defer v.Work()()
	ended := holding(v, 3*time.Second)
	v.Connected(link)
	if got := <-ended; got != 3*time.Second {
		t.Errorf("the hold ended at Epoch+%v, want +3s", got)
	}
}

func TestAHoldWithoutAnEndEndsWhenItsLinkIsAbandoned(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	defer v.Work()()
	v.Connected(link)
	timer, cancel := v.WithTimeout(t.Context(), time.Second)
	ended := make(chan error, 1)
	go func() { ended <- v.Hold(t.Context(), link, -1) }()
	<-timer.Done()
	v.Abandon(link)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || v.Held(link) {
		t.Errorf("it ended with %v, want %v", err, context.Canceled)
	}
}

func TestAHoldThatWasAbandonedHoldsTheNextRequest(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	defer v.Work()()
	v.Connected(link)
	timer, cancel := v.WithTimeout(t.Context(), time.Second)
	ended := holding(v, 3*time.Second)
	<-timer.Done()
	v.Abandon(link) // the answer came before the handler was done
	cancel()
	v.Connected(link) // the next request on the same connection
	if got := <-ended; got != 3*time.Second {
		t.Errorf("the hold ended at Epoch+%v, want +3s", got)
	}
}
