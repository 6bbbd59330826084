package scenarios

import (
	"context"
	"fmt"
	"slices"

	"github.com/pushcheck/pushcheck/internal/report"
)

// maxPositions bounds how often "nth: each" runs a scenario.
const maxPositions = 1000

// eachNth is the index of the fault that has "nth: each"; -1 for none.
func eachNth(s *Scenario) int {
	return slices.IndexFunc(s.Faults, func(f Fault) bool { return f.EachNth })
}

// striking is a scenario whose fault i, which has "nth: each", strikes the nth request.
func striking(s *Scenario, i, n int) *Scenario {
	one := *s
	one.Faults = slices.Clone(s.Faults)
	one.Faults[i].EachNth, one.Faults[i].When.Nth = false, n
	return &one
}

// positions runs a scenario once or, where a fault has "nth: each", again and
// again: the fault strikes the first request that it selects, then in a fresh run
// the second, and so on until there is none left to strike. The result is that of
// the first run that fails, else of the last in which the fault struck.
func (r *Runner) positions(ctx context.Context, s *Scenario, seed uint64, o observer) Result {
	i := eachNth(s)
	if i < 0 {
		return r.guarded(ctx, s, seed, o)
	}
	var last Result
	for n := 1; n <= maxPositions; n++ {
		res := r.guarded(ctx, striking(s, i, n), seed, o)
		struck := i < len(res.Fired) && res.Fired[i].Times > 0
		switch {
		case res.Outcome == report.Broken || ctx.Err() != nil:
			return res
		case !struck && n > 1:
			return last // there is no nth request: this run says nothing
		case res.Outcome == report.Fail:
			for j := range res.Failures {
				res.Failures[j].Message += fmt.Sprintf(" (fault %s at request %d)", faultTitle(s.Faults[i]), n)
			}
			return res
		}
		last = res
	}
	return last
}
