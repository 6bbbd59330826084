package pusher

import (
	"context"
	"errors"
	"net"
	"testing"

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
