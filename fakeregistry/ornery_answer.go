package fakeregistry

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// Where an ornery registry keeps what is not below /v2/.
const (
	sessionsElsewhere = "/uploads"
	blobsElsewhere    = "/store"
)

// ornery reports whether quirks surround answers.
func (q *Quirks) ornery() bool {
	return q.SessionElsewhere || q.RedirectBlobs || q.ExtraFields || q.ShuffledErrors || q.NoLength || q.CloseEvery > 0 || q.Latency > 0 || q.Throttle > 0
}

// Even is the registry without the oddities that surround its answers, for one who
// looks into it. It shares everything, and is not to be closed.
func (v *V2) Even() Registry { return evenV2{v} }

type evenV2 struct{ *V2 }

// ServeHTTP implements http.Handler.
func (v evenV2) ServeHTTP(w http.ResponseWriter, r *http.Request) { v.answer(w, r) }

// Close implements Registry.
func (evenV2) Close() error { return nil }

// sessionRoot is what stands before the path of an upload session.
func (v *V2) sessionRoot() string {
	if v.options.Quirks.SessionElsewhere {
		return sessionsElsewhere
	}
	return ""
}

// answerOddly answers one request with the oddities that surround an answer.
func (v *V2) answerOddly(w http.ResponseWriter, r *http.Request) {
	q := &v.options.Quirks
	n := v.asked.Add(1)
	b := benchOf(r.Context())
	if q.Latency > 0 && b.clock.Hold(r.Context(), r.RemoteAddr, time.Duration(q.Latency)*time.Millisecond) != nil {
		abort()
	}
	if q.CloseEvery > 0 && n%q.CloseEvery == 0 {
		w.Header().Set("Connection", "close")
	}
	if q.ExtraFields || q.ShuffledErrors || q.NoLength {
		odd := &oddWriter{ResponseWriter: w, quirks: q, turn: n, head: r.Method == http.MethodHead}
		defer odd.finish()
		w = odd
	}
	if q.Throttle > 0 && n%q.Throttle == 0 {
		throttle(w, r, n/q.Throttle%2 == 0, b.now())
		return
	}
	route := wire.ParseRoute(r.Method, r.URL)
	switch {
	case q.SessionElsewhere && route.Session != "":
		r = below(r, sessionsElsewhere)
	case q.RedirectBlobs && (route.Op == wire.OpBlobGet || route.Op == wire.OpBlobHead):
		if rest := below(r, blobsElsewhere); rest != r {
			r = rest
			break
		}
		if _, _, err := v.statBlob(r, route.Repository, route.Digest); err == nil && checkName(route.Repository) == nil {
			w.Header().Set("Location", v.location(r, blobsElsewhere+r.URL.Path+"?sig=%2Fx%3D"))
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return
		}
	}
	v.answer(w, r)
}

// below is a request without the beginning of its path; the same one when it does
// not have it.
func below(r *http.Request, prefix string) *http.Request {
	rest, ok := strings.CutPrefix(r.URL.Path, prefix+"/")
	if !ok {
		return r
	}
	r = r.WithContext(r.Context())
	u := *r.URL
	u.Path, u.RawPath = "/"+rest, ""
	r.URL = &u
	return r
}

// throttle refuses a request for a while.
func throttle(w http.ResponseWriter, r *http.Request, asDate bool, now time.Time) {
	drain(r)
	w.Header().Set("Retry-After", "1")
	if asDate {
		w.Header().Set("Retry-After", now.Add(2*time.Second).UTC().Format(http.TimeFormat)) // whole seconds, rounded down
	}
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	refuse(w, envelope(0, CodeTooManyRequests.With(nil)))
}

// oddLimit is the longest JSON that is written otherwise.
const oddLimit = 64 << 10

// An oddWriter writes JSON otherwise than it gets it.
type oddWriter struct {
	http.ResponseWriter
	quirks *Quirks
	turn   int64
	head   bool // the answer has no body
	status int  // 0 until the head is known
	held   []byte
	holds  bool // the body is JSON of ours, and is held until its end
}

// Unwrap is for http.ResponseController.
func (w *oddWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *oddWriter) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status = status
	kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	if w.holds = kind == "application/json" && !w.head; !w.holds {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements io.Writer.
func (w *oddWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !w.holds {
		return w.ResponseWriter.Write(p)
	}
	w.held = append(w.held, p...)
	if len(w.held) > oddLimit {
		w.release(w.held)
	}
	return len(p), nil
}

// release writes what was held, and whatever comes after it as it comes.
func (w *oddWriter) release(body []byte) {
	w.holds = false
	h := w.Header()
	if h.Get("Content-Length") != "" || !w.quirks.NoLength {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	if w.quirks.NoLength {
		h.Del("Content-Length")
	}
	w.ResponseWriter.WriteHeader(w.status)
	if w.quirks.NoLength {
		_ = http.NewResponseController(w.ResponseWriter).Flush() // else net/http counts; the client may be gone
	}
	_, _ = w.ResponseWriter.Write(body) // likewise
}

// finish writes the body that was held.
func (w *oddWriter) finish() {
	if !w.holds {
		return
	}
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(w.held, &fields) != nil {
		w.release(w.held)
		return
	}
	if w.quirks.ShuffledErrors {
		w.shuffle(fields)
	}
	if w.quirks.ExtraFields {
		fields["requestId"] = json.RawMessage(`"7f3a9c00-0000-4000-8000-000000000000"`)
		fields["links"] = json.RawMessage(`{"help":null,"list":[[],{}]}`)
	}
	body, err := json.Marshal(fields)
	if err != nil {
		body = w.held
	}
	w.release(append(body, '\n'))
}

// shuffle adds an error in words of the registry's own, in front of the others or behind.
// Its code is that of the first: a code has to be one of the specification's.
func (w *oddWriter) shuffle(fields map[string]json.RawMessage) {
	var list []json.RawMessage
	if json.Unmarshal(fields["errors"], &list) != nil || len(list) == 0 {
		return
	}
	var first struct{ Code json.RawMessage }
	if json.Unmarshal(list[0], &first) != nil || len(first.Code) == 0 {
		return
	}
	own := json.RawMessage(`{"code":` + string(first.Code) + `,"message":"see our status page","detail":{"page":["a",1,null]}}`)
	if w.turn%2 == 0 {
		list = append([]json.RawMessage{own}, list...)
	} else {
		list = append(list, own)
	}
	fields["errors"], _ = json.Marshal(list) // made of JSON
}

// recased writes the names of headers otherwise, where a registry has that quirk,
// below all that reads them. Where a V2 shares its host with a V1, it is the host's.
func recased(r Registry, next http.Handler) http.Handler {
	r = innermost(r)
	if b, shared := r.(*both); shared {
		r = innermost(b.v2)
	}
	v, ok := r.(*V2)
	if !ok || v.options.Quirks.HeaderCase == "" {
		return next
	}
	change := strings.ToLower
	if v.options.Quirks.HeaderCase == "upper" {
		change = strings.ToUpper
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		edited(w, r, next, func(_ int, h http.Header) {
			for name, values := range h {
				switch name {
				case "Content-Length", "Connection", "Transfer-Encoding", "Date", "Trailer": // net/http reads them
					continue
				}
				h[name] = nil // or net/http adds what it misses
				h[change(name)] = values
			}
		})
	})
}
