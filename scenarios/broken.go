package scenarios

import (
	"context"
	"net/http"

	"github.com/pushcheck/pushcheck/pusher"
)

// A BrokenPusher is the era best with one deliberate mistake, which one standing
// invariant catches and no other: so each of them is seen at work.
type BrokenPusher struct {
	Name      string // "claims-success"
	Doc       string // what it does wrong, one sentence
	Invariant string // what catches it
	scenario  Scenario
	mistake   mistake
}

// A mistake changes what a client does. What it does not set stays right.
type mistake struct {
	// through is what every request passes before it is recorded and sent.
	through func(next http.RoundTripper) http.RoundTripper
	// events changes what is shown: it is called with each event and tells any
	// number of others.
	events func(e pusher.Event, tell func(pusher.Event))
	// ending changes what the push says of itself.
	ending func(p *ended)
}

// An ended push is what a client says of itself when it has ended.
type ended struct {
	result *pusher.Result
	err    error
	tell   func(pusher.Event)
	temp   string // where it buffers
}

// shown is what hears of events instead of show.
func (m mistake) shown(show func(pusher.Event)) func(pusher.Event) {
	if m.events == nil {
		return show
	}
	return func(e pusher.Event) { m.events(e, show) }
}

// ended is what a push says of itself.
func (m mistake) ended(p ended) (*pusher.Result, error) {
	if m.ending != nil {
		m.ending(&p)
	}
	return p.result, p.err
}

// Caught runs the pusher and names the invariants that its push broke, in the order
// of every report. right says that it makes no mistake, for comparison.
//
// Errors: why it could not be run; ctx's error.
func (b BrokenPusher) Caught(ctx context.Context, right bool) ([]string, error) {
	s := b.scenario
	s.Title, s.ID, s.Client = b.Doc, "broken/"+b.Name, Client{Era: "best", Login: b.scenario.Client.Login}
	s.Steps = []Step{{Verb: VerbPush, Push: "team/app:v1"}}
	s.Expect.Result = ResultTruthful
	if s.Registries == nil {
		s.Registries = []Registry{{Kind: KindFake}}
	}
	r := &Runner{Parallel: 1, changes: changes{mistake: b.mistake}}
	if right {
		r.changes = changes{}
	}
	summary, err := r.Run(ctx, []*Scenario{&s})
	if err != nil {
		return nil, err
	}
	var caught []string
	for _, v := range summary.Results[0].Invariants {
		if !v.Holds && v.Waived == "" {
			caught = append(caught, v.Name)
		}
	}
	if because := summary.Results[0].Because; because != "" {
		return caught, errBroken(because)
	}
	return caught, nil
}

// errBroken is why a run could not be judged.
type errBroken string

func (e errBroken) Error() string { return string(e) }
