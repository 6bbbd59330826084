package fakeregistry

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/pushcheck/pushcheck/internal/gzips"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// proxyKinds are what proxies do to good answers.
func proxyKinds() []Kind {
	return []Kind{
		{
			Name: "long-body", Layer: "http", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "After the body come more bytes than its length told, and the next answer on the connection begins in the wrong place.",
			Params: []Param{sizeParam("by", int64(1), "how many bytes too many")},
			New: func(a Args) (Effect, error) {
				if a.number("by") == 0 {
					return nil, errors.New("by: want at least 1B")
				}
				return longBody{a.number("by")}, nil
			},
		},
		{
			Name: "continue-never", Layer: "http", Where: []string{"upload.*"}, Seam: SeamRequest,
			Doc:    "A client that asks whether it may send its body (Expect: 100-continue) gets no answer, or is refused. Nothing else is disturbed. No answer is possible over plain HTTP only.",
			Params: []Param{enumParam("answer", "none does not say continue and waits for the body; 417 refuses", "none", "417")},
			New: func(a Args) (Effect, error) {
				return selective{neverContinue(a.text("answer") == "417"), func(q *query) bool {
					return strings.EqualFold(q.r.Header.Get("Expect"), "100-continue") && (a.text("answer") == "417" || q.r.TLS == nil)
				}}, nil
			},
		},
		{
			Name: "http10", Layer: "http", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "A proxy answers in HTTP/1.0 and closes the connection each time.",
			New: func(Args) (Effect, error) { return oldAnswer{}, nil },
		},
	}
}

// sized is an answer whose length is told. A short one that did not tell is held
// until its end.
func sized(a *answer) (*answer, int64) {
	length, err := strconv.ParseInt(a.header.Get("Content-Length"), 10, 64)
	if err == nil {
		return a, length
	}
	c := &caught{header: http.Header{}}
	a.replay(c)
	h := a.header.Clone()
	h.Set("Content-Length", strconv.Itoa(c.body.Len()))
	return &answer{status: a.status, header: h, pull: once(c.body.String()), stop: func() {}}, int64(c.body.Len())
}

// longBody writes on after the end.
type longBody struct{ by int64 }

// Class implements Classed.
func (longBody) Class() Class { return ClassBreak }

// Disturb implements Effect.
func (e longBody) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	c := connOf(r.Context())
	if c == nil || r.ProtoMajor != 1 {
		pass(w, r, next)
		return
	}
	first := ask(next, r)
	defer first.end()
	a := first
	if r.Method != http.MethodHead {
		a, _ = sized(first)
	}
	strikeOf(r).took(r.Context())
	a.replay(w)
	_ = http.NewResponseController(w).Flush() // the client may be gone
	c.write(strings.Repeat("x", int(min(e.by, 1<<20))))
}

// neverContinue leaves a client alone that asked before it sent.
func neverContinue(refuses bool) Effect {
	if refuses {
		return detour(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			s := strikeOf(r)
			s.took(r.Context())
			s.cutShort()
			w.Header().Set("Connection", "close")
			pageOf(http.StatusExpectationFailed, "html", "").write(w)
		})
	}
	return aside{func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if c := connOf(r.Context()); c != nil {
			c.silent.Store(true)
			defer c.silent.Store(false)
		}
		strikeOf(r).took(r.Context())
		next.ServeHTTP(w, r)
	}}
}

// oldAnswer is given by a proxy of long ago.
type oldAnswer struct{}

// Class implements Classed.
func (oldAnswer) Class() Class { return ClassBreak }

// Disturb implements Effect. net/http answers in the version that it was asked
// in, so that the answer is written past it.
func (oldAnswer) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	c := connOf(r.Context())
	if c == nil || r.ProtoMajor != 1 {
		pass(w, r, next)
		return
	}
	a := ask(next, r)
	defer a.end()
	strikeOf(r).took(r.Context())
	drain(r)
	var head strings.Builder
	fmt.Fprintf(&head, "HTTP/1.0 %d %s\r\n", a.status, http.StatusText(a.status))
	h := a.header.Clone()
	h.Del("Transfer-Encoding")
	h.Set("Connection", "close")
	_ = h.Write(&head) // a strings.Builder takes all
	head.WriteString("\r\n")
	strikeOf(r).answered(a.status)
	c.write(head.String())
	for r.Method != http.MethodHead {
		p, more := a.pull()
		if !more {
			break
		}
		c.write(string(p))
	}
	wire.MarkAnswer(r.Context(), a.status, a.header)
	c.finish()
	w.WriteHeader(a.status) // for the count of what was done; nobody reads it any more
}

// gzipKinds are bodies in another coding.
func gzipKinds() []Kind {
	return []Kind{{
		Name: "gzip-response", Layer: "body", Where: []string{"manifest.get", "token"}, Seam: SeamRequest,
		Doc: "A proxy compresses the body although nobody asked for it, and its length is no longer what was stored.",
		New: func(Args) (Effect, error) { return detour(zipped), nil },
	}}
}

// zipped compresses an answer on its way.
func zipped(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s := strikeOf(r)
	a := ask(next, r)
	defer a.end()
	if r.Method == http.MethodHead || a.header.Get("Content-Encoding") != "" || a.header.Get("Content-Length") == "0" ||
		slices.Contains([]int{http.StatusNoContent, http.StatusNotModified}, a.status) {
		s.missed()
		a.replay(w)
		return
	}
	s.took(r.Context())
	a.header.Del("Content-Length")
	a.header.Set("Content-Encoding", "gzip")
	out := gzips.Writer(w)
	defer gzips.Return(out)
	a.replay(zipWriter{w, out})
	_ = out.Close() // the client may be gone
}

// A zipWriter compresses what is written.
type zipWriter struct {
	http.ResponseWriter
	out io.Writer
}

// Write implements io.Writer.
func (w zipWriter) Write(p []byte) (int, error) { return w.out.Write(p) }
