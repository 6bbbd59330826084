package fakeregistry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A passage is one request on its way through a Proxy, and its answer.
type passage struct {
	proxy  *Proxy
	line   *upline
	client *conn // nil when the client's connection is not the request's alone
	w      http.ResponseWriter
	r      *http.Request
	clock  clock.Clock

	sent  chan struct{} // closed when nothing more of the request will be sent
	over  chan struct{} // closed when the passage is
	whole bool          // all of the request was sent. Set before sent is closed.
	gone  atomic.Bool   // the handler has returned, or will not wait for the body any more
}

// errUnwanted ends a body that the registry did not ask for.
var errUnwanted = errors.New("the registry does not want the body")

// serve does it all.
func (x *passage) serve() {
	if !x.line.begin() {
		x.broken(io.EOF)
	}
	defer close(x.over)
	reusable := false
	defer func() {
		if !reusable {
			x.line.close()
		}
	}()
	defer context.AfterFunc(x.r.Context(), x.left)()
	body := x.newBody()
	out := x.outgoing(body)
	x.proxy.work.Go(func() { x.send(out, body) })
	defer x.stop()
	resp, err := x.receive(out, body)
	if err != nil && body.cut.Load() {
		x.w.WriteHeader(statusClientGone) // which nobody hears: the fault has answered, or broken the connection
		return
	}
	if err != nil {
		x.failed(err)
		return
	}
	defer resp.Body.Close()
	x.answer(resp)
	if !resp.Close {
		x.line.listen()
	}
	ends := resp.ContentLength >= 0 || x.r.Method == http.MethodHead // the client sees its end before the handler returns
	if !resp.Close && (ends || body.read.Load()) {
		x.wait()
	}
	select {
	case <-x.sent:
		reusable = x.whole && !resp.Close && x.client != nil
	default:
	}
	if reusable {
		x.line.rest()
	}
}

// wait lets the client finish a request that was answered early, as long as the
// registry listens.
func (x *passage) wait() {
	select {
	case <-x.sent:
		return
	default:
	}
	_ = http.NewResponseController(x.w).Flush() // the client may be gone
	closed := x.r.Context().Done()
	if x.client != nil {
		closed = x.client.ctx.Done()
	}
	select {
	case <-x.sent:
	case <-closed:
	case err := <-x.line.ready:
		x.line.ready <- err
		if err == nil { // it says more than it was asked for
			select {
			case <-x.sent:
			case <-closed:
			}
		}
	}
}

// stop ends the sending of a request whose answer is complete: a body must not be
// read any more once its handler has returned.
func (x *passage) stop() {
	x.gone.Store(true)
	select {
	case <-x.sent:
		return
	default:
	}
	x.line.close()
	if x.client != nil {
		x.client.deafen()
		<-x.sent
	}
}

// outgoing is the request as the registry gets it.
func (x *passage) outgoing(body *passingBody) *http.Request {
	out := &http.Request{
		Method: x.r.Method, URL: x.r.URL, Host: x.proxy.upstream.Host, Header: endToEnd(x.r.Header),
		Body: http.NoBody, ContentLength: x.r.ContentLength, Close: x.r.Close, Trailer: x.r.Trailer,
	}
	if _, said := out.Header["User-Agent"]; !said {
		out.Header["User-Agent"] = nil // else net/http names itself
	}
	if x.r.ContentLength != 0 && x.r.Body != nil {
		out.Body = body
	} else {
		body.read.Store(true)
	}
	if x.r.ContentLength < 0 {
		out.TransferEncoding = []string{"chunked"} // also where net/http would look first whether it is empty
	}
	return out
}

// send sends the request. That the registry does not take it shows in its answer,
// or where that should be.
func (x *passage) send(out *http.Request, body *passingBody) {
	defer close(x.sent)
	err := out.Write(byPieces{x.line.out})
	if err == nil {
		err = x.line.out.Flush()
	}
	x.whole = err == nil
	switch {
	case body.failed == nil || x.gone.Load(), errors.Is(body.failed, errUnwanted):
	case errors.Is(body.failed, errCut):
		x.line.close()
	case isReset(body.failed):
		x.line.reset()
	case x.client == nil:
		x.line.close()
	default: // the client closed its end: the registry may still have something to say
		x.line.finish()
		x.limit()
	}
}

// left is called when the client is no longer there, or seems so: it may have
// closed its end only.
func (x *passage) left() {
	select {
	case <-x.over:
		return
	default:
	}
	switch {
	case x.client == nil || x.client.ctx.Err() != nil:
		x.line.close()
		return
	case !x.client.finished.Load():
		x.line.reset()
		return
	}
	x.proxy.work.Go(func() {
		select {
		case <-x.sent:
			x.line.finish()
			x.limit()
		case <-x.over:
		}
	})
}

// limit ends the passage of a client that has closed its end, after a while.
func (x *passage) limit() {
	x.proxy.work.Go(func() {
		ctx, cancel := x.clock.WithTimeout(untilDone{x.over}, x.proxy.options.Grace)
		defer cancel()
		<-ctx.Done()
		select {
		case <-x.over:
		default:
			x.line.close()
		}
	})
}

