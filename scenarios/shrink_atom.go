package scenarios

import (
	"maps"
	"slices"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A struckFault is one time that a declared fault struck.
type struckFault struct {
	fakeregistry.Firing
	part    string // which fault of the scenario it was: "faults[1]"
	content string // name of what the request was about; "" when it has none
}

// An atom is one fault of a scenario, with where it stands.
type atom struct {
	part  string // "faults[1]", "steps[2].faults[1]"
	step  int    // index of the step; -1 for the whole scenario
	fault Fault
}

// strikes lists what struck in the run, in order.
func (w *world) strikes() []struckFault {
	var list []struckFault
	for _, h := range w.hosts {
		for _, f := range h.server.Fired() {
			if d := w.declaredAt(h, f.Index); d != nil {
				list = append(list, struckFault{f, d.part, w.contents.named(f.Digest)})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b struckFault) int { return a.At.Compare(b.At) })
	return list
}

// declaredAtoms are a scenario's faults as they stand.
func declaredAtoms(s *Scenario) []atom {
	var list []atom
	for i, f := range s.Faults {
		list = append(list, atom{partIndex("faults", i), -1, f})
	}
	for n, t := range s.Steps {
		for i, f := range t.Faults {
			list = append(list, atom{partIndex(partIndex("steps", n)+".faults", i), n, f})
		}
	}
	return list
}

// allFaults are a scenario's faults, those of its steps too.
func allFaults(s *Scenario) []Fault {
	var list []Fault
	for _, a := range declaredAtoms(s) {
		list = append(list, a.fault)
	}
	return list
}

// atomsOf are a fault for each time that one struck. A fault that strikes without a
// request, or every request until the end, stays what it is.
func atomsOf(s *Scenario, struck []struckFault) []atom {
	var list []atom
	for _, a := range declaredAtoms(s) {
		if whole(a.fault) {
			list = append(list, a)
			continue
		}
		for _, f := range struck {
			if f.part == a.part && !f.Again {
				list = append(list, atom{a.part, a.step, explicitFault(a.fault, f)})
			}
		}
	}
	return list
}

// whole reports whether a fault is certain where and when it strikes, so that there
// is nothing that a firing says better.
func whole(f Fault) bool { return f.Name != "" && f.When.Chance == 0 }

// explicitFault is a fault that strikes the one request that another one struck.
func explicitFault(f Fault, struck struckFault) Fault {
	one := Fault{Name: struck.Fault, Where: f.Where, Position: f.Position}
	if f.Name != "" {
		one.Args = maps.Clone(f.Args)
	}
	one.When = fakeregistry.Trigger{Nth: struck.Nth}
	if struck.Op == wire.OpEvent {
		one.When = f.When
		one.When.Chance = 0
		return one
	}
	one.Where.Ops = nil
	for _, p := range f.Where.Ops {
		if p.MatchOp(struck.Op) && p.Answer != "" {
			one.Where.Ops = append(one.Where.Ops, Pattern{Op: string(struck.Op), Answer: p.Answer})
		}
	}
	if one.Where.Ops == nil {
		one.Where.Ops = []Pattern{{Op: string(struck.Op)}}
	}
	if one.Where.Digest == "" {
		one.Where.Digest = struck.content
		if struck.content == "" {
			one.Where.Digest = string(struck.Digest)
		}
	}
	return one
}

// withAtoms is a scenario with these faults and no others, in the order of atoms.
func withAtoms(s *Scenario, atoms []atom) *Scenario {
	one := *s
	one.Faults = nil
	one.Steps = slices.Clone(s.Steps)
	for i := range one.Steps {
		one.Steps[i].Faults = nil
	}
	for _, a := range atoms {
		if a.step < 0 {
			one.Faults = append(one.Faults, a.fault)
		} else {
			one.Steps[a.step].Faults = append(one.Steps[a.step].Faults, a.fault)
		}
	}
	return &one
}
