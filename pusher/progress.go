package pusher

import (
	"io"
	"sync"
)

// progressStep is the most bytes between two events of a transfer (P-036).
const progressStep = 512 << 10

// A progressReader tells of a transfer as it is read: whenever more than the
// step, or 1 % of the total, has passed since the last event, and at every read
// that fails, twice if that read nothing (P-036).
type progressReader struct {
	in     io.Reader
	report func(Event)
	event  Event // ID, Status and Total of every event
	step   int64

	current, last int64
}

// newProgressReader reads in, of which total bytes are expected; 0 when nobody
// knows.
func newProgressReader(in io.Reader, total int64, id, action string, report func(Event)) *progressReader {
	r := &progressReader{in: in, report: report, step: progressStep}
	r.event = Event{ID: shortID(id), Status: action, Total: total, Action: true}
	if percent := int64(0.01 * float64(total)); total > 0 && percent < r.step {
		r.step = percent
	}
	return r
}

// Read implements io.Reader.
func (r *progressReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.current += int64(n)
	if r.current-r.last > r.step || err != nil {
		r.tell()
		r.last = r.current
	}
	if err != nil && n == 0 {
		r.tell()
	}
	return n, err
}

func (r *progressReader) tell() {
	e := r.event
	e.Current = r.current
	r.report(e)
}

// A sentBody is a request's body that says when the transport is done with it.
type sentBody struct {
	io.Reader
	once   sync.Once
	closed chan struct{}
}

func newSentBody(r io.Reader) *sentBody { return &sentBody{Reader: r, closed: make(chan struct{})} }

// Close implements io.Closer.
func (b *sentBody) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}
