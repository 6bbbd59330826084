package fakeregistry

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

func httpKinds() []Kind {
	return slices.Concat(malformedKinds(), framingKinds(), proxyKinds(), h2Kinds())
}

// malformedKinds are answers that are not HTTP, or not all of one.
func malformedKinds() []Kind {
	return []Kind{
		{
			Name: "empty-reply", Layer: "http", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "The request is read to its end, nothing is done, and the connection is closed in place of an answer.",
			New: func(Args) (Effect, error) {
				return breaking(func(w http.ResponseWriter, r *http.Request) {
					drain(r)
					snap(r, wire.FailureClosed)
					abort()
				}), nil
			},
		},
		{
			Name: "garbage", Layer: "http", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "What comes back is noise and not HTTP, and then the connection ends.",
			Params: []Param{
				{Name: "bytes", Type: ParamInt, Default: int64(512), Doc: "how many"},
				{Name: "seed", Type: ParamInt, Doc: "decides which; the run's seed when it is not given"},
			},
			New: func(a Args) (Effect, error) { return garbage(a), nil },
		},
		{
			Name: "short-body", Layer: "http", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "The answer ends before the length that its head announced.",
			Params: []Param{sizeParam("by", int64(1), "how many bytes are missing")},
			New:    func(a Args) (Effect, error) { return shortBody{a.number("by")}, nil },
		},
		{
			Name: "bad-chunk", Layer: "http", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "The answer is chunked, and the head of a chunk is not a number.",
			New: func(Args) (Effect, error) {
				return raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nnot-a-length\r\n", http.StatusOK), nil
			},
		},
	}
}

// framingKinds are answers at the wrong moment or of the wrong size.
func framingKinds() []Kind {
	return []Kind{
		{
			Name: "length-required", Layer: "http", Where: []string{"upload.*"}, Seam: SeamRequest,
			Doc: "A front end takes no chunked bodies. The single PATCH of docker has no length.",
			New: func(Args) (Effect, error) {
				refusal := replacement(func(w http.ResponseWriter, _ *http.Request) {
					pageOf(http.StatusLengthRequired, "html", "").write(w)
				})
				return selective{refusal, func(q *query) bool { return q.r.ContentLength < 0 }}, nil
			},
		},
		{
			Name: "early-answer", Layer: "http", Where: []string{"upload.*", "manifest.put"}, Seam: SeamRequest,
			Doc: "The final answer comes before the body was read; a client should report it and not the broken pipe.",
			Params: []Param{
				statusParam("the status", 413, 401, 403, 500),
				{Name: "keep", Type: ParamBool, Default: false, Doc: "whether the rest of the body is read and the connection kept; else it is closed"},
			},
			New: func(a Args) (Effect, error) { return earlyAnswer(a), nil },
		},
		{
			Name: "header-flood", Layer: "http", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "The answer has more headers than clients like.",
			Params: []Param{sizeParam("size", int64(64<<10), "of the additional header")},
			New: func(a Args) (Effect, error) {
				return correction(func(_ *http.Request, _ int, h http.Header) bool {
					h.Set("X-Flood", strings.Repeat("x", int(a.number("size"))))
					return true
				}), nil
			},
		},
	}
}

// breaking is a replacement whose answer is none.
type breaking func(w http.ResponseWriter, r *http.Request)

// Class implements Classed.
func (breaking) Class() Class { return ClassBreak }

// Disturb implements Effect.
func (e breaking) Disturb(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	strikeOf(r).took(r.Context())
	e(w, r)
}

// raw writes text instead of an answer, then closes. status is what a client may
// take from it, 0 for nothing.
func raw(text string, status int) Effect {
	return breaking(func(_ http.ResponseWriter, r *http.Request) {
		drain(r)
		if c := connOf(r.Context()); c != nil {
			c.write(text)
		}
		if status != 0 {
			wire.MarkAnswer(r.Context(), status, nil)
		}
		snap(r, wire.FailureClosed)
		abort()
	})
}

func garbage(a Args) Effect {
	return breaking(func(w http.ResponseWriter, r *http.Request) {
		chance := strikeOf(r).rand()
		if seed, ok := a["seed"].(int64); ok {
			chance = seeded(seed)
		}
		b := make([]byte, max(a.number("bytes"), 1))
		for i := range b {
			b[i] = byte(chance.UintN(256))
		}
		b[0] |= 0x80 // surely not HTTP
		raw(string(b), 0).Disturb(w, r, nil)
	})
}

// shortBody promises more than it gives. An answer that does not tell its length
// is held until it is known.
type shortBody struct{ by int64 }

// Class implements Classed.
func (shortBody) Class() Class { return ClassBreak }

// Disturb implements Effect.
func (e shortBody) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s := strikeOf(r)
	if e.by == 0 {
		pass(w, r, next)
		return
	}
	a := ask(next, r)
	defer a.end()
	if r.Method == http.MethodHead || a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		s.missed()
		a.replay(w)
		return
	}
	s.took(r.Context())
	a, length := sized(a)
	a.header.Set("Content-Length", fmt.Sprint(length+e.by))
	a.replay(w)
	wire.MarkFailure(r.Context(), wire.FailureClosed, "the fault promised more than it sent")
}

// once gives a text in one piece.
func once(text string) func() ([]byte, bool) {
	return func() ([]byte, bool) {
		p := []byte(text)
		text = ""
		return p, len(p) > 0
	}
}

func earlyAnswer(a Args) Effect {
	return detour(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		s := strikeOf(r)
		s.took(r.Context())
		answerEarly(w, pageOf(a.status(), "html", ""))
		if a.flag("keep") {
			drain(r)
			return
		}
		s.cutShort()
		snap(r, wire.FailureClosed)
		abort()
	})
}

// answerEarly answers while the client still sends.
func answerEarly(w http.ResponseWriter, p page) {
	c := http.NewResponseController(w)
	_ = c.EnableFullDuplex() // else net/http reads on before it writes
	p.write(w)
	_ = c.Flush() // the client may be gone
}
