package report

import (
	"errors"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// A Run is one scenario with one client and one seed, as it is called before
// there is a Result. Two runs under way never have the same ID and Seed.
type Run struct {
	ID     string // as Result.ID
	Title  string
	Client string
	Seed   uint64
	// Secrets are strings that must stand in no report, in no spelling: the
	// passwords and tokens that the scenario deals in.
	Secrets []string
}

// A Firing is one time that a fault struck.
type Firing struct {
	Fault  string
	Op     wire.Op
	Link   string        // the client's end of the connection; not shown
	At     time.Duration // since the run began, on the scenario's clock
	Source string        // where it was declared ("fallback.yaml:9:5"); may be ""
}

// A Progress is one thing that the client said.
type Progress struct {
	Layer string        // the layer's short ID; "" when it is about the push
	Text  string        // one line, without the layer
	At    time.Duration // since the run began, on the scenario's clock
}

// A Sink is told how runs go and what they found. Text, JSON and JUnit are
// sinks; All makes one of several.
//
// Whoever runs scenarios calls a sink's methods one at a time: Start and Ended
// when a run begins and ends, in whatever order that happens; between them
// Exchange, Fault and Progress as things happen; Result once for each run, in the
// order of the scenarios, also for those that were skipped and never started;
// and Summary once, last, also after an interruption. What a sink is given it
// must not change. Exchanges and results come unscrubbed; a sink scrubs what it
// shows.
type Sink interface {
	Start(Run)
	Exchange(Run, wire.Exchange)
	Fault(Run, Firing)
	Progress(Run, Progress)
	Ended(Run)
	Result(Result)
	// Summary ends the report.
	//
	// Errors: the first that writing met, here or before.
	Summary(Summary) error
}

// A Summary counts what a run of many scenarios found.
type Summary struct {
	Counts  map[Outcome]int
	Skipped []Reason // why scenarios were skipped, the most frequent first
	// Fired of Declared faults struck at least once.
	Fired, Declared int
	Seed            uint64 // of the first run; 0 when each scenario had its own
	Elapsed         time.Duration
	Interrupted     bool // not everything that was chosen has run
}

// A Reason says how many scenarios were skipped for the lack of something.
type Reason struct {
	Need  string // "docker"
	Count int
}

// All is a sink that tells every one of sinks, in order, one call at a time
// whoever calls. A nil sink is left out.
func All(sinks ...Sink) Sink {
	a := &all{}
	for _, s := range sinks {
		if s != nil {
			a.sinks = append(a.sinks, s)
		}
	}
	return a
}

type all struct {
	mu    sync.Mutex // held during each call
	sinks []Sink
}

func (a *all) each(tell func(Sink)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sinks {
		tell(s)
	}
}

// Start implements Sink.
func (a *all) Start(r Run) { a.each(func(s Sink) { s.Start(r) }) }

// Exchange implements Sink.
func (a *all) Exchange(r Run, e wire.Exchange) { a.each(func(s Sink) { s.Exchange(r, e) }) }

// Fault implements Sink.
func (a *all) Fault(r Run, f Firing) { a.each(func(s Sink) { s.Fault(r, f) }) }

// Progress implements Sink.
func (a *all) Progress(r Run, p Progress) { a.each(func(s Sink) { s.Progress(r, p) }) }

// Ended implements Sink.
func (a *all) Ended(r Run) { a.each(func(s Sink) { s.Ended(r) }) }

// Result implements Sink.
func (a *all) Result(r Result) { a.each(func(s Sink) { s.Result(r) }) }

// Summary implements Sink.
func (a *all) Summary(sum Summary) error {
	var errs []error
	a.each(func(s Sink) { errs = append(errs, s.Summary(sum)) })
	return errors.Join(errs...)
}
