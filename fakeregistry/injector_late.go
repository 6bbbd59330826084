package fakeregistry

import (
	"net/http"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// late is next behind those rules that select by what next answered: it lets
// next answer, holds the answer at its head, and adds to hits what strikes.
func (in *injector) late(q *query, rules []*rule, hits *[]hit, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := ask(next, r)
		defer a.end()
		e := wire.Exchange{Route: q.route, Response: wire.Response{Status: a.status}}
		before := len(*hits)
		in.mu.Lock()
		for _, x := range rules {
			if !x.match.op(q.route.Op) && x.match.maybe(q.route.Op) && x.match.request(q) && x.match.answered(e) && in.suits(x.Effect, q) {
				*hits = in.ask(x, q, *hits)
			}
		}
		in.mu.Unlock()
		disturbed(a, (*hits)[before:]).ServeHTTP(w, r)
	})
}
