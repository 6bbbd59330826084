package fakeregistry

import (
	"net/http"
)

// AnyOf is an effect that is one of several each time, drawn from the seed among
// those whose On selects the request. A firing has the name of the one that was
// drawn. Faults that strike connections or events cannot be among them.
func AnyOf(faults []Fault) Effect { return anyOf(faults) }

type anyOf []Fault

// A chooser is an effect that is another one each time.
type chooser interface {
	// pick returns nil when none suits the request.
	pick(q *query, draw uint64) Effect
}

func (list anyOf) pick(q *query, draw uint64) Effect {
	fit := list.fit(q)
	if len(fit) == 0 {
		return nil
	}
	f := fit[mix(draw)%uint64(len(fit))]
	return named{f.Effect, f.Name}
}

// fit are those whose On selects the request.
func (list anyOf) fit(q *query) []Fault {
	var fit []Fault
	for _, f := range list {
		m, err := newMatcher(f.On)
		if err == nil && !connecting(f.Effect) && m.op(q.route.Op) && m.request(q) {
			fit = append(fit, f)
		}
	}
	return fit
}

// Disturb implements Effect; the engine calls the one that was drawn.
func (anyOf) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) { pass(w, r, next) }

// named is an effect of AnyOf.
type named struct {
	Effect
	name string
}

func (n named) faultName() string { return n.name }

// Class implements Classed.
func (n named) Class() Class { return classOf(n.Effect) }
