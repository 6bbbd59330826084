package clock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// TestTimeWaitsForWhoIsCancelled: whoever slept, waited for a signal or was held when
// its context ended comes back before time passes, also where a limit on the clock
// lies between the two contexts.
func TestTimeWaitsForWhoIsCancelled(t *testing.T) {
	t.Parallel()
	waits := map[string]func(ctx context.Context, v *clock.Virtual) error{
		"sleep":  func(ctx context.Context, v *clock.Virtual) error { return v.Sleep(ctx, time.Second) },
		"signal": func(ctx context.Context, v *clock.Virtual) error { return clock.NewSignal(v).Wait(ctx) },
		"held": func(ctx context.Context, v *clock.Virtual) error {
			v.Connected(link)
			v.Awaits(ctx, link)
			ended := holding(v, time.Second)
			<-ctx.Done()
			v.Abandon(link)
			if err := v.Sleep(context.WithoutCancel(ctx), time.Second); err != nil { // so that the hold can end
				return err
			}
			<-ended
			return ctx.Err()
		},
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := clock.NewVirtual(time.Time{})
			done := v.Work()
			ctx, cancel := context.WithCancel(t.Context())
			limited, stop := v.WithTimeout(ctx, time.Hour)
			ended := make(chan error, 1)
			back := make(chan time.Duration, 1)
			group := clock.NewGroup(v)
			group.Go(func() {
				defer stop()
				err := wait(limited, v)
				back <- v.Now().Sub(clock.Epoch)
				ended <- err
			})
			if err := v.Sleep(t.Context(), time.Millisecond); err != nil { // until the other waits
				t.Fatal(err)
			}
			cancel()
			done() // from here on nobody works but who was cancelled
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("it ended with %v", err)
			}
			want := time.Millisecond
			if name == "held" {
				want += time.Second
			}
			if at := <-back; at != want {
				t.Errorf("it came back at Epoch+%v, want +%v", at, want)
			}
		})
	}
}

// TestContextsBelowALimitEndWithIt: a context made from one with a limit on the clock
// has ended as soon as that has.
func TestContextsBelowALimitEndWithIt(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	done := v.Work()
	limited, stop := v.WithTimeout(t.Context(), time.Second)
	child, cancel := context.WithCancel(limited)
	defer cancel()
	spared, release := context.WithCancel(limited)
	release()
	done() // nobody works: it is the time of the limit
	if !errors.Is(child.Err(), context.DeadlineExceeded) || !errors.Is(spared.Err(), context.Canceled) {
		t.Errorf("child: %v, one that was cancelled before: %v", child.Err(), spared.Err())
	}
	stop()
	late, cancel := context.WithCancel(limited)
	defer cancel()
	if late.Err() == nil {
		t.Error("a context made from one that has ended has not")
	}
}
