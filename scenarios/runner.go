package scenarios

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/internal/report"
)

// A Runner runs scenarios. Its zero value runs as many at once as there are
// processors, each with its own seeds, and tells nobody. It is safe for
// concurrent use.
type Runner struct {
	Parallel int           // scenarios at once; 0 is the number of processors
	Seed     uint64        // 0 is each scenario's own
	Runs     int           // seeds of each scenario; 0 is its own
	Timeout  time.Duration // of each scenario's own time, in place of the file's; 0 is the file's
	Watchdog time.Duration // of real time for each run of a scenario, after which it is broken; 0 is a minute
	TempDir  string        // where images and buffers live while a scenario runs; "" is the system's
	Foreign  *Foreign      // drives clients that are programs of others; nil skips their scenarios
	Log      *slog.Logger  // the pusher's and the registry's decisions; nil discards
	// Sink, when not nil, is told of everything but the summary: starts, exchanges,
	// faults and progress as they happen, results in the scenarios' order.
	Sink report.Sink
	// Started, when not nil, is called when a scenario begins, Done when it has
	// ended, in any order and from several goroutines: for a live line.
	Started func(*Scenario)
	Done    func(Result)
	// Emit, when not nil, is called with each result in the scenarios' order, one
	// call at a time, as soon as those before it are known.
	Emit func(Result)

	changes changes // of a test that wants to see scenarios fail
}

// A Summary counts outcomes.
type Summary struct {
	Results []Result               // in the scenarios' order
	Counts  map[report.Outcome]int // of Results
}

// Run runs every scenario and judges it. A failed scenario is no error: it is in
// the Summary. What a run leaves behind is one goroutine of distribution for each
// registry of kind v2 that was ever open at once; see package distregistry.
//
// Errors: ctx's error when ctx ended before everything was run; the Summary then
// has what finished. *Errors when a scenario made in Go is wrong; nothing was run.
func (r *Runner) Run(ctx context.Context, list []*Scenario) (Summary, error) {
	if err := validateAll(list); err != nil {
		return Summary{}, err
	}
	if err := r.Foreign.Allow(list); err != nil {
		return Summary{}, err
	}
	parallel := r.Parallel
	if parallel <= 0 {
		parallel = runtime.GOMAXPROCS(0)
	}
	told := tellers{r, report.All(r.Sink)}
	out := &orderedResults{emit: told.result, results: make([]*Result, len(list))}
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(parallel, len(list)) {
		workers.Go(func() {
			for i := range next {
				r.one(ctx, list[i], told, func(res Result) { out.put(i, res) })
			}
		})
	}
feed:
	for _, i := range startOrder(list, parallel) {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	workers.Wait()
	return out.summary(), ctx.Err()
}

// startOrder is the order in which scenarios are begun: as they stand, one at a
// time; else those of several runs first, so that none of them is alone at the end.
func startOrder(list []*Scenario, parallel int) []int {
	var long, short []int
	for i, s := range list {
		if parallel > 1 && s.Runs > 1 {
			long = append(long, i)
		} else {
			short = append(short, i)
		}
	}
	return append(long, short...)
}

// one runs a scenario with all its seeds. An interrupted one has no result.
func (r *Runner) one(ctx context.Context, s *Scenario, told tellers, put func(Result)) {
	if ctx.Err() != nil {
		return
	}
	run := report.Run{ID: s.ID, Title: s.Title, Client: ClientName(s.Client), Seed: r.firstSeed(s), Secrets: secretsOf(s)}
	skipped := r.lackOf(ctx, s).reason != ""
	if !skipped {
		told.started(s, run)
	}
	res := r.seeds(ctx, s, told.observer(run))
	if !skipped {
		told.ended(res, run)
	}
	if ctx.Err() == nil {
		put(res)
	}
}

// secretsOf are the passwords that a scenario deals in. Tokens are secret by
// where they stand.
func secretsOf(s *Scenario) []string {
	var list []string
	if l := s.Client.Login; l != nil && l.Password != "" {
		list = append(list, l.Password)
	}
	for _, r := range s.Registries {
		passwords := r.Users
		if r.Auth != "" && passwords == nil {
			passwords = defaultUsers
		}
		if r.Password != "" {
			list = append(list, r.Password)
		}
		for _, user := range sortedKeys(passwords) {
			list = append(list, passwords[user])
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func validateAll(list []*Scenario) error {
	all := &Errors{}
	for _, s := range list {
		var wrong *Errors
		if errors.As(Validate(s), &wrong) {
			all.Problems = append(all.Problems, wrong.Problems...)
		}
	}
	if len(all.Problems) > 0 {
		return all
	}
	return nil
}

// orderedResults hands results on in the scenarios' order.
type orderedResults struct {
	emit func(Result)

	mu      sync.Mutex // guards everything below
	results []*Result
	next    int // the first that was not handed on
}

func (o *orderedResults) put(i int, res Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.results[i] = &res
	for o.next < len(o.results) && o.results[o.next] != nil {
		if o.emit != nil {
			o.emit(*o.results[o.next])
		}
		o.next++
	}
}

// summary counts what finished; what an interruption left waiting behind a gap is
// handed on now.
func (o *orderedResults) summary() Summary {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := Summary{Counts: map[report.Outcome]int{}}
	for i, res := range o.results {
		if res == nil {
			continue
		}
		if i >= o.next && o.emit != nil {
			o.emit(*res)
		}
		s.Results = append(s.Results, *res)
		s.Counts[res.Outcome]++
	}
	return s
}
