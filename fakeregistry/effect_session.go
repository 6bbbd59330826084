package fakeregistry

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// sessionKinds are faults of what an upload session holds.
func sessionKinds() []Kind {
	return []Kind{
		{
			Name: "session-doubles", Layer: "protocol", Where: []string{"upload.patch"}, Seam: SeamRequest,
			Doc: "A chunk is stored and the answer gets lost; whoever sends it again has it appended a second time.",
			New: func(Args) (Effect, error) { return doubling{}, nil },
		},
		{
			Name: "session-offset", Layer: "protocol", Where: []string{"upload.patch"}, Seam: SeamRequest,
			Doc:    "The session does not hold what the client believes: bytes got lost, or are there that nobody sent.",
			Params: []Param{{Name: "by", Type: ParamInt, Default: int64(-1), Doc: "how many bytes more the session holds; fewer when negative"}},
			New: func(a Args) (Effect, error) {
				if a.number("by") == 0 {
					return nil, fmt.Errorf("by: 0 changes nothing")
				}
				return shifted(a.number("by")), nil
			},
		},
	}
}

// doubling takes a chunk, loses the answer, and takes the chunk again wherever
// the session stands.
type doubling struct{}

// Class implements Classed.
func (doubling) Class() Class { return ClassBreak }

// Disturb implements Effect.
func (doubling) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s := strikeOf(r)
	session := wire.ParseRoute(r.Method, r.URL).Session
	if now := s.kept(session); now != "" {
		next.ServeHTTP(w, appending(r, now))
		s.keep(session, "") // once is enough
		return
	}
	if s.goesOn() {
		pass(w, r, next)
		return
	}
	a := ask(next, r)
	defer a.end()
	if !a.ok() {
		s.missed()
		a.replay(w)
		return
	}
	s.keep(session, a.header.Get("Location"))
	s.persist(forEver)
	snap(r, wire.FailureReset)
	abort()
}

// appending is a request to append to a session where it stands now.
func appending(r *http.Request, location string) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Del("Content-Range")
	if u, err := url.Parse(location); err == nil {
		r.URL.RawQuery = u.RawQuery
	}
	return r
}

// shifted lets a registry take more or fewer bytes than were sent.
func shifted(by int64) Effect {
	return detour(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Body == nil || r.Body == http.NoBody {
			pass(w, r, next)
			return
		}
		strikeOf(r).took(r.Context())
		r = r.Clone(r.Context())
		body := r.Body
		if by > 0 {
			r.Body = readCloser{io.MultiReader(io.LimitReader(zeros{}, by), body), body}
		} else {
			r.Body = readCloser{&skipping{Reader: body, left: -by}, body}
		}
		if r.ContentLength >= 0 {
			r.ContentLength = max(r.ContentLength+by, 0)
			r.Header.Set("Content-Length", fmt.Sprint(r.ContentLength))
		}
		var first, last int64
		if n, _ := fmt.Sscanf(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "%d-%d", &first, &last); n == 2 {
			r.Header.Set("Content-Range", fmt.Sprintf("%d-%d", first, max(last+by, first)))
		}
		next.ServeHTTP(w, r)
	})
}

// A readCloser reads from one and closes another.
type readCloser struct {
	io.Reader
	io.Closer
}

// zeros have no end.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// skipping leaves out the first bytes.
type skipping struct {
	io.Reader
	left int64
}

// Read implements io.Reader.
func (s *skipping) Read(p []byte) (int, error) {
	for s.left > 0 {
		n, err := s.Reader.Read(p[:min(int64(len(p)), s.left)])
		s.left -= int64(n)
		if err != nil {
			return 0, err
		}
	}
	return s.Reader.Read(p)
}
