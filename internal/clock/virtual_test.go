package clock_test

import (
	"context"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

const link = "127.0.0.1:40000"

func TestSleepCostsNothingAndAddsUp(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	defer v.Work()()
	for _, d := range []time.Duration{5 * time.Second, 10 * time.Second, time.Hour} {
		if err := v.Sleep(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := v.Now().Sub(clock.Epoch), time.Hour+15*time.Second; got != want {
		t.Errorf("after three sleeps it is Epoch+%v, want +%v", got, want)
	}
}

func TestTimeStandsStillWhileAnyoneWorks(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	done := v.Work()
	g := clock.NewGroup(v)
	woke := make(chan time.Duration, 1)
	g.Go(func() {
		_ = v.Sleep(context.Background(), time.Minute)
		woke <- v.Now().Sub(clock.Epoch)
	})
	select {
	case <-woke:
		t.Fatal("a sleeper woke although its starter was at work")
	case <-time.After(20 * time.Millisecond):
	}
	g.Wait()
	if got := <-woke; got != time.Minute {
		t.Errorf("woke at Epoch+%v, want +1m", got)
	}
	done()
}

func TestTimeoutEndsAHeldExchangeAtItsDeadline(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	defer v.Work()()
	v.Connected(link)
	ctx, cancel := v.WithTimeout(t.Context(), 5*time.Second)
	held := make(chan time.Duration, 1)
	go func() { // the server: it would answer after 7 s
		_ = v.Hold(context.Background(), link, 7*time.Second)
		held <- v.Now().Sub(clock.Epoch)
	}()
	<-ctx.Done()
	if ctx.Err() != context.DeadlineExceeded {
		t.Errorf("context ended with %v, want deadline exceeded", ctx.Err())
	}
	v.Abandon(link)
	cancel()
	if got := v.Now().Sub(clock.Epoch); got != 5*time.Second {
		t.Errorf("after the time limit it is Epoch+%v, want +5s", got)
	}
	if err := v.Sleep(t.Context(), 10*time.Second); err != nil { // lets the server's wait end too
		t.Fatal(err)
	}
	if got := <-held; got != 7*time.Second && got != 15*time.Second {
		t.Errorf("the server's wait ended at Epoch+%v, want +7s", got)
	}
	if got := v.Now().Sub(clock.Epoch); got != 15*time.Second {
		t.Errorf("at the end it is Epoch+%v, want +15s", got)
	}
}

func TestHoldReleasesItsClient(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	defer v.Work()()
	v.Connected(link)
	answered := make(chan struct{})
	go func() {
		_ = v.Hold(context.Background(), link, 3*time.Second)
		close(answered)
	}()
	<-answered
	if got := v.Now().Sub(clock.Epoch); got != 3*time.Second {
		t.Errorf("answered at Epoch+%v, want +3s", got)
	}
}

func TestGroupWaitHandsOverToTheStarter(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	defer v.Work()()
	timer, cancel := v.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for range 200 {
		g := clock.NewGroup(v)
		for range 3 {
			g.Go(func() {})
		}
		g.Wait()
	}
	if timer.Err() != nil {
		t.Error("time passed while the starter or its workers were at work")
	}
}
