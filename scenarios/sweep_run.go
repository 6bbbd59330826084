package scenarios

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A sweeping is a sweep under way.
type sweeping struct {
	*SweepReport
	ground SweepGround
	runner *Runner
	faults map[*SweepCell]*Fault
	steps  map[*SweepCell]SweepStep
}

// sweep runs the cells of a report. Each is run as its file says: what is offered
// is what was run.
func (r *Runner) sweep(ctx context.Context, rep *SweepReport, ground SweepGround, kinds []fakeregistry.Kind, told func(done, total int)) error {
	w := &sweeping{SweepReport: rep, ground: ground, faults: map[*SweepCell]*Fault{}, steps: map[*SweepCell]SweepStep{}}
	var all []*SweepCell
	for _, k := range kinds {
		row := make([]*SweepCell, len(rep.Steps))
		for i, step := range rep.Steps {
			if f := sweepFault(k, step); f != nil {
				row[i] = &SweepCell{}
				w.faults[row[i]], w.steps[row[i]] = f, step
				all = append(all, row[i])
			}
		}
		if slices.ContainsFunc(row, func(c *SweepCell) bool { return c != nil }) {
			rep.Faults, rep.Cells = append(rep.Faults, k), append(rep.Cells, row)
		}
	}
	rep.Total = len(all)
	var done atomic.Int64
	w.runner = r.counting(func() {
		if told != nil {
			told(int(done.Add(1)), len(all))
		}
	})
	err := w.run(ctx, all, nil)
	waivers := map[*SweepCell]map[string]string{}
	var again []*SweepCell
	for _, c := range all {
		if c.Verdict == SweepBroken {
			if waivers[c] = c.waivers(w.faults[c].Name, w.late(w.steps[c])); waivers[c] != nil {
				again = append(again, c)
			}
		}
	}
	if err == nil && len(again) > 0 {
		w.runner = r
		err = w.run(ctx, again, waivers)
	}
	w.drop()
	if err == nil {
		err = w.shrink(ctx)
	}
	return err
}

// late reports whether a step comes after the last manifest.
func (w *sweeping) late(at SweepStep) bool {
	place := 0
	for _, s := range stepsOf(w.Clean, w.known) {
		if s.Op == wire.OpManifestPut {
			place = s.Place
		}
	}
	return place > 0 && at.Place > place
}

// maxShrunk bounds how many broken cells of a sweep are shrunk.
const maxShrunk = 20

// shrink puts a smaller scenario that fails alike in the place of those that are
// offered for broken cells, where the client is an era: it takes many pushes.
func (w *sweeping) shrink(ctx context.Context) error {
	own := *w.runner
	own.Done = nil
	for i, c := range w.Breaks() {
		list, err := Decode(c.Name, []byte(c.Text))
		if err != nil || i == maxShrunk || foreignClient(list[0].Client) {
			break
		}
		small, err := own.Shrink(ctx, list[0], own.firstSeed(list[0]))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil: // else it fails no longer, and stays as it is
			c.Text = string(small.Source)
		}
	}
	return nil
}

// run runs cells, with waivers where there are any.
func (w *sweeping) run(ctx context.Context, list []*SweepCell, waivers map[*SweepCell]map[string]string) error {
	cells := map[string]*SweepCell{}
	var all []*Scenario
	for _, c := range list {
		one, err := w.file(c, waivers[c])
		if err != nil {
			return err
		}
		cells[one.ID] = c
		all = append(all, one)
	}
	summary, err := w.runner.Run(ctx, all)
	for _, res := range summary.Results {
		c := cells[res.ID]
		if c.Verdict == "" {
			w.Ran++
		}
		c.fill(res, w.Clean)
	}
	return err
}

// drop takes cells out that the sweep did not come to.
func (w *sweeping) drop() {
	for _, row := range w.Cells {
		for i, c := range row {
			if c != nil && c.Verdict == "" {
				row[i] = nil
			}
		}
	}
}

// counting is r with a further ear for the end of each run.
func (r *Runner) counting(ended func()) *Runner {
	own := *r
	own.Done = func(res Result) {
		if r.Done != nil {
			r.Done(res)
		}
		ended()
	}
	return &own
}

// file is the scenario of one cell, read from the file that it is offered as.
func (w *sweeping) file(c *SweepCell, waive map[string]string) (*Scenario, error) {
	made := w.Sweep.scenario(w.ground, w.faults[c], w.steps[c])
	made.Expect.Waive = waive
	c.Name, c.Text = made.ID+".yaml", string(Encode(made))
	own := file{name: c.Name, id: made.ID}
	if made.Client.Adapter != "" { // it may be one of the user's
		own.clients = []string{made.Client.Adapter}
	}
	list, err := decodeFile(own, []byte(c.Text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	one := list[0]
	one.ID, one.Name = made.ID, made.ID
	return one, nil
}

// fill gives a cell its result and its verdict.
func (c *SweepCell) fill(res, clean Result) {
	c.Result, c.Broken = res, nil
	c.Result.Again = "pushcheck run " + c.Name + " --trace"
	c.Extra = requestCount(res) - requestCount(clean)
	for _, v := range res.Invariants {
		if !v.Holds && v.Name != "fired" {
			c.Broken = append(c.Broken, v.Name)
		}
	}
	c.Verdict = verdictOf(res, c.Extra, slices.ContainsFunc(c.Broken, grave))
}

// verdictOf is how a push under one fault came out.
func verdictOf(res Result, extra int, known bool) string {
	failed := func(name string) bool {
		return slices.ContainsFunc(res.Failures, func(f report.Failure) bool { return f.Name == name })
	}
	hung := failed("timeout") || failed("expect.result")
	struck := slices.ContainsFunc(res.Fired, func(f report.Count) bool { return f.Times > 0 })
	others := slices.ContainsFunc(res.Failures, func(f report.Failure) bool {
		return f.Name != "timeout" && f.Name != "expect.result" && f.Name != "invariant fired"
	})
	switch {
	case res.Outcome == report.Skipped:
		return SweepSkipped
	case res.Outcome == report.Broken:
		return SweepUnknown
	case others:
		return SweepBroken
	case !struck:
		return SweepUnstruck
	case hung:
		return SweepHung
	case known:
		return SweepKnown
	case res.Ending != ResultPushed:
		return SweepRefused
	case extra > 0:
		return SweepRecovered
	}
	return SweepPushed
}