// receive reads the head of the registry's answer. Interim answers are passed on.
func (x *passage) receive(out *http.Request, body *passingBody) (*http.Response, error) {
	if err := <-x.line.ready; err != nil {
		return nil, err
	}
	x.line.metered.left = answerHeads
	defer func() { x.line.metered.left = -1 }()
	for {
		resp, err := http.ReadResponse(x.line.in, out)
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusContinue:
			body.wanted(true)
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("it wants to switch protocols")
		case resp.StatusCode < 200:
			h := x.w.Header()
			saved := h.Clone()
			copyHeader(h, endToEnd(resp.Header))
			x.w.WriteHeader(resp.StatusCode)
			clear(h)
			copyHeader(h, saved)
		default:
			body.wanted(false)
			return resp, nil
		}
	}
}

// answer gives the registry's answer to the client.
func (x *passage) answer(resp *http.Response) {
	h := x.w.Header()
	for _, name := range []string{"Date", "Content-Type"} { // net/http adds them where they are not
		if _, said := h[name]; !said {
			h[name] = nil
		} else {
			resp.Header.Del(name) // a fault set it
		}
	}
	copyHeader(h, endToEnd(resp.Header))
	x.proxy.leadBack(h, x.r)
	if resp.Close {
		h.Set("Connection", "close")
	}
	for name := range resp.Trailer {
		h.Add("Trailer", name)
	}
	x.w.WriteHeader(resp.StatusCode)
	if resp.ContentLength != 0 && x.r.Method != http.MethodHead {
		x.stream(resp)
	}
	copyHeader(h, resp.Trailer)
}

// pieces are what bodies are copied in.
var pieces = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// stream copies the body of an answer, each piece as it comes.
func (x *passage) stream(resp *http.Response) {
	c := http.NewResponseController(x.w)
	_ = c.Flush()                           // the head; the client may be gone
	piece := pieces.Get().(*[32 << 10]byte) //nolint:errcheck,forcetypeassert // nothing else is in it
	defer pieces.Put(piece)
	for {
		n, err := resp.Body.Read(piece[:])
		if n > 0 {
			if _, err := x.w.Write(piece[:n]); err != nil {
				abort()
			}
			_ = c.Flush() // likewise
		}
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			x.broken(err)
		}
	}
}

// failed is the end of a request that got no answer.
func (x *passage) failed(err error) {
	switch {
	case x.r.Context().Err() != nil:
		abort()
	case isReset(err), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		x.broken(err)
	}
	x.proxy.log.Error("the registry does not answer in HTTP", slog.String("upstream", x.proxy.Upstream()), slog.Any("error", err))
	badGateway(x.w, fmt.Sprintf("pushcheck: the registry at %s gave no answer that could be passed on: %v", x.proxy.Upstream(), err))
}

// lingering is how long a client has, on the system's clock, to take what it was
// sent before its connection is closed.
const lingering = 5 * time.Second

// broken breaks the client's connection as the registry broke its own. It does
// not return.
func (x *passage) broken(err error) {
	how := wire.FailureClosed
	if isReset(err) {
		how = wire.FailureReset
	}
	wire.MarkFailure(x.r.Context(), how, "the registry ended its connection to the proxy: "+err.Error())
	x.gone.Store(true)
	switch c := x.client; {
	case c == nil: // net/http ends it
	case how == wire.FailureReset:
		c.reset()
	default:
		_ = c.SetReadDeadline(clock.Real().Now().Add(lingering)) // one that is gone is gone
		c.finish()
	}
	abort()
}

// A passingBody is a request's body on its way to the registry. What came before
// is sent before it waits for more.
type passingBody struct {
	x       *passage
	start   chan struct{} // closed when the body may be sent, or must not; nil when nobody waits
	decide  sync.Once
	refused bool        // set before start is closed
	read    atomic.Bool // whether the client has sent all of it
	cut     atomic.Bool // whether a fault broke it off
	failed  error       // of the client's side. Read when sent is closed.
}

func (x *passage) newBody() *passingBody {
	b := &passingBody{x: x}
	if strings.EqualFold(x.r.Header.Get("Expect"), "100-continue") {
		b.start = make(chan struct{})
	}
	return b
}

// wanted says whether the registry wants a body whose client asked first.
func (b *passingBody) wanted(yes bool) {
	b.decide.Do(func() {
		b.refused = !yes
		if b.start != nil {
			close(b.start)
		}
	})
}

// patience is how long a registry may take to say that it wants a body, on the
// system's clock; then it gets it unasked, as from curl and Go.
const patience = time.Second

// Read implements io.Reader.
func (b *passingBody) Read(p []byte) (int, error) {
	if err := b.x.line.out.Flush(); err != nil {
		return 0, err
	}
	if b.start != nil {
		if err := b.ask(); err != nil {
			return 0, err
		}
	}
	n, err := b.x.r.Body.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		b.read.Store(true)
	case err != nil:
		b.failed = err
		b.cut.Store(errors.Is(err, errCut))
	}
	return n, err
}

// ask waits until the registry has said what it wants.
func (b *passingBody) ask() error {
	ctx, cancel := clock.Real().WithTimeout(untilDone{b.x.over}, patience)
	defer cancel()
	select {
	case <-b.start:
		if b.refused {
			b.failed = errUnwanted
			return errUnwanted
		}
	case <-ctx.Done():
		if b.x.gone.Load() {
			return errUnwanted
		}
	}
	b.start = nil
	return nil
}

// Close implements io.Closer. The server closes the client's body.
func (b *passingBody) Close() error { return nil }
