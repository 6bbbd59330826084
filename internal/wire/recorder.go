package wire

import (
	"context"
	"net"
	"net/http"

	"github.com/pushcheck/pushcheck/internal/clock"
)

// A Recorder turns traffic into a Trace, at the client's side (Dial and
// Transport) or at the server's side (Handler). It is safe for concurrent use.
// A nil *Recorder is valid: its wrappers return what they were given.
type Recorder struct {
	clock  clock.Clock
	notify func(Exchange)
}

// NewRecorder makes a recorder whose times are c's. notify, when not nil, is
// called once for each exchange when it ends, one call at a time.
func NewRecorder(c clock.Clock, notify func(Exchange)) *Recorder {
	return &Recorder{clock: c, notify: notify}
}

// Dial wraps a dial function so that the exchanges recorded by Transport know
// their Link and Conn.
func (r *Recorder) Dial(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return dial
}

// Transport records what next sends and receives. An exchange ends when its
// response body is closed or read to the end, or when next fails; then it also
// tells the clock that its link was abandoned.
func (r *Recorder) Transport(next http.RoundTripper) http.RoundTripper { return next }

// Handler records what next is asked and answers.
func (r *Recorder) Handler(next http.Handler) http.Handler { return next }

// Event notes that the bench itself did something ("restart", "delete layer1").
func (r *Recorder) Event(text string) {}

// Trace is what was recorded so far, ordered by Seq, as a copy.
func (r *Recorder) Trace() Trace { return nil }
