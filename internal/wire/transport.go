package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
)

// Transport records what next sends and receives. An exchange ends when its
// response body is closed or read to the end, or when next fails; then, and
// before the caller hears of it, it tells the clock that nobody waits on its
// link any more. An exchange whose dial or TLS handshake failed is recorded too.
//
// The request's headers are recorded as the caller set them, without what
// net/http adds. Where next sends a request again by itself, because a kept
// connection turned out to be dead, each sending is an exchange of its own.
func (r *Recorder) Transport(next http.RoundTripper) http.RoundTripper {
	if r == nil {
		return next
	}
	return &transport{recorder: r, next: next}
}

type transport struct {
	recorder *Recorder
	next     http.RoundTripper
}

// RoundTrip implements http.RoundTripper. next closes the request's body, as
// the contract of RoundTripper has it.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.recorder.askFirst(req); err != nil {
		return nil, err
	}
	a := newAttempt(t.recorder, req)
	resp, err := t.next.RoundTrip(a.outgoing())
	if err != nil {
		err = a.sure(err)
		a.fail(err)
		return resp, err
	}
	resp.Request = req
	a.settle(resp)
	a.answer(resp)
	return resp, nil
}

// CloseIdleConnections is found by http.Client.CloseIdleConnections.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// An attempt is one RoundTrip. The transport's goroutines call into it.
type attempt struct {
	recorder *Recorder
	req      *http.Request
	trace    httptrace.ClientTrace
	sent     requestBody
	received responseBody

	mu      sync.Mutex // guards everything below
	rec     *record
	opened  *conn    // by a dial of this request, before it was ready for use
	used    *conn    // the connection that carries the request
	before  int64    // used.written when it was taken
	renewed bool     // rec was begun for a second sending that has no connection yet
	dials   []string // names under which the clock knows that the request waits for a dial
	over    bool
	ahead   bool // the body was measured ahead; set before the transport is called
}

func newAttempt(r *Recorder, req *http.Request) *attempt {
	a := &attempt{recorder: r, req: req}
	a.trace.GotConn = a.gotConn
	a.rec = a.begin()
	return a
}

func (a *attempt) begin() *record {
	u := a.req.URL
	host := a.req.Host
	if host == "" {
		host = u.Host
	}
	rec := &record{e: Exchange{
		Route:   routeOf(methodOf(a.req), u),
		Request: Request{Method: methodOf(a.req), Scheme: u.Scheme, Host: host, Target: u.RequestURI()},
	}, asked: fieldsOf(a.req.Header)}
	if hasBody(a.req) {
		length := a.req.ContentLength
		if length == 0 {
			length = -1 // a body that does not tell
		}
		rec.request.expect(a.req.Header, length)
	}
	a.recorder.begin(rec)
	return rec
}

// outgoing is a copy of the request whose body and connection are watched.
func (a *attempt) outgoing() *http.Request {
	ctx := context.WithValue(a.req.Context(), attemptKey{}, a)
	out := a.req.WithContext(httptrace.WithClientTrace(ctx, &a.trace))
	if !hasBody(a.req) {
		return out
	}
	if a.measureAhead() {
		return out
	}
	a.sent = requestBody{ReadCloser: a.req.Body, rec: a.rec, closed: make(chan struct{})}
	out.Body = &a.sent
	if get := a.req.GetBody; get != nil {
		out.GetBody = func() (io.ReadCloser, error) {
			body, err := get()
			if err != nil {
				return nil, err
			}
			return &requestBody{ReadCloser: body, rec: a.again()}, nil
		}
	}
	return out
}

// aheadLimit is the largest body that is measured ahead.
const aheadLimit = 64 << 10

