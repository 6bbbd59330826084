package fakeregistry

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// storeKinds are faults of the store behind the registry that come and go with time.
func storeKinds() []Kind {
	return []Kind{{
		Name: "read-after-write", Layer: "storage", Where: []string{"blob.head", "manifest.put"}, Seam: SeamStorage,
		Doc:    "The store is consistent in the end only: what was just written is not there yet.",
		Params: []Param{timeParam("by", 2*time.Second, "for how long after the commit a blob is not seen")},
		New:    func(a Args) (Effect, error) { return eventual{a.time("by")}, nil },
	}}
}

// A remembering effect wants to know when blobs were committed.
type remembering interface{ remembers() }

// eventual is a store that sees what was written after a while.
type eventual struct{ by time.Duration }

func (eventual) remembers() {}

// Disturb implements Effect.
func (e eventual) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	hooked(func(r *http.Request, s *strike) Hook {
		return func(_ context.Context, a Access) error {
			if a.Op != StorageStat || a.Digest == "" || !s.fresh(a, e.by) {
				return nil
			}
			s.took(r.Context())
			return notStored("blob", a.Digest.String(), a.Repository)
		}
	}).Disturb(w, r, next)
}

// fresh reports whether a blob was committed less than d ago.
func (s *strike) fresh(a Access, d time.Duration) bool {
	if s == nil {
		return false
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	at, ok := s.in.written.get(a.Digest)
	return ok && s.in.bench.clock.Now().Before(at.Add(lasting(d)))
}

// rateKinds are limits that count.
func rateKinds() []Kind {
	return []Kind{{
		Name: "rate-limit", Layer: "timing", Where: []string{"any"}, Seam: SeamRequest,
		Doc: "The registry counts requests and refuses those above a rate until time has passed.",
		Params: []Param{
			{Name: "allow", Type: ParamInt, Default: int64(10), Doc: "how many requests, at once or over time"},
			timeParam("in", time.Second, "in how much time"),
			enumParam("key", "who shares a count: who uses the same credentials, or one address without any; one address; or one repository", "client", "ip", "repo"),
		},
		New: func(a Args) (Effect, error) {
			if a.number("allow") < 1 || a.time("in") <= 0 {
				return nil, errors.New("allow: want at least 1; in: want a time that ends")
			}
			return bucket{a.number("allow"), a.time("in"), a.text("key")}, nil
		},
	}}
}

// A bucket holds so many requests and fills up evenly.
type bucket struct {
	allow int64
	in    time.Duration
	key   string
}

// Disturb implements Effect. It notes when the bucket will be full again.
func (e bucket) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s := strikeOf(r)
	now := s.server().clock.Now().UnixNano()
	one := int64(e.in) / e.allow
	wait := int64(0)
	s.note(e.who(r), func(full *int64) {
		filled := max(*full, now)
		if wait = filled + one - now - int64(e.in); wait <= 0 {
			*full = filled + one
		}
	})
	if wait <= 0 {
		pass(w, r, next)
		return
	}
	s.took(r.Context())
	drain(r)
	w.Header().Set("Retry-After", seconds(time.Duration(wait)))
	refuse(w, envelope(0, CodeTooManyRequests.With(nil)))
}

func (e bucket) who(r *http.Request) string {
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = r.RemoteAddr
	}
	switch e.key {
	case "repo":
		return wire.ParseRoute(r.Method, r.URL).Repository
	case "client":
		if a := r.Header.Get("Authorization"); a != "" {
			return a
		}
	}
	return ip
}

// clockKinds are faults of the server's time of day.
func clockKinds() []Kind {
	return []Kind{{
		Name: "clock-jump", Layer: "timing", Where: []string{"event"}, Seam: SeamRequest,
		Doc: "The server's clock is put forward, or back: tokens that it issued run out at once, or late, and its dates shift.",
		Params: []Param{
			timeParam("by", time.Hour, "how far"),
			{Name: "back", Type: ParamBool, Default: false, Doc: "whether it is put back, not forward"},
			textParam("at", "upload.put", "the operation before which it happens, or the event at which"),
		},
		New: func(a Args) (Effect, error) {
			by := a.time("by")
			if by <= 0 {
				return nil, errors.New("by: want a time that ends")
			}
			if a.flag("back") {
				by = -by
			}
			return jump{atPlace(a), by}, nil
		},
	}}
}

// A jump puts the server's clock forward, or back where by is negative.
type jump struct {
	place
	by time.Duration
}

func (e jump) strike(s *strike, _ string) bool {
	s.server().skew.Add(int64(e.by))
	return true
}

func (e jump) happen(s *strike) { e.strike(s, "") }

// Disturb implements Effect.
func (e jump) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	beside(w, r, next, e.strike)
}
