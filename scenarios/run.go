package scenarios

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/report"
)

// firstSeed is the seed that a scenario's runs begin with.
func (r *Runner) firstSeed(s *Scenario) uint64 {
	switch {
	case r.Seed > 0:
		return r.Seed
	case s.Seed > 0:
		return s.Seed
	}
	return 1
}

// seeds runs a scenario with each of its seeds, up to the first that fails.
func (r *Runner) seeds(ctx context.Context, s *Scenario, o observer) Result {
	first, runs := r.firstSeed(s), s.Runs
	if r.Runs > 0 {
		runs = r.Runs
	}
	if l := r.lackOf(ctx, s); l.reason != "" {
		res := blank(s, first)
		r.unable(s, l, &res)
		return res
	}
	var res Result
	struck := make([]int, len(declaredAtoms(s)))
	for i := range max(runs, 1) {
		res = r.positions(ctx, s, first+uint64(i), o)
		if res.Outcome == report.Fail || res.Outcome == report.Broken || ctx.Err() != nil {
			return res
		}
		for n := range min(len(struck), len(res.Fired)) { // in the order of declaredAtoms
			struck[n] += res.Fired[n].Times
		}
	}
	if runs > 1 {
		drawn(s, struck, runs, &res)
	}
	return res
}

// drawn fails a result where a fault that uses chance struck in none of the runs.
// In a single run that is no failure: the seed drew so.
func drawn(s *Scenario, struck []int, runs int, res *Result) {
	for i, a := range declaredAtoms(s) {
		f := a.fault
		if f.When.Chance == 0 || f.When.Optional || struck[i] > 0 {
			continue
		}
		res.Outcome, res.Because = report.Fail, ""
		res.Failures = append(res.Failures, invariantFailure(s, "fired", nil, finding{
			broken: fmt.Sprintf("fault %s struck in none of the %d runs", faultTitle(f), runs), at: a.part,
		}))
	}
}

// blank is a result of which nothing is known yet.
func blank(s *Scenario, seed uint64) Result {
	name := s.Name
	if name == "" {
		name = s.ID
	}
	return Result{
		ID: s.ID, Title: s.Title, Position: s.Position, Client: ClientName(s.Client), Seed: seed, Secrets: secretsOf(s),
		Again: again(s, name, seed),
	}
}

// again is the command that runs a scenario once more as it was run.
func again(s *Scenario, name string, seed uint64) string {
	command := "pushcheck run " + name
	if s.As != "" {
		command += " --client " + s.As
	}
	if s.Flags != "" {
		command += " " + s.Flags
	}
	return fmt.Sprintf("%s --seed %d --trace", command, seed)
}

// grace is how long a run may take to end after it was told to.
const grace = 10 * time.Second

// guarded is once with an eye on real time: a run that does not end is broken,
// whatever its own clock says.
func (r *Runner) guarded(ctx context.Context, s *Scenario, seed uint64, o observer) Result {
	limit := r.Watchdog
	if limit <= 0 {
		limit = time.Minute
	}
	if foreignClient(s.Client) { // its own limit goes before the watchdog
		limit += time.Duration(len(s.Steps)) * (r.foreignLimit(s) + foreignSlack)
	}
	real := clock.Real()
	began := real.Now()
	own, cancel := real.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan Result, 1)
	go func() { done <- r.once(own, s, seed, o) }()
	var res Result
	select {
	case res = <-done:
	case <-own.Done():
		late, stop := real.WithTimeout(context.WithoutCancel(ctx), grace)
		defer stop()
		select {
		case res = <-done:
		case <-late.Done():
			res = blank(s, seed)
		}
		if ctx.Err() == nil {
			res.Outcome, res.Because = report.Broken, fmt.Sprintf("it did not end within %s of real time", limit)
		}
	}
	res.Elapsed = real.Now().Sub(began)
	return res
}

// once runs a scenario with one seed.
func (r *Runner) once(ctx context.Context, s *Scenario, seed uint64, o observer) Result {
	res := blank(s, seed)
	broken := func(err error) Result {
		res.Outcome, res.Because = report.Broken, err.Error()
		return res
	}
	dir, err := os.MkdirTemp(r.TempDir, "pushcheck-")
	if err != nil {
		return broken(err)
	}
	w, err := r.world(ctx, s, seed, dir, o)
	if err != nil {
		return broken(errors.Join(err, w.close()))
	}
	limit := timeout(s)
	if r.Timeout > 0 {
		limit = r.Timeout
	}
	own, cancel := w.time().WithTimeout(ctx, limit)
	pushes, err := w.steps(own, r.changes)
	cancel()
	hung := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
	if err != nil && !hung {
		return broken(errors.Join(err, w.close()))
	}
	if err := w.unseen(); err != nil {
		return broken(errors.Join(err, w.close()))
	}
	w.tidy(context.WithoutCancel(ctx), pushes)
	if cannot := w.cannot(pushes); cannot != "" {
		r.unable(s, lack{"ability", cannot}, &res)
		if err := w.close(); err != nil {
			return broken(err)
		}
		return res
	}
	w.judge(&res, pushes)
	if hung && len(res.Failures) == 0 {
		res.Failures = append(res.Failures, report.Failure{
			Name: "timeout", Message: fmt.Sprintf("it did not end within %s of its own time", limit), Position: s.Position, Source: lineOf(s, s.Position.Line),
		})
	}
	if err := w.close(); err != nil {
		return broken(err)
	}
	settle(s, &res)
	return res
}

