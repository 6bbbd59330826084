package fakeregistry

import (
	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// An occasion is what a firing is told apart by: the fault, and the operation and
// content of the request. An empty digest stands for any content.
type occasion struct {
	name   string
	op     wire.Op
	digest digest.Digest
}

// count notes a request that the rule selects. The injector's mu is held.
func (r *rule) count(q *query) {
	if list, ok := r.Effect.(anyOf); ok {
		seen := map[string]bool{}
		for _, f := range list.fit(q) {
			if !seen[f.Name] && wants(f.Effect, q) {
				seen[f.Name] = true
				r.countOne(f.Name, q)
			}
		}
		return
	}
	r.countOne(r.Name, q)
}

func (r *rule) countOne(name string, q *query) {
	if r.counts == nil {
		r.counts = map[occasion]int{}
	}
	r.counts[occasion{name, q.route.Op, ""}]++
	if d := q.digest(); d != "" {
		of := occasion{name, q.route.Op, d}
		n, _ := r.digests.get(of)
		r.digests.put(of, n+1)
	}
}

// nth is which of its occasion the request is that was counted last. The injector's
// mu is held.
func (r *rule) nth(name string, q *query) int {
	of := occasion{name, q.route.Op, q.digest()}
	if of.digest == "" {
		return r.counts[of]
	}
	n, _ := r.digests.get(of)
	return n
}
