package clock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

func TestWhoWaitsForASignalDoesNotHoldTimeBack(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	defer v.Work()()
	given := clock.NewSignal(v)
	g := clock.NewGroup(v)
	g.Go(func() {
		_ = v.Sleep(context.Background(), 5*time.Second)
		given.Give()
		given.Give()
	})
	for range 2 {
		if err := given.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := v.Now().Sub(clock.Epoch); got != 5*time.Second {
		t.Errorf("the signal came at Epoch+%v, want +5s", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if err := clock.NewSignal(v).Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting ended with %v, want context canceled", err)
	}
	g.Wait()
	if err := v.Sleep(t.Context(), time.Second); err != nil || v.Now().Sub(clock.Epoch) != 6*time.Second {
		t.Errorf("it is Epoch+%v (%v), want +6s: the accounts are wrong", v.Now().Sub(clock.Epoch), err)
	}
}

func TestALimitLetsWorkersThroughInTheirOrder(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	defer v.Work()()
	limit := clock.NewLimit(v, 2)
	var ended [5]time.Duration
	g := clock.NewGroup(v)
	for i := range ended {
		place := limit.Queue()
		if place.Inside() != (i < 2) {
			t.Errorf("place %d is inside: %v", i, place.Inside())
		}
		g.Go(func() {
			defer place.Leave()
			ctx := context.Background()
			if i == 2 { // it gives up before its turn
				var cancel context.CancelFunc
				ctx, cancel = context.WithCancel(ctx)
				cancel()
			}
			if place.Wait(ctx) == nil {
				_ = v.Sleep(context.Background(), time.Second)
			}
			ended[i] = v.Now().Sub(clock.Epoch)
		})
	}
	g.Wait()
	if want := [5]time.Duration{time.Second, time.Second, 0, 2 * time.Second, 2 * time.Second}; ended != want {
		t.Errorf("workers ended after %v, want %v", ended, want)
	}
	if !limit.Queue().Inside() {
		t.Error("the limit is not free again")
	}
}
