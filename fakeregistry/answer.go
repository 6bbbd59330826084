package fakeregistry

import (
	"io"
	"iter"
	"maps"
	"net/http"
	"sync/atomic"
)

// An answer is what a handler answers to a request, held at its head until
// somebody decides what becomes of it. The body is never held: the handler waits.
type answer struct {
	status int
	header http.Header
	pull   func() ([]byte, bool)
	stop   func()
}

// ask lets next work until the head of its answer is known. The caller calls end.
// A panic of next comes out of ask, replay or end.
func ask(next http.Handler, r *http.Request) *answer {
	w := &askedWriter{header: http.Header{}}
	a := &answer{header: w.header}
	a.pull, a.stop = iter.Pull(func(yield func([]byte) bool) {
		w.yield = yield
		next.ServeHTTP(w, r)
		w.WriteHeader(http.StatusOK)
	})
	a.pull()
	a.status, a.header = w.status, w.sent
	return a
}

// ok reports whether the handler did what it was asked.
func (a *answer) ok() bool { return a.status >= 200 && a.status < 400 }

// replay gives the answer to w.
func (a *answer) replay(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	for {
		p, more := a.pull()
		if !more {
			return
		}
		if _, err := w.Write(p); err != nil {
			return
		}
	}
}

// ServeHTTP is replay: an answer can stand for the handler that gave it.
func (a *answer) ServeHTTP(w http.ResponseWriter, _ *http.Request) { a.replay(w) }

// end lets the handler finish; what it still writes is dropped.
func (a *answer) end() { a.stop() }

// An askedWriter gives what is written to the one who asked.
type askedWriter struct {
	header http.Header
	sent   http.Header // as it was when the head was written
	status int         // 0 until then
	yield  func([]byte) bool
	ended  bool // nobody listens any more
}

// Header implements http.ResponseWriter.
func (w *askedWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *askedWriter) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status, w.sent = status, w.header.Clone()
	w.ended = !w.yield(nil)
}

// Write implements io.Writer.
func (w *askedWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !w.ended && len(p) > 0 {
		w.ended = !w.yield(p)
	}
	return len(p), nil
}

// An editWriter changes the head of an answer on its way.
type editWriter struct {
	http.ResponseWriter
	edit func(status int, h http.Header)
	done bool
}

// Unwrap is for http.ResponseController.
func (w *editWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *editWriter) WriteHeader(status int) {
	if !w.done && status >= 200 {
		w.done = true
		w.edit(status, w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *editWriter) Write(p []byte) (int, error) {
	if !w.done {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom.
func (w *editWriter) ReadFrom(src io.Reader) (int64, error) {
	if !w.done {
		w.WriteHeader(http.StatusOK)
	}
	return io.Copy(w.ResponseWriter, src)
}

// edited lets next answer and edit the head, which it does once.
func edited(w http.ResponseWriter, r *http.Request, next http.Handler, edit func(status int, h http.Header)) {
	e := &editWriter{ResponseWriter: w, edit: edit}
	next.ServeHTTP(e, r)
	if !e.done {
		e.WriteHeader(http.StatusOK)
	}
}

// A statusWriter remembers the status that was answered.
type statusWriter struct {
	http.ResponseWriter
	status int // 0 until the head is written
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom.
func (w *statusWriter) ReadFrom(src io.Reader) (int64, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return io.Copy(w.ResponseWriter, src)
}

// asideKey marks a request that an effect makes by itself.
type asideKey struct{}

// A doneHandler notes whether the registry did what it was asked, and counts the
// bytes that it took.
type doneHandler struct {
	next     http.Handler
	method   string // of the request; what else an effect asks does not count
	did      bool
	received *atomic.Int64
}

// ServeHTTP implements http.Handler.
func (h *doneHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != h.method || r.Context().Value(asideKey{}) != nil {
		h.next.ServeHTTP(w, r)
		return
	}
	s := &statusWriter{ResponseWriter: w}
	body := &countedBody{ReadCloser: r.Body}
	if r.Body != nil && r.Body != http.NoBody {
		r = r.WithContext(r.Context())
		r.Body = body
	}
	h.next.ServeHTTP(s, r)
	if h.did = s.status < http.StatusBadRequest; h.did {
		h.received.Add(body.n)
	}
}

// A countedBody counts a body as it passes.
type countedBody struct {
	io.ReadCloser
	n int64
}

// Read implements io.Reader.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

// drain reads a request's body to its end, so that what the client sees does not
// depend on how fast it writes (P-549).
func drain(r *http.Request) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body) // a client that left is no concern of ours
	}
}
