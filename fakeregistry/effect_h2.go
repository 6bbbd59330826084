package fakeregistry

import (
	"net/http"

	"golang.org/x/net/http2"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// h2Kinds are faults of HTTP/2. While one of them is in force the server offers
// HTTP/2 to clients that speak TLS; those that do not know it are left alone.
func h2Kinds() []Kind {
	return []Kind{
		{
			Name: "h2-goaway", Layer: "http", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "A balancer drains its connections: in the middle of a body it says GOAWAY and closes. HTTP/2 only, which the server offers over TLS.",
			Params: []Param{
				sizeParam("after", int64(0), "how many bytes of the request's body are read first"),
				enumParam("code", "the code of the GOAWAY", "NO_ERROR", "ENHANCE_YOUR_CALM", "INTERNAL_ERROR"),
			},
			New: func(a Args) (Effect, error) {
				return multiplexed{a.number("after"), h2Codes[a.text("code")], true}, nil
			},
		},
		{
			Name: "h2-reset", Layer: "http", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "The stream of a request is reset while its body is on the way; the connection stays. HTTP/2 only, which the server offers over TLS.",
			Params: []Param{
				enumParam("code", "the code of the reset; what was refused may be sent again", "INTERNAL_ERROR", "REFUSED_STREAM", "CANCEL", "ENHANCE_YOUR_CALM"),
				sizeParam("after", int64(0), "how many bytes of the request's body are read first"),
			},
			New: func(a Args) (Effect, error) {
				return multiplexed{a.number("after"), h2Codes[a.text("code")], false}, nil
			},
		},
	}
}

var h2Codes = map[string]http2.ErrCode{
	"NO_ERROR": http2.ErrCodeNo, "ENHANCE_YOUR_CALM": http2.ErrCodeEnhanceYourCalm, "INTERNAL_ERROR": http2.ErrCodeInternal,
	"REFUSED_STREAM": http2.ErrCodeRefusedStream, "CANCEL": http2.ErrCodeCancel,
}

// multiplexed breaks a stream, or all of a connection's.
type multiplexed struct {
	after  int64
	code   http2.ErrCode
	goAway bool
}

// Class implements Classed.
func (multiplexed) Class() Class { return ClassBreak }

func (multiplexed) suits(q *query) bool { return q.r.ProtoMajor == 2 }

// Disturb implements Effect.
func (e multiplexed) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if e.after == 0 {
		e.cut(r)
		abort()
	}
	if r.Body == nil || r.Body == http.NoBody {
		pass(w, r, next)
		return
	}
	body := &cutBody{ReadCloser: r.Body, left: e.after, cut: func() { e.cut(r) }}
	r.Body = body
	next.ServeHTTP(&muteWriter{ResponseWriter: w, mute: func() bool { return body.done }}, r)
	if body.done {
		abort()
	}
	strikeOf(r).missed()
}

func (e multiplexed) cut(r *http.Request) {
	s := strikeOf(r)
	s.took(r.Context())
	s.cutShort()
	how, text := wire.FailureReset, "the fault reset the stream"
	if e.goAway {
		how, text = wire.FailureClosed, "the fault said GOAWAY and closed the connection"
	}
	wire.MarkFailure(r.Context(), how, text)
	if s != nil {
		s.broke = how
	}
	c := connOf(r.Context())
	if c == nil {
		return
	}
	nc := c.h2.Load()
	if nc == nil {
		return
	}
	if !e.goAway {
		nc.resets(e.code)
		return
	}
	nc.leave(func() {
		nc.goAway(e.code)
		c.finish()
	})
}

// offersH2 reports whether there are faults of HTTP/2.
func (in *injector) offersH2() bool {
	for _, r := range *in.rules.Load() {
		if _, ok := r.Effect.(multiplexed); ok {
			return true
		}
	}
	return false
}
