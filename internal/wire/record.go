package wire

import (
	"bytes"
	"sync"
	"time"
)

// A record is an exchange under way.
type record struct {
	owner *Recorder
	began time.Time

	mu       sync.Mutex // guards everything below
	e        Exchange   // without headers
	asked    fields     // the request's headers
	replied  fields     // the response's
	request  meter
	response meter
	faults   faults
	ended    bool
	marked   bool // e.Failure and e.Err were set by MarkFailure
	answered bool // e.Response was set by MarkAnswer
}

// sent and received account for body bytes. Bytes that pass after the exchange
// ended (an answer came before the request's body was through) do not count.

func (r *record) sent(p []byte, eof bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.request.pass(p, eof)
	}
}

func (r *record) received(p []byte, eof bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.response.pass(p, eof)
	}
}

// end closes the exchange, once, and tells the recorder's listener.
func (r *record) end(f Failure, text string) {
	now := r.owner.clock.Now()
	r.owner.mu.Lock()
	until := r.owner.seq
	r.owner.mu.Unlock()
	r.mu.Lock()
	if r.ended {
		r.mu.Unlock()
		return
	}
	r.ended = true
	if !r.marked {
		r.e.Failure, r.e.Err = f, text
	}
	r.e.Elapsed, r.e.Until = now.Sub(r.began), until
	r.e.Request.Body = r.request.end()
	r.e.Response.Body = r.response.end()
	r.e.Fault = r.faults.String()
	r.mu.Unlock()
	if r.owner.notify != nil {
		r.owner.tell(r.snapshot())
	}
	r.owner.ended()
}

// snapshot is the exchange as it is now, sharing nothing.
func (r *record) snapshot() Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.e
	if !r.ended {
		e.Open = true
		e.Request.Body = r.request.body()
		e.Response.Body = r.response.body()
		e.Fault = r.faults.String()
	}
	e.Request.Header, e.Response.Header = r.asked.header(), r.replied.header()
	e.Request.Body.Head, e.Response.Body.Head = bytes.Clone(e.Request.Body.Head), bytes.Clone(e.Response.Body.Head)
	return e
}

func (r *record) isEnded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}
