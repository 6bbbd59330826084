package clock_test

import (
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

func TestAHoldThatIsReleasedEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		v := clock.NewVirtual(time.Time{})
		done := v.Work()
		if known {
			v.Connected(link)
		}
		ended := holding(v, -1)
		if err := v.Sleep(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		v.Release(link)
		v.Release(link)
		if got := <-ended; got != time.Second {
			t.Errorf("client known %v: the hold ended at Epoch+%v, want +1s", known, got)
		}
		v.Release("nobody's")
		v.Abandon(link)
		done()
		if v.Now().Sub(clock.Epoch) != time.Second {
			t.Errorf("client known %v: the accounts are wrong: it is Epoch+%v", known, v.Now().Sub(clock.Epoch))
		}
	}
}
