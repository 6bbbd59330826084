package fakeregistry

import (
	"net/http"
	"strconv"
	"sync/atomic"
)

// Basic is a Guard that asks for a name and a password with every request, as
// distribution does with an htpasswd file. Whoever has no right to what he asks
// for is challenged again, as whoever is unknown (P-150).
type Basic struct {
	Realm string // "" is "registry"
	Users Users

	tokens atomic.Pointer[Bearer] // nil until a fault asks for tokens
}

// Wrap implements Guard.
func (b *Basic) Wrap(_ string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if t := b.tokens.Load(); t != nil && r.URL.Path == "/token" {
			t.serveToken(w, r)
			return
		}
		route, ours := guarded(r)
		if !ours || isOpen(r) {
			next.ServeHTTP(w, r)
			return
		}
		asked := needs(r, route)
		if !b.admits(r, asked) {
			unauthorized(w, b.challenge(r, "", asked), asked)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (b *Basic) challenge(*http.Request, string, []access) string {
	realm := b.Realm
	if realm == "" {
		realm = "registry"
	}
	return "Basic realm=" + strconv.Quote(realm)
}

func (b *Basic) admits(r *http.Request, asked []access) bool {
	name, password, ok := r.BasicAuth()
	return ok && b.Users.login(name, password) && b.Users[name].may(asked)
}

// bearer is a guard for the same users that wants tokens. From the first call on
// the tokens are issued at /token.
func (b *Basic) bearer() *Bearer {
	b.tokens.CompareAndSwap(nil, &Bearer{Users: b.Users})
	return b.tokens.Load()
}
