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

// copyBuffer is how many bytes net/http reads of a body at a time.
const copyBuffer = 32 << 10

// A wholeReader reads what fits into one read of net/http to its end at once and
// serves it from there. A registry that answers or hangs up before it has the
// whole blob would race with the events of the last reads, which docker, whose
// kernel takes a small blob without waiting, had always sent by then.
type wholeReader struct {
	in   io.Reader
	buf  []byte // nil before the first read
	left []byte // of buf
	err  error  // after left
}

// Read implements io.Reader.
func (r *wholeReader) Read(p []byte) (int, error) {
	if r.buf == nil {
		r.buf = make([]byte, copyBuffer+1)
		var n, total int
		for r.err == nil && total < len(r.buf) {
			n, r.err = r.in.Read(r.buf[total:min(total+copyBuffer, len(r.buf))])
			total += n
		}
		r.left = r.buf[:total]
	}
	switch {
	case len(r.left) > 0:
	case r.err != nil:
		return 0, r.err
	default:
		return r.in.Read(p) // it was more than that
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
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
