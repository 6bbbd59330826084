package scenarios

import (
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// tellers are those who want to know how runs go.
type tellers struct {
	runner *Runner
	sink   report.Sink // one call at a time
}

func (t tellers) started(s *Scenario, run report.Run) {
	if t.runner.Started != nil {
		t.runner.Started(s)
	}
	t.sink.Start(run)
}

func (t tellers) ended(res Result, run report.Run) {
	if t.runner.Done != nil {
		t.runner.Done(res)
	}
	t.sink.Ended(run)
}

func (t tellers) result(res Result) {
	if t.runner.Emit != nil {
		t.runner.Emit(res)
	}
	t.sink.Result(res)
}

// An observer hears of one run while it goes on.
type observer struct {
	exchange func(wire.Exchange)
	progress func(report.Progress)
	fault    func(report.Firing)
	// struck, when not nil, is told at the end of a run what struck, in order.
	struck func([]struckFault)
}

func (t tellers) observer(run report.Run) observer {
	return observer{
		exchange: func(e wire.Exchange) { t.sink.Exchange(run, e) },
		progress: func(p report.Progress) { t.sink.Progress(run, p) },
		fault:    func(f report.Firing) { t.sink.Fault(run, f) },
	}
}

// progressOf is an event of the client as reports show it.
func (w *world) progressOf(e pusher.Event) report.Progress {
	return report.Progress{Layer: e.ID, Text: e.Status, At: w.elapsed()}
}
