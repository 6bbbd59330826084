package fakeregistry

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

func tcpKinds() []Kind { return slices.Concat(cutKinds(), lineKinds(), paceKinds()) }

// cutKinds are connections that are not opened or break.
func cutKinds() []Kind {
	after := sizeParam("after", int64(0), "how many bytes of the body pass first; 0 is before the first, and for a response before its head")
	side := enumParam("side", "whose body is counted: the client's, and the registry does not get the rest; or the registry's, which did what was asked", "request", "response")
	return []Kind{
		{
			Name: "refuse", Layer: "tcp", Where: []string{"connect"}, Seam: SeamConn, Params: []Param{hostParam},
			Doc: "No process has the port open, as while a registry is started again. A client that does not dial through the bench is accepted and reset.",
			New: func(a Args) (Effect, error) { return refusal{connFault{a.text("host")}}, nil },
		},
		{
			Name: "accept-stall", Layer: "tcp", Where: []string{"connect"}, Seam: SeamConn,
			Doc:    "The other side takes the connection and then says nothing, so that pushes hang. Which connection of several is first is the kernel's to decide, except for our own eras.",
			Params: []Param{timeParam("for", time.Duration(-1), "for how long; then all goes on")},
			New:    func(a Args) (Effect, error) { return silence{hold: a.time("for")}, nil },
		},
		{
			Name: "reset", Layer: "tcp", Where: []string{"any"}, Seam: SeamRequest, Params: []Param{after, side},
			Doc: "Somebody on the way, often a balancer, resets the connection while a body is on it. Of a program of others the kernel decides how much more it sends.",
			New: func(a Args) (Effect, error) { return newCut(wire.FailureReset, a), nil },
		},
		{
			Name: "close", Layer: "tcp", Where: []string{"any"}, Seam: SeamRequest, Params: []Param{after, side},
			Doc: "The other side hangs up while a body is on the way, in good order as far as TCP is concerned. Of a program of others the kernel decides how much more it sends.",
			New: func(a Args) (Effect, error) { return newCut(wire.FailureClosed, a), nil },
		},
		{
			Name: "half-close", Layer: "tcp", Where: []string{"upload.*"}, Seam: SeamRequest,
			Doc: "The registry answers and closes while the client still writes; the client may see a broken pipe instead of the answer, which the kernel decides; our own eras see the answer.",
			Params: []Param{
				sizeParam("after", int64(0), "how many bytes of the request's body are read first"),
				statusParam("the status of the answer", 500, 413),
			},
			New: func(a Args) (Effect, error) { return hangup{a.number("after"), a.status()}, nil },
		},
	}
}

// paceKinds are slow lines.
func paceKinds() []Kind {
	return []Kind{
		{
			Name: "throttle", Layer: "tcp", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "The line is slow, and sessions and tokens run out while bytes crawl over it.",
			Params: []Param{
				{Name: "rate", Type: ParamRate, Default: int64(64 << 10), Doc: "bytes a second"},
				bodySide,
				sizeParam("burst", int64(0), "how many bytes pass at once before that"),
			},
			New: func(a Args) (Effect, error) {
				return pace{side: a.text("side"), rate: a.number("rate"), burst: a.number("burst")}, nil
			},
		},
		{
			Name: "dribble", Layer: "tcp", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "Bodies arrive a few bytes at a time, which finds readers that take one piece for the whole.",
			Params: []Param{
				sizeParam("size", int64(1), "how large a crumb is"),
				timeParam("gap", 10*time.Millisecond, "how long it is to the next"), responseSide,
			},
			New: func(a Args) (Effect, error) {
				if a.number("size") == 0 || a.time("gap") < 0 {
					return nil, errors.New("size: want at least 1B; gap: want a time that ends")
				}
				return pace{side: a.text("side"), size: a.number("size"), gap: a.time("gap")}, nil
			},
		},
	}
}

var (
	bodySide     = enumParam("side", "whose body", "request", "response")
	responseSide = enumParam("side", "whose body", "response", "request")
)

// A refusal is a port at which nobody listens.
type refusal struct{ connFault }

func (refusal) dial(_ context.Context, _ *strike, network, addr string) (string, error) {
	return "", refused(network, addr)
}

func (refusal) accept(_ *strike, c *conn) bool {
	c.reset()
	return false
}

// A silence falls once the client has said something.
type silence struct {
	connFault
	hold time.Duration
}

func (e silence) accept(s *strike, c *conn) bool {
	c.before = func(ctx context.Context) {
		_ = s.server().clock.Hold(ctx, c.link, e.hold) // ends with the connection at the latest
	}
	return true
}

// A cut breaks a connection after some bytes of a body.
type cut struct {
	how      wire.Failure
	after    int64
	response bool
}

func newCut(how wire.Failure, a Args) cut {
	return cut{how, a.number("after"), a.text("side") == "response"}
}

// Class implements Classed.
func (cut) Class() Class { return ClassBreak }

// Disturb implements Effect.
func (e cut) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if e.response {
		e.answer(w, r, next)
		return
	}
	s := strikeOf(r)
	if e.after == 0 {
		s.cutShort()
		snap(r, e.how)
		abort()
	}
	if r.Body == nil || r.Body == http.NoBody {
		pass(w, r, next)
		return
	}
	body := &cutBody{ReadCloser: r.Body, left: e.after}
	body.cut = func() {
		s.cutShort()
		snap(r, e.how)
	}
	r.Body = body
	next.ServeHTTP(&muteWriter{ResponseWriter: w, mute: func() bool { return body.done }}, r)
	if body.done {
		abort()
	}
	s.missed()
}

// answer breaks off the registry's answer.
func (e cut) answer(w http.ResponseWriter, r *http.Request, next http.Handler) {
	out := &cutWriter{ResponseWriter: w, left: e.after, cut: func() { snap(r, e.how) }}
	next.ServeHTTP(out, r)
	out.WriteHeader(http.StatusOK)
	if out.done {
		abort()
	}
	strikeOf(r).missed()
}

// A hangup answers in the middle of a request and closes.
type hangup struct {
	after  int64
	status int
}

// Disturb implements Effect.
func (e hangup) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if r.Body == nil || r.Body == http.NoBody {
		pass(w, r, next)
		return
	}
	s := strikeOf(r)
	body := &cutBody{ReadCloser: r.Body, left: e.after, cut: func() { s.took(r.Context()) }}
	r.Body = body
	next.ServeHTTP(&muteWriter{ResponseWriter: w, mute: func() bool { return body.done }}, r)
	if !body.done {
		s.missed()
		return
	}
	s.cutShort()
	answerEarly(w, envelope(e.status, CodeUnknown.With(nil)))
	snap(r, wire.FailureClosed)
	abort()
}
