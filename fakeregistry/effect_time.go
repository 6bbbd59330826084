package fakeregistry

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"time"
)

func timeKinds() []Kind { return slices.Concat(paceOfTime(), rateKinds(), clockKinds()) }

func paceOfTime() []Kind {
	return []Kind{
		{
			Name: "delay", Layer: "timing", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "Everything is far away: time goes by before the registry hears of the request, or between the head and the body of its answer.",
			Params: []Param{
				timeParam("by", time.Second, "for how long"),
				timeParam("jitter", time.Duration(0), "how far it strays from that"),
				enumParam("part", "what is late", "headers", "body"),
				enumParam("dist", "how it strays: not at all beyond jitter, evenly, or with a long tail", "fixed", "uniform", "lognormal"),
			},
			New: newDelay,
		},
		{
			Name: "stall", Layer: "timing", Where: []string{"any"}, Seam: SeamRequest,
			Doc: "A body comes to a halt on its way; later it goes on, unless that is never.",
			Params: []Param{
				sizeParam("after", int64(0), "how many bytes pass first"),
				timeParam("for", time.Duration(-1), "for how long"),
				{Name: "side", Type: ParamEnum, Values: []string{"request", "response"}, Doc: "whose body; when it is not given, the request's if it has one"},
			},
			New: func(a Args) (Effect, error) { return stall{a.number("after"), a.time("for"), a.text("side")}, nil },
		},
		{
			Name: "retry-after-absurd", Layer: "timing", Where: []string{"any"}, Seam: SeamRequest,
			Doc:    "A rate limit names a time to come back that nobody should take at its word.",
			Params: []Param{textParam("value", "86400", "what the header says: seconds; past, a date long ago; or any text")},
			New: func(a Args) (Effect, error) {
				value := a.text("value")
				if value == "past" {
					value = "Mon, 12 Oct 2015 12:00:00 GMT"
				}
				return replacement(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Retry-After", value)
					refuse(w, envelope(0, CodeTooManyRequests.With(nil)))
				}), nil
			},
		},
		{
			Name: "slow-reader", Layer: "timing", Where: []string{"upload.*"}, Seam: SeamRequest,
			Doc:    "The registry takes in a body slowly; the client's write time limits strike, and its progress lies.",
			Params: []Param{{Name: "rate", Type: ParamRate, Default: int64(64 << 10), Doc: "bytes a second"}},
			New:    func(a Args) (Effect, error) { return pace{side: "request", rate: a.number("rate")}, nil },
		},
	}
}

// A delay waits once.
type delay struct {
	by, jitter time.Duration
	body       bool
	dist       string
}

func newDelay(a Args) (Effect, error) {
	e := delay{a.time("by"), a.time("jitter"), a.text("part") == "body", a.text("dist")}
	if e.jitter < 0 || e.by < 0 && e.jitter != 0 {
		return nil, errors.New("jitter: want a time that ends, and of one that ends")
	}
	return e, nil
}

// Class implements Classed.
func (delay) Class() Class { return ClassPace }

// drawn is how long one firing takes.
func (e delay) drawn(s *strike) time.Duration {
	if e.by < 0 || e.dist == "fixed" && e.jitter == 0 {
		return e.by
	}
	chance := s.rand()
	var d time.Duration
	switch e.dist {
	case "lognormal": // by is the median, by+jitter about one deviation above it
		sigma := math.Log1p(float64(e.jitter) / max(float64(e.by), 1))
		d = time.Duration(float64(e.by) * math.Exp(sigma*chance.NormFloat64()))
	case "uniform":
		d = e.by - e.jitter + time.Duration(chance.Int64N(int64(2*e.jitter)+1))
	default:
		d = e.by + time.Duration(chance.Int64N(int64(e.jitter)+1))
	}
	return max(d, 0)
}

// Disturb implements Effect.
func (e delay) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s := strikeOf(r)
	d := e.drawn(s)
	if !e.body {
		if s.hold(r, d) != nil {
			abort()
		}
		next.ServeHTTP(w, r)
		return
	}
	out := &onceWriter{ResponseWriter: w, before: func() error { return s.hold(r, d) }}
	next.ServeHTTP(out, r)
	if !out.done {
		s.missed()
	}
}

// A onceWriter sends an answer's head and calls before ahead of its body.
type onceWriter struct {
	http.ResponseWriter
	before func() error
	done   bool
}

// Unwrap is for http.ResponseController.
func (w *onceWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write implements io.Writer.
func (w *onceWriter) Write(p []byte) (int, error) {
	if !w.done && len(p) > 0 {
		w.done = true
		_ = http.NewResponseController(w.ResponseWriter).Flush() // an error shows at the write
		if err := w.before(); err != nil {
			return 0, err
		}
	}
	return w.ResponseWriter.Write(p)
}

// A pace lets a body through at a rate, or in crumbs with gaps.
type pace struct {
	side        string
	rate, burst int64
	size        int64
	gap         time.Duration
}

// Class implements Classed.
func (pace) Class() Class { return ClassPace }

// Disturb implements Effect.
func (e pace) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s := strikeOf(r)
	size, free, moved := e.size, e.burst, false
	if e.rate > 0 {
		size = min(max(e.rate/8, 1), 64<<10)
	}
	crumb := int64(0) // what is left of the one that was waited for
	step := func(n int64) error {
		moved = true
		s.took(r.Context())
		if crumb -= n; e.rate == 0 && crumb >= 0 {
			return nil // a crumb may take several readings
		}
		crumb += size
		wait := e.gap
		if e.rate > 0 {
			paid := max(n-free, 0)
			free -= n - paid
			wait = time.Duration(paid * int64(time.Second) / e.rate)
		}
		return s.hold(r, wait)
	}
	if e.side == "response" {
		w = &stepWriter{ResponseWriter: w, size: size, step: step}
	} else if r.Body != nil {
		r.Body = &stepBody{ReadCloser: r.Body, size: size, step: step}
	}
	next.ServeHTTP(w, r)
	if !moved {
		s.missed()
	}
}

// A stall waits once in the middle of a body.
type stall struct {
	after int64
	hold  time.Duration
	side  string
}

// Class implements Classed.
func (stall) Class() Class { return ClassPace }

// Disturb implements Effect.
func (e stall) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s := strikeOf(r)
	hasBody := r.Body != nil && r.Body != http.NoBody
	request := e.side == "request" || e.side == "" && hasBody
	left, did := e.after, false
	step := func(n int64) error {
		if left -= n; left >= 0 || did {
			return nil
		}
		did = true
		return s.hold(r, e.hold)
	}
	if request && !hasBody {
		pass(w, r, next)
		return
	}
	if !request && e.after == 0 { // not even the head comes
		late(w, r, next, e.hold)
		return
	}
	if request {
		r.Body = &stepBody{ReadCloser: r.Body, size: 4 << 10, step: step}
	} else {
		w = &stepWriter{ResponseWriter: w, size: min(e.after, 4<<10), step: step}
	}
	next.ServeHTTP(w, r)
	if !did {
		s.missed()
	}
}

// late lets the registry do what it is asked, and waits before it lets its answer go.
func late(w http.ResponseWriter, r *http.Request, next http.Handler, d time.Duration) {
	a := ask(next, r)
	defer a.end()
	if strikeOf(r).hold(r, d) != nil {
		abort()
	}
	a.replay(w)
}
