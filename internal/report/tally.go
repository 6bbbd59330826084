package report

import (
	"slices"
	"strings"
)

// A Tally counts results. The zero Tally is empty; it is not safe for concurrent use.
type Tally struct {
	sum   Summary
	needs map[string]int
}

// Add counts one result. The faults of a scenario that was skipped do not count
// as declared.
func (t *Tally) Add(r Result) {
	if t.sum.Counts == nil {
		t.sum.Counts, t.needs = map[Outcome]int{}, map[string]int{}
	}
	t.sum.Counts[r.Outcome]++
	if r.Outcome == Skipped {
		t.needs[r.Need]++
		return
	}
	for _, f := range r.Fired {
		t.sum.Declared++
		if f.Times > 0 {
			t.sum.Fired++
		}
	}
}

// Summary is what was counted so far; seed, time and interruption are the
// caller's to fill in.
func (t *Tally) Summary() Summary {
	s := t.sum
	for need, n := range t.needs {
		if need != "" {
			s.Skipped = append(s.Skipped, Reason{need, n})
		}
	}
	slices.SortFunc(s.Skipped, func(a, b Reason) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Need, b.Need)
	})
	return s
}
