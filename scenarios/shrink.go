package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/internal/report"
)

// A Shrunk is the smallest scenario that was found to fail as another one did.
type Shrunk struct {
	// Scenario fails by itself, in one run, without chance: its faults are those
	// that matter, each at the request that it must strike.
	Scenario *Scenario
	Source   []byte // Scenario as a file, which lints
	Failure  Failure
	Struck   int // how often faults struck in the run that was shrunk
	Tried    int // how many runs it took
}

// Failure is one expectation or invariant that did not hold.
type Failure = report.Failure

// ErrPassed is the error of Shrink for a scenario that does not fail.
var ErrPassed = errors.New("it passes with this seed: there is nothing to shrink")

// Shrink runs s with one seed and, where it fails, looks for the smallest scenario
// that fails by the same expectation or invariant. Whatever struck in the run, by
// chance or not, becomes a fault at one request; of these as few are kept as make
// it fail, with as few and small layers and as plain settings as do. The same
// scenario and seed give the same result. Nothing is told to the Runner's Sink and
// callbacks.
//
// Errors: ErrPassed; *Errors when s is wrong; why s or its seed could not be run;
// ctx's error, with the smallest scenario so far when there is one, else nil.
func (r *Runner) Shrink(ctx context.Context, s *Scenario, seed uint64) (*Shrunk, error) {
	if err := Validate(s); err != nil {
		return nil, err
	}
	if l := lackOf(s); l.reason != "" {
		return nil, fmt.Errorf("it cannot be run: %s", l.reason)
	}
	h := &shrinker{runner: r, seed: seed}
	found, err := h.first(ctx, s)
	if err != nil {
		return nil, err
	}
	found = h.explicit(ctx, found)
	found = h.fewerFaults(ctx, found)
	found = h.simpler(ctx, found)
	return &Shrunk{
		Scenario: found.s, Source: shrunkFile(found.s, found.failure, s, seed), Failure: found.failure, Struck: h.struck, Tried: h.tried,
	}, ctx.Err()
}

// A shrinker tries scenarios for one that still fails.
type shrinker struct {
	runner *Runner
	seed   uint64
	kind   string // of the failure that every candidate must have
	struck int
	tried  int
}

// A failing scenario is one that was seen to fail, with what struck then.
type failing struct {
	s       *Scenario
	failure report.Failure
	struck  []struckFault
}

// kindOf is what two failures share that are the same to whoever mends them: the
// expectation or the invariant.
func kindOf(f report.Failure) string {
	name, _, _ := strings.Cut(f.Name, "[")
	return name
}

// first runs the scenario as it is and settles what its failure is.
func (h *shrinker) first(ctx context.Context, s *Scenario) (failing, error) {
	one := *s
	one.Runs, one.Seed, one.Known = 0, h.seed, nil
	// The positions of "nth: each" are gone through here: the one that fails counts.
	i := eachNth(s)
	for n := 1; n <= maxPositions; n++ {
		at := &one
		if i >= 0 {
			at = striking(&one, i, n)
		}
		found, res := h.run(ctx, at)
		switch {
		case ctx.Err() != nil:
			return failing{}, ctx.Err()
		case res.Outcome == report.Broken:
			return failing{}, errors.New(res.Because)
		case i >= 0 && n > 1 && res.Fired[i].Times == 0, res.Outcome != report.Fail && i < 0:
			return failing{}, ErrPassed
		case res.Outcome == report.Fail:
			h.settleOn(&found, res)
			return found, nil
		}
	}
	return failing{}, ErrPassed
}

// settleOn chooses the failure to keep: the first that is not that a fault never
// struck, which fewer faults would mend.
func (h *shrinker) settleOn(found *failing, res Result) {
	found.failure = res.Failures[0]
	for _, f := range res.Failures {
		if kindOf(f) != "invariant fired" {
			found.failure = f
			break
		}
	}
	h.kind, h.struck = kindOf(found.failure), len(found.struck)
}

// run runs a candidate once.
func (h *shrinker) run(ctx context.Context, s *Scenario) (failing, Result) {
	h.tried++
	found := failing{s: s}
	res := h.runner.guarded(ctx, s, h.seed, observer{struck: func(list []struckFault) { found.struck = list }})
	return found, res
}

// fails runs a candidate and reports whether it fails as it should, and not only
// because a fault of its own never struck.
func (h *shrinker) fails(ctx context.Context, s *Scenario) (failing, bool) {
	if Validate(s) != nil || ctx.Err() != nil {
		return failing{}, false
	}
	found, res := h.run(ctx, s)
	if res.Outcome != report.Fail {
		return found, false
	}
	good := false
	for _, f := range res.Failures {
		switch kindOf(f) {
		case h.kind:
			if !good {
				found.failure = f
			}
			good = true
		case "invariant fired":
			return found, false
		}
	}
	return found, good
}

// explicit puts in the place of every fault what it did: a fault at one request for
// each time that it struck. Where that does not fail any more, because what a fault
// drew cannot be said in a file, the faults stay as they were.
func (h *shrinker) explicit(ctx context.Context, found failing) failing {
	candidate := withAtoms(found.s, atomsOf(found.s, found.struck))
	for range 4 { // what strikes no more, for another took its place, goes
		next, ok := h.fails(ctx, candidate)
		if ok {
			return next
		}
		all := declaredAtoms(candidate)
		struck := slices.DeleteFunc(slices.Clone(all), func(a atom) bool {
			return !slices.ContainsFunc(next.struck, func(f struckFault) bool { return f.part == a.part })
		})
		if len(struck) == len(all) {
			return found
		}
		candidate = withAtoms(candidate, struck)
	}
	return found
}

// fewerFaults keeps as few faults as still make it fail.
func (h *shrinker) fewerFaults(ctx context.Context, found failing) failing {
	best := found
	minimise(declaredAtoms(found.s), func(atoms []atom) bool {
		next, ok := h.fails(ctx, withAtoms(found.s, atoms))
		if ok {
			best = next
		}
		return ok
	})
	return best
}

// simpler takes every step towards a plainer scenario after which it still fails,
// until none is left.
func (h *shrinker) simpler(ctx context.Context, found failing) failing {
	for progress := true; progress && ctx.Err() == nil; {
		progress = false
		for _, candidate := range plainer(found.s) {
			_, once := h.fails(ctx, candidate)
			if !once {
				continue
			}
			if next, twice := h.fails(ctx, candidate); twice { // layers that go at once may take turns
				found, progress = next, true
				break
			}
		}
	}
	return found
}

// shrunkFile is a shrunk scenario as a file that says what it is.
func shrunkFile(s *Scenario, f report.Failure, from *Scenario, seed uint64) []byte {
	head := fmt.Sprintf("# What is left of %s, seed %d, and fails as it did:\n#   %s: %s\n# Run it: save it as shrunk.yaml, then  pushcheck run shrunk.yaml --trace\n",
		from.ID, seed, f.Name, strings.ReplaceAll(f.Message, "\n", " "))
	return append([]byte(head), Encode(s)...)
}

// Chancy reports whether what a scenario does depends on its seed: a fault strikes
// by chance, or is another one each time.
func (s *Scenario) Chancy() bool {
	return slices.ContainsFunc(declaredAtoms(s), func(a atom) bool { return !whole(a.fault) })
}
