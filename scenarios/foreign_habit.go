package scenarios

import (
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// A Habit is how a foreign client breaks an invariant by nature.
type Habit struct {
	Because string   // one sentence
	Faults  []string // of the catalogue, one of which must strike the push; nil is any push
}

// habits reads known: each invariant with a reason, or with a reason and faults.
func (d *decoder) habits(n *node) map[string]Habit {
	if n.kind != nodeMap {
		d.fail(n.at, "", "known is %s; want a map from invariants to reasons", nodeText[n.kind])
		return nil
	}
	m := map[string]Habit{}
	for _, e := range n.entries {
		var h Habit
		if e.value.kind == nodeMap {
			h = d.habit(e.value, e.key)
		} else {
			h.Because = d.plainText(e.value, "known "+e.key)
		}
		m[e.key] = h
		if !knownInvariant(e.key) {
			d.fail(e.at, "the invariants are: "+strings.Join(InvariantNames(), ", "), "%q is not an invariant%s", e.key, didYouMean(e.key, InvariantNames()))
		}
	}
	return m
}

// habit reads a reason and the faults that it is of.
func (d *decoder) habit(n *node, invariant string) Habit {
	var h Habit
	d.block(n, "known "+invariant, "known", []field{
		{"because", func(v *node) { h.Because = d.plainText(v, "because") }},
		{"faults", func(v *node) {
			h.Faults = d.texts(v, "faults")
			for _, name := range h.Faults {
				if _, ok := fakeregistry.KindOf(name); !ok {
					d.fail(v.at, "", "%q is not a fault%s", name, didYouMean(name, faultNames()))
				}
			}
		}},
	})
	if h.Because == "" {
		d.fail(n.at, "", "known %s has no because", invariant)
	}
	return h
}

// forgiven is why a foreign client breaks an invariant by nature; "" for one that
// it must keep.
func (p *seenPush) forgiven(name string) string {
	if p == nil || p.foreign == nil {
		return ""
	}
	h := p.foreign.known[name]
	struck := func(fault string) bool {
		return slices.ContainsFunc(p.firings, func(f firing) bool { return f.fault == fault })
	}
	if h.Faults != nil && !slices.ContainsFunc(h.Faults, struck) {
		return ""
	}
	return h.Because
}