// world builds the world of one run, whoever pushes in it. The caller closes it,
// also after an error.
func (r *Runner) world(ctx context.Context, s *Scenario, seed uint64, dir string, o observer) (*world, error) {
	if foreignClient(s.Client) {
		return newForeignWorld(ctx, s, seed, dir, r, o)
	}
	w, err := newWorld(ctx, s, seed, dir, r.Log, r.changes)
	w.observer = o
	return w, err
}

// judge fills a result from what was seen.
func (w *world) judge(res *Result, pushes []*seenPush) {
	for _, p := range pushes {
		res.Failures = append(res.Failures, judgeExpect(w.s, p)...)
	}
	res.Failures = append(res.Failures, w.judgeProbes()...)
	var failures []report.Failure
	res.Invariants, failures = judgeInvariants(w.s, pushes, w.idle())
	res.Failures = append(res.Failures, failures...)
	if w.foreign != nil {
		res.Said = w.foreign.words(res.Secrets)
	}
	res.Trace = w.join(w.trace())
	res.Virtual, res.Names = w.elapsed().Truncate(turnsShow), w.contents.digests()
	if len(pushes) > 0 {
		last := pushes[len(pushes)-1]
		res.Ending = last.ending()
		w.evidence(res, last)
	}
	if w.observer.struck != nil {
		w.observer.struck(w.strikes())
	}
	counts := w.struck()
	for _, d := range w.declared {
		res.Fired = append(res.Fired, report.Count{Fault: faultTitle(d.fault), Times: counts[d]})
	}
}

// judgeProbes compares what the probes found with what was expected.
func (w *world) judgeProbes() []report.Failure {
	var list []report.Failure
	for i, x := range w.s.Probes {
		part := partIndex("probe", i)
		at := partPosition(w.s, part)
		fail := func(format string, args ...any) {
			list = append(list, report.Failure{Name: part, Message: fmt.Sprintf(format, args...), Position: at, Source: lineOf(w.s, at.Line)})
		}
		n := slices.IndexFunc(w.probed, func(r probeResult) bool { return r.index == i })
		switch want, _ := w.contents.digestOf(x.Body); {
		case n < 0:
			fail("it was never asked: its moment did not come")
		case w.probed[n].status != x.Status:
			fail("%s of %s was answered %d, not %d", x.Op, x.Content, w.probed[n].status, x.Status)
		case x.Body != "" && w.probed[n].digest != want:
			fail("%s of %s gave other bytes than those of %s", x.Op, x.Content, x.Body)
		}
	}
	return list
}

// settle decides the outcome: known failures are not failures, and a known
// failure that does not happen is one.
func settle(s *Scenario, res *Result) {
	i := slices.IndexFunc(s.Known, func(k Known) bool { return k.Client == ClientName(s.Client) || k.Client == EraName(s.Client) })
	switch {
	case i < 0 && len(res.Failures) > 0:
		res.Outcome = report.Fail
	case i < 0:
		res.Outcome = report.Pass
	case len(res.Failures) == 0:
		res.Outcome = report.Fail
		res.Failures = []report.Failure{unexpected(s, s.Known[i], "it passed")}
	case covers(s.Known[i], res.Failures):
		res.Outcome, res.Because = report.Known, s.Known[i].Because
		if s.Known[i].See != "" {
			res.Because += " (" + s.Known[i].See + ")"
		}
		held(s, s.Known[i], res)
	default:
		res.Outcome = report.Fail
	}
}

// held fails a known failure of which a part does not happen any more.
func held(s *Scenario, k Known, res *Result) {
	for _, part := range k.Fails {
		if slices.ContainsFunc(res.Failures, func(f report.Failure) bool { return partOf(f.Name) == part }) {
			continue
		}
		res.Outcome, res.Because = report.Fail, ""
		res.Failures = append(res.Failures, unexpected(s, k, part+" held"))
	}
}

// unexpected is the failure of what is known to fail and did not.
func unexpected(s *Scenario, k Known, what string) report.Failure {
	at := partPosition(s, "known."+k.Client)
	return report.Failure{
		Name: "known." + k.Client, Message: what + ", although it is known to fail: " + k.Because, Position: at, Source: lineOf(s, at.Line),
	}
}

// covers reports whether every failure is one that is known. What is not named still
// counts, but for one: where the result is known to be another, what else was expected
// was expected of a push that did not happen. Invariants hold of every push.
func covers(k Known, failures []report.Failure) bool {
	other := slices.Contains(k.Fails, "result") && slices.ContainsFunc(failures, func(f report.Failure) bool { return partOf(f.Name) == "result" })
	for _, f := range failures {
		if other && !strings.HasPrefix(f.Name, "invariant ") {
			continue
		}
		if !slices.Contains(k.Fails, partOf(f.Name)) {
			return false
		}
	}
	return true
}

// partOf is the part of expect, or the invariant, that a failure's name is about.
func partOf(name string) string {
	if rest, ok := strings.CutPrefix(name, "invariant "); ok {
		return rest
	}
	_, rest, found := strings.Cut(name, "expect.")
	if !found {
		rest = name
	}
	part, _, _ := strings.Cut(rest, ".")
	part, _, _ = strings.Cut(part, "[")
	return part
}