// measureAhead measures a small body that is in memory already, as GetBody
// shows, before it is sent, and reports whether it did. net/http writes such a
// body and its header in one go, which it would not if the body were wrapped.
func (a *attempt) measureAhead() bool {
	size := a.req.ContentLength
	if a.req.GetBody == nil || size <= 0 || size > aheadLimit {
		return false
	}
	body, err := a.req.GetBody()
	if err != nil {
		return false
	}
	defer body.Close()
	buf := copies.Get().(*[]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer copies.Put(buf)
	if _, err := io.ReadFull(body, (*buf)[:size]); err != nil {
		return false
	}
	a.rec.sent((*buf)[:size], true)
	a.ahead = true
	return true
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

func methodOf(r *http.Request) string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

// routeOf reads the route of a client's request, whose URL may be opaque.
func routeOf(method string, u *url.URL) Route {
	if u.Opaque != "" {
		if parsed, err := url.ParseRequestURI(u.RequestURI()); err == nil {
			u = parsed
		}
	}
	return ParseRoute(method, u)
}

func (a *attempt) record() *record {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rec
}

// dialled notes a connection opened on behalf of this attempt, and reports
// whether the attempt still waits for one.
func (a *attempt) dialled(c *conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || a.used != nil {
		return false
	}
	a.opened = c
	return true
}

// gotConn is called when the transport has a connection ready for the request.
func (a *attempt) gotConn(info httptrace.GotConnInfo) {
	c := a.recorder.connOf(info.Conn)
	c.wait(a)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dropDials()
	if a.opened != nil && a.opened != c {
		a.opened.abandon(a)
	}
	if a.used != nil && !a.renewed {
		a.renew()
	}
	a.opened, a.used, a.before, a.renewed = nil, c, c.written.Load(), false
	a.rec.place(c, a.recorder.numberOf(c))
}

// again is called before the body of a second sending is read.
func (a *attempt) again() *record {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.used != nil && !a.renewed {
		a.renew()
		a.renewed = true
	}
	return a.rec
}

// renew prepares for a second sending: what went out on a dead connection was
// an exchange of its own, what never left was not. The caller holds mu.
func (a *attempt) renew() {
	a.used.abandon(a)
	if a.used.written.Load() == a.before {
		if a.ahead {
			return
		}
		a.rec.forgetBody()
		return
	}
	a.rec.end(FailureClosed, "the kept connection was dead; the request was sent again")
	a.rec = a.begin()
	if a.ahead {
		a.measureAhead()
	}
}

// forgetBody makes as if nothing of the request's body had passed.
func (r *record) forgetBody() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.request.end()
	r.request = meter{exists: r.request.exists, want: r.request.want, kind: r.request.kind}
}

// place notes which connection carries the exchange.
func (r *record) place(c *conn, number int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.e.Link, r.e.Conn = c.link, number
}

// fail ends the attempt for want of an answer.
func (a *attempt) fail(err error) {
	a.mu.Lock()
	a.over = true
	a.dropDials()
	rec, opened, used := a.rec, a.opened, a.used
	a.mu.Unlock()
	handshake := used == nil && opened != nil && a.req.URL.Scheme == "https"
	if opened != nil {
		opened.abandon(a)
		if used == nil {
			rec.place(opened, a.recorder.numberOf(opened))
		}
	}
	if used != nil {
		used.abandon(a)
	}
	if a.ahead && used == nil { // it never left
		rec.forgetBody()
	}
	rec.end(classify(err, handshake), err.Error())
}

// answer notes the response's head and watches its body.
func (a *attempt) answer(resp *http.Response) {
	a.mu.Lock()
	a.over = true
	rec, used := a.rec, a.used
	a.mu.Unlock()
	rec.mu.Lock()
	rec.e.Response.Status, rec.replied = resp.StatusCode, fieldsOf(resp.Header)
	silent := resp.Body == nil || resp.Body == http.NoBody || resp.StatusCode == http.StatusSwitchingProtocols
	if !silent {
		rec.response.expect(resp.Header, resp.ContentLength)
	}
	rec.mu.Unlock()
	if silent {
		a.finish(rec, used, FailureNone, "")
		return
	}
	a.received = responseBody{ReadCloser: resp.Body, attempt: a, rec: rec, used: used}
	resp.Body = &a.received
}

func (a *attempt) finish(rec *record, used *conn, f Failure, text string) {
	if used != nil {
		used.abandon(a)
	}
	rec.end(f, text)
}

// A requestBody measures a request's body as the transport reads it.
type requestBody struct {
	io.ReadCloser
	rec    *record
	closed chan struct{} // closed by the first Close; nil where nobody waits for it
	once   sync.Once
	ended  atomic.Bool // whether all of it was read
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	eof := errors.Is(err, io.EOF)
	b.rec.sent(p[:max(n, 0)], eof)
	if eof {
		b.ended.Store(true)
	}
	return n, err
}

// Close implements io.Closer.
func (b *requestBody) Close() error {
	err := b.ReadCloser.Close()
	if b.closed != nil {
		b.once.Do(func() { close(b.closed) })
	}
	return err
}

// A responseBody measures a response's body as the caller reads it.
type responseBody struct {
	io.ReadCloser
	attempt *attempt
	rec     *record
	used    *conn
}

// Read implements io.Reader.
func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	eof := errors.Is(err, io.EOF) // not io.ErrUnexpectedEOF, which is another error
	b.rec.received(p[:max(n, 0)], eof)
	switch {
	case eof:
		b.attempt.finish(b.rec, b.used, FailureNone, "")
	case err != nil:
		b.attempt.finish(b.rec, b.used, classify(err, false), err.Error())
	}
	return n, err
}

// Close implements io.Closer. A body closed before its end is Cut.
func (b *responseBody) Close() error {
	f, text := FailureNone, ""
	if err := b.attempt.req.Context().Err(); err != nil {
		f, text = classify(err, false), err.Error()
	}
	b.attempt.finish(b.rec, b.used, f, text)
	return b.ReadCloser.Close()
}
