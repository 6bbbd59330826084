package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
)

// Handler records what next is asked and answers. An exchange ends when next
// returns or panics, or when its connection was taken over and next returned.
//
// The response's headers are recorded as next set them, without what net/http
// adds. Who hijacks a connection says by MarkFailure and MarkAnswer what became
// of it; untold it counts as closed.
func (r *Recorder) Handler(next http.Handler) http.Handler {
	if r == nil {
		return next
	}
	return &handler{recorder: r, next: next}
}

// connKey finds the *conn of a server's connection in a request's context.
type connKey struct{}

// ConnContext is for http.Server.ConnContext: with it, connections that reuse a
// client's port one after the other are told apart.
func (r *Recorder) ConnContext(ctx context.Context, nc net.Conn) context.Context {
	if r == nil {
		return ctx
	}
	return context.WithValue(ctx, connKey{}, &conn{recorder: r, link: nc.RemoteAddr().String()})
}

type handler struct {
	recorder *Recorder
	next     http.Handler
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := h.begin(r)
	s := &serving{
		context: recordContext{r.Context(), rec},
		body:    handlerBody{ReadCloser: r.Body, rec: rec},
		out:     responseWriter{ResponseWriter: w, rec: rec, mute: r.Method == http.MethodHead},
	}
	in := r.WithContext(&s.context)
	if hasBody(r) {
		in.Body = &s.body
	}
	returned := false
	defer func() { s.out.end(returned) }()
	h.next.ServeHTTP(&s.out, in)
	returned = true
}

// A serving is what wraps one request, in one allocation.
type serving struct {
	context recordContext
	body    handlerBody
	out     responseWriter
}

// A recordContext is a request's context in which its record is found.
type recordContext struct {
	context.Context
	rec *record
}

// Value implements context.Context.
func (c *recordContext) Value(key any) any {
	if key == (recordKey{}) {
		return c.rec
	}
	return c.Context.Value(key)
}

func (h *handler) begin(r *http.Request) *record {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	rec := &record{e: Exchange{
		Link:    r.RemoteAddr,
		Route:   ParseRoute(r.Method, r.URL),
		Request: Request{Method: r.Method, Scheme: scheme, Host: r.Host, Target: r.RequestURI},
	}, asked: fieldsOf(r.Header)}
	if hasBody(r) {
		rec.request.expect(r.Header, r.ContentLength)
	}
	c, ok := r.Context().Value(connKey{}).(*conn)
	if !ok {
		c = h.recorder.linked(r.RemoteAddr)
	}
	rec.e.Conn = h.recorder.numberOf(c)
	h.recorder.takePending(rec, r.RemoteAddr)
	h.recorder.begin(rec)
	return rec
}

// linked finds a connection by its link alone.
func (r *Recorder) linked(link string) *conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.links[link]
	if c == nil {
		c = &conn{recorder: r, link: link}
		r.links[link] = c
	}
	return c
}

// A handlerBody measures a request's body as the handler reads it.
type handlerBody struct {
	io.ReadCloser
	rec *record
}

// Read implements io.Reader.
func (b *handlerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	eof := errors.Is(err, io.EOF)
	b.rec.sent(p[:max(n, 0)], eof)
	if err != nil && !eof {
		b.rec.broke(err)
	}
	return n, err
}

// broke notes the first error of the connection; the exchange goes on, for the
// handler may still answer.
func (r *record) broke(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended && !r.marked && r.e.Failure == FailureNone {
		r.e.Failure, r.e.Err = classify(err, false), err.Error()
	}
}

// A responseWriter measures an answer as the handler writes it.
type responseWriter struct {
	http.ResponseWriter
	rec      *record
	mute     bool // an answer to HEAD: what is written stays off the wire
	wrote    bool // the head was written
	flushed  bool // and has surely left
	hijacked bool
}

// Unwrap is for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *responseWriter) WriteHeader(status int) {
	w.head(status)
	w.ResponseWriter.WriteHeader(status)
}

// head notes the answer's head, once. Interim answers are not the answer.
func (w *responseWriter) head(status int) {
	if w.wrote || (status >= 100 && status < 200 && status != http.StatusSwitchingProtocols) {
		return
	}
	w.wrote = true
	h := w.Header()
	w.rec.mu.Lock()
	defer w.rec.mu.Unlock()
	if w.rec.answered {
		return
	}
	w.rec.e.Response.Status, w.rec.replied = status, fieldsOf(h)
	w.rec.response.kind = kindOf(h)
	w.rec.response.want, _ = strconv.ParseInt(h.Get("Content-Length"), 10, 64)
}

// Write implements io.Writer.
func (w *responseWriter) Write(p []byte) (int, error) {
	w.head(http.StatusOK)
	n, err := w.ResponseWriter.Write(p)
	if !w.mute {
		w.rec.received(p[:max(n, 0)], false)
	}
	if err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		w.rec.broke(err)
	}
	return n, err
}

// ReadFrom implements io.ReaderFrom.
func (w *responseWriter) ReadFrom(src io.Reader) (int64, error) { return copyBody(w, src, nil) }

// Flush implements http.Flusher.
func (w *responseWriter) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController calls.
func (w *responseWriter) FlushError() error {
	w.head(http.StatusOK)
	w.flushed = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.hijacked = w.hijacked || err == nil
	return nc, rw, err
}

// unsentLimit is how much of an answer net/http holds back until the handler
// returns; it throws that away when the handler panics.
const unsentLimit = 2048

// end closes the exchange when the handler is done with it. Nobody answers for
// a handler that panicked: net/http closes the connection.
func (w *responseWriter) end(returned bool) {
	if returned && !w.hijacked {
		w.head(http.StatusOK)
	}
	w.rec.mu.Lock()
	f, text := w.rec.e.Failure, w.rec.e.Err
	m := &w.rec.response
	m.eof = returned
	short := w.wrote && !w.mute && !w.hijacked && m.want > m.length
	if !returned && !w.flushed && m.length < unsentLimit && !w.rec.answered {
		w.rec.e.Response.Status, w.rec.replied = 0, nil
		m.end()
		*m = meter{}
	}
	w.rec.mu.Unlock()
	switch {
	case f != FailureNone:
	case w.hijacked:
		f, text = FailureClosed, "the connection was taken over"
	case !returned:
		f, text = FailureClosed, "the handler gave up"
	case short:
		f, text = FailureClosed, "the answer ended before its Content-Length"
	}
	w.rec.end(f, text)
}
