package pusher

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// TestLinks: what is still open when an attempt is over is closed, and nothing
// is opened any more.
func TestLinks(t *testing.T) {
	t.Parallel()
	l := newLinks(clock.Real())
	var peers []net.Conn
	dial := l.dialer(func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		peers = append(peers, theirs)
		return ours, nil
	})
	for range 2 {
		if _, err := dial(t.Context(), "tcp", "x"); err != nil {
			t.Fatal(err)
		}
	}
	l.release()
	if _, err := dial(t.Context(), "tcp", "x"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dial after the end: %v", err)
	}
	for i, p := range peers {
		if _, err := p.Read(make([]byte, 1)); err == nil {
			t.Errorf("connection %d is open", i)
		}
	}
	if len(peers) != 3 || len(l.open) != 0 {
		t.Errorf("%d dialled, %d open", len(peers), len(l.open))
	}
}

// abandonments counts how often a clock hears of the end of a link.
type abandonments struct {
	clock.Clock
	n int
}

func (a *abandonments) Abandon(string) { a.n++ }

// TestLinksCloseOnce: the second Close of a connection says nothing of its link,
// which may be another connection's by then.
func TestLinksCloseOnce(t *testing.T) {
	t.Parallel()
	c := &abandonments{Clock: clock.Real()}
	l := newLinks(c)
	conn, err := l.dialer(func(context.Context, string, string) (net.Conn, error) {
		ours, _ := net.Pipe()
		return ours, nil
	})(t.Context(), "tcp", "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := conn.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the second Close: %v, want %v", err, net.ErrClosed)
	}
	if c.n != 1 {
		t.Errorf("the clock heard %d times of the end of the link, want once", c.n)
	}
}

// TestDialLimit: docker waits thirty seconds for a connection on the client's
// clock, and says what net.Dialer says.
func TestDialLimit(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(clock.Epoch)
	defer v.Work()()
	dial := limitedDial(v, func(ctx context.Context, _, _ string) (net.Conn, error) {
		return nil, v.Sleep(ctx, time.Hour)
	})
	_, err := dial(t.Context(), "tcp", "192.0.2.1:443")
	if err == nil || err.Error() != "dial tcp 192.0.2.1:443: i/o timeout" {
		t.Errorf("%v", err)
	}
	if took := v.Now().Sub(clock.Epoch); took != 30*time.Second {
		t.Errorf("it took %s", took)
	}
}
