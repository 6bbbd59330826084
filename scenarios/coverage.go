package scenarios

import (
	"maps"
	"slices"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A Coverage is a report.Sink that notes which faults struck what, and which
// invariants were put to the test. Make one with NewCoverage, give it to a Runner,
// and ask it when the run has ended. It is not safe for concurrent use; a Runner
// calls its sink one call at a time.
type Coverage struct {
	struck     map[string]map[wire.Op]int // by fault
	runs       map[string]map[string]bool // IDs of scenarios, by fault
	invariants map[string]*InvariantReach // by name
	skipped    map[string]map[string]bool // why scenarios that declare a fault were skipped, by fault
}

var _ report.Sink = (*Coverage)(nil)

// NewCoverage makes a coverage of a run of list.
func NewCoverage(list []*Scenario) *Coverage {
	c := &Coverage{
		struck: map[string]map[wire.Op]int{}, runs: map[string]map[string]bool{}, invariants: map[string]*InvariantReach{},
		skipped: map[string]map[string]bool{},
	}
	for _, s := range list {
		reason := SkipReason(s)
		if reason == "" {
			continue
		}
		for _, name := range declaredIn(s) {
			note(c.skipped, name, reason)
		}
	}
	return c
}

// declaredIn names the faults that a scenario declares.
func declaredIn(s *Scenario) []string {
	var names []string
	for _, f := range allFaults(s) {
		if f.Name != "" {
			names = append(names, f.Name)
		}
		names = append(names, f.AnyOf...)
	}
	return names
}

func note(sets map[string]map[string]bool, key, member string) {
	if sets[key] == nil {
		sets[key] = map[string]bool{}
	}
	sets[key][member] = true
}

// A FaultReach is how far one fault of the catalogue was tried.
type FaultReach struct {
	Name, Layer string
	Ops         map[wire.Op]int // how often it struck each operation
	Scenarios   []string        // IDs of those in which it struck, in order
	// Skipped says why scenarios that declare it did not run ("needs a clock"), in order.
	Skipped []string
}

// Times is how often the fault struck.
func (r FaultReach) Times() int {
	n := 0
	for _, k := range r.Ops {
		n += k
	}
	return n
}

// An InvariantReach is how often one invariant was judged, and with what result.
type InvariantReach struct {
	Name                string
	Held, Known, Broken int // pushes; Known are waived or an era's known deviation
}

// Faults is every fault of the catalogue, in its order.
func (c *Coverage) Faults() []FaultReach {
	var list []FaultReach
	for _, k := range fakeregistry.Kinds() {
		list = append(list, FaultReach{
			Name: k.Name, Layer: k.Layer, Ops: c.struck[k.Name],
			Scenarios: slices.Sorted(maps.Keys(c.runs[k.Name])), Skipped: slices.Sorted(maps.Keys(c.skipped[k.Name])),
		})
	}
	return list
}

// Invariants is every standing invariant, in the order of every report.
func (c *Coverage) Invariants() []InvariantReach {
	var list []InvariantReach
	for _, name := range InvariantNames() {
		r := InvariantReach{Name: name}
		if seen := c.invariants[name]; seen != nil {
			r = *seen
		}
		list = append(list, r)
	}
	return list
}

// Start implements report.Sink.
func (*Coverage) Start(report.Run) {}

// Exchange implements report.Sink.
func (*Coverage) Exchange(report.Run, wire.Exchange) {}

// Progress implements report.Sink.
func (*Coverage) Progress(report.Run, report.Progress) {}

// Ended implements report.Sink.
func (*Coverage) Ended(report.Run) {}

// Fault implements report.Sink.
func (c *Coverage) Fault(r report.Run, f report.Firing) {
	name := f.Fault
	if c.struck[name] == nil {
		c.struck[name] = map[wire.Op]int{}
	}
	c.struck[name][f.Op]++
	note(c.runs, name, r.ID)
}

// Result implements report.Sink.
func (c *Coverage) Result(r report.Result) {
	for _, v := range r.Invariants {
		reach := c.invariants[v.Name]
		if reach == nil {
			reach = &InvariantReach{Name: v.Name}
			c.invariants[v.Name] = reach
		}
		switch {
		case v.Holds:
			reach.Held++
		case v.Waived != "":
			reach.Known++
		default:
			reach.Broken++
		}
	}
}

// Summary implements report.Sink.
func (*Coverage) Summary(report.Summary) error { return nil }
