package scenarios

import (
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A Habit is how a foreign client breaks an invariant by nature.
type Habit struct {
	Because string   // one sentence
	Faults  []string // of the catalogue, one of which must strike the push; nil is any push
	// Always are strikes after which the client is sure to break it: where one alone
	// struck and the invariant holds, the client does so no longer, and the run fails.
	Always []Strike
}

// A Strike is a fault at an operation.
type Strike struct {
	Fault string  // of the catalogue
	Op    wire.Op // which it struck
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
		{"always", func(v *node) { h.Always = d.strikes(v) }},
	})
	if h.Because == "" {
		d.fail(n.at, "", "known %s has no because", invariant)
	}
	return h
}

// strikes reads always: faults, each with the operation that it strikes.
func (d *decoder) strikes(n *node) []Strike {
	var list []Strike
	for _, item := range d.list(n, "always") {
		if item.kind != nodeMap || len(item.entries) != 1 {
			d.fail(item.at, "", "always is a list of faults, each with the operation that it strikes, such as [commit-fake: manifest.put]")
			continue
		}
		e := item.entries[0]
		op := d.text(e.value, "operation")
		if !slices.Contains(operationNames(), op) {
			d.fail(e.value.at, "", "%q is not an operation%s", op, didYouMean(op, operationNames()))
		}
		if _, ok := fakeregistry.KindOf(e.key); !ok {
			d.fail(e.at, "", "%q is not a fault%s", e.key, didYouMean(e.key, faultNames()))
		}
		list = append(list, Strike{e.key, wire.Op(op)})
	}
	return list
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

// outgrown are the findings of a foreign client that was sure to break an invariant
// and did not: none where more than one thing went wrong, or it came to no end.
func (p *seenPush) outgrown(name string) []finding {
	if p.foreign == nil || p.cancelled || p.hung || len(p.firings) == 0 {
		return nil
	}
	first := p.firings[0]
	if slices.ContainsFunc(p.firings, func(f firing) bool { return f.fault != first.fault || f.op != first.op }) {
		return nil
	}
	h := p.foreign.known[name]
	if !slices.Contains(h.Always, Strike{first.fault, first.op}) {
		return nil
	}
	return []finding{{
		outgrown: p.foreign.name + " is known to break this when " + first.fault + " strikes " + string(first.op) +
			" (" + h.Because + ") and did not: its adapter's list is wrong",
		seq: first.seq,
	}}
}
