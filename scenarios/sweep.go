package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/report"
)

// A Sweep is what to sweep: every fault of the catalogue at every step of one
// client's own push. The zero value of every field but Client is a default.
type Sweep struct {
	Client string // an era or an adapter
	// Ground is the registry that is pushed to, by its name in SweepGrounds; "" is
	// the first of them.
	Ground string
	Faults []string // of the catalogue; nil is all
	Steps  []string // operations ("upload.*") or steps ("upload.patch 2"); nil is all
	// Limit is how much of its own time one push may take; 0 is an hour of an era's
	// virtual time, and half a minute of a foreign client's real one.
	Limit time.Duration
}

// A SweepGround is a registry that a sweep pushes to.
type SweepGround struct {
	Name, Doc string
	make      func(s *Scenario)
}

// SweepGrounds are the registries that there are to sweep on, the default first.
func SweepGrounds() []SweepGround {
	login := &Login{User: "alice", Password: "made-up"} // stands in files that are offered
	users := map[string]string{login.User: login.Password}
	return []SweepGround{
		{"tokens", "TLS and a token service, as public registries have", func(s *Scenario) {
			s.Registries = []Registry{{Kind: KindFake, Auth: "bearer", TLS: true, Users: users}}
			s.Client.Login, s.Client.Secure, s.Client.Trust = login, s.Client.Era != "", true
		}},
		{"plain", "plain HTTP and no password, as on localhost", func(s *Scenario) {
			s.Registries = []Registry{{Kind: KindFake}}
		}},
		{"basic", "TLS and Basic authentication", func(s *Scenario) {
			s.Registries = []Registry{{Kind: KindFake, Auth: "basic", TLS: true, Users: users}}
			s.Client.Login, s.Client.Secure, s.Client.Trust = login, s.Client.Era != "", true
		}},
		{"distribution", "distribution in process over plain HTTP", func(s *Scenario) {
			s.Registries = []Registry{{Kind: KindV2}}
		}},
		{"v1", "a registry that speaks V1 only", func(s *Scenario) {
			s.Registries = []Registry{{Kind: KindV1}}
		}},
	}
}

// The outcomes of a sweep, as cells and programs name them.
const (
	SweepPushed    = "pushed"    // truthfully, without more requests than without the fault
	SweepRecovered = "recovered" // pushed truthfully, with more requests
	SweepRefused   = "refused"   // the client said truthfully that it did not push
	SweepKnown     = "known"     // an invariant is broken as the client is known to
	SweepHung      = "hung"      // it did not end within its limit
	SweepBroken    = "broken"    // an invariant is broken
	SweepUnstruck  = "unstruck"  // the fault found nothing to strike
	SweepSkipped   = "skipped"   // the client cannot be put to that
	SweepUnknown   = "unknown"   // the bench could not tell
)

// A SweepCell is one fault at one step.
type SweepCell struct {
	Verdict string
	Extra   int      // requests more than in the clean push; less than 0 is fewer
	Broken  []string // names of invariants that are broken, known ones too
	Result  Result
	// Name and Text are the scenario file that runs it again.
	Name, Text string
}

// A SweepReport is what a sweep found.
type SweepReport struct {
	Sweep  Sweep
	Clean  Result // of the push without faults
	Steps  []SweepStep
	Faults []fakeregistry.Kind // those that can strike at one of the steps
	// Cells has a row for each fault and in it a cell for each step; nil where the
	// fault cannot strike at that request, or where the sweep ended before it.
	Cells [][]*SweepCell
	Ran   int                      // pushes
	Total int                      // pushes that there were to run
	known map[digest.Digest]string // see stepsOf
}

// FaultNames lists every fault of the catalogue, in its order.
func FaultNames() []string { return faultNames() }

// A SweepError says that a Sweep names something that there is not.
type SweepError struct{ Message string }

// Error implements error.
func (e *SweepError) Error() string { return e.Message }

func wrongSweep(format string, args ...any) error { return &SweepError{fmt.Sprintf(format, args...)} }

// Breaks are the cells in which an invariant is broken that the client is not
// known to break, in order.
func (s *SweepReport) Breaks() []*SweepCell {
	var list []*SweepCell
	for _, row := range s.Cells {
		for _, c := range row {
			if c != nil && c.Verdict == SweepBroken {
				list = append(list, c)
			}
		}
	}
	return list
}

// errNoCleanPush says that there is nothing to sweep.
var errNoCleanPush = errors.New("the push fails without any fault")

// Sweep pushes once without faults, takes that push's requests for steps, and then
// pushes again for each fault at each step at which it can strike. told, when not
// nil, hears of each push that has ended, in any order and from several goroutines.
//
// Errors: *SweepError for a name that is no fault, ground or step; the clean push
// does not succeed or cannot be run here; ctx's error, with what was run until then.
func (r *Runner) Sweep(ctx context.Context, s Sweep, told func(done, total int)) (*SweepReport, error) {
	ground, kinds, err := s.check()
	if err != nil {
		return nil, err
	}
	rep := &SweepReport{Sweep: s}
	clean := s.scenario(ground, nil, SweepStep{})
	summary, err := r.Run(ctx, []*Scenario{clean})
	if err != nil {
		return nil, err
	}
	rep.Clean = summary.Results[0]
	switch rep.Clean.Outcome {
	case report.Pass:
	case report.Skipped, report.Broken:
		return nil, fmt.Errorf("%s over %s: %s", s.Client, ground.Name, rep.Clean.Because)
	default:
		return nil, fmt.Errorf("%s over %s: %w: %s", s.Client, ground.Name, errNoCleanPush, summaryOf(rep.Clean))
	}
	if rep.Clean.Ending != ResultPushed {
		return nil, fmt.Errorf("%s over %s: %w: %s", s.Client, ground.Name, errNoCleanPush, rep.Clean.Ending)
	}
	if rep.known, err = r.ownDigests(ctx, clean); err != nil {
		return nil, err
	}
	rep.Steps = stepsOf(rep.Clean, rep.known)
	if rep.Steps, err = s.chosen(rep.Steps); err != nil {
		return nil, err
	}
	return rep, r.sweep(ctx, rep, ground, kinds, told)
}

// ownDigests are the digests of an image's layers before anybody pushes it, by which
// faults strike the requests of a foreign client; nil for an era.
func (r *Runner) ownDigests(ctx context.Context, clean *Scenario) (map[digest.Digest]string, error) {
	if !foreignClient(clean.Client) {
		return nil, nil //nolint:nilnil // an era needs none
	}
	own := *r
	own.Done = nil
	summary, err := own.Run(ctx, []*Scenario{As(clean, "best")})
	if err != nil {
		return nil, err
	}
	return summary.Results[0].Names, nil
}

// check finds what the sweep names.
func (s Sweep) check() (SweepGround, []fakeregistry.Kind, error) {
	grounds := SweepGrounds()
	ground := grounds[0]
	if s.Ground != "" {
		var names []string
		for _, g := range grounds {
			names = append(names, g.Name)
		}
		i := slices.Index(names, s.Ground)
		if i < 0 {
			return ground, nil, wrongSweep("%q is no registry to sweep on; there are %s", s.Ground, strings.Join(names, ", "))
		}
		ground = grounds[i]
	}
	kinds := fakeregistry.Kinds()
	if s.Faults == nil {
		return ground, kinds, nil
	}
	for _, name := range s.Faults {
		if _, ok := fakeregistry.KindOf(name); !ok {
			return ground, nil, wrongSweep("%q is not a fault%s", name, didYouMean(name, faultNames()))
		}
	}
	return ground, slices.DeleteFunc(kinds, func(k fakeregistry.Kind) bool { return !slices.Contains(s.Faults, k.Name) }), nil
}

// chosen are the steps that the sweep names.
func (s Sweep) chosen(steps []SweepStep) ([]SweepStep, error) {
	if s.Steps == nil {
		return steps, nil
	}
	var list []SweepStep
	for _, want := range s.Steps {
		found := false
		for _, step := range steps {
			if step.String() != want && !(Pattern{Op: want}).MatchOp(step.Op) {
				continue
			}
			found = true
			if !slices.Contains(list, step) {
				list = append(list, step)
			}
		}
		if !found {
			var names []string
			for _, step := range steps {
				names = append(names, step.String())
			}
			return nil, wrongSweep("%q is no step of this push; it has %s", want, strings.Join(names, ", "))
		}
	}
	return list, nil
}

// scenario is the scenario of one cell, or of the clean push for no fault.
func (s Sweep) scenario(ground SweepGround, f *Fault, at SweepStep) *Scenario {
	one := &Scenario{
		ID: "sweep/" + s.Client, Name: "sweep/" + s.Client, Title: s.Client + " pushes", Steps: []Step{{Verb: VerbPush, Push: "team/app:v1"}},
		Timeout: s.Limit,
	}
	one = As(one, s.Client)
	ground.make(one)
	foreign := one.Client.Adapter != ""
	if foreign && one.Timeout == 0 {
		one.Timeout = 30 * time.Second
	}
	if f != nil {
		one.Title = fmt.Sprintf("%s tells the truth when %s strikes its %s", s.Client, f.Name, at)
		one.Faults = []Fault{*f}
		one.Expect.Result = ResultTruthful
		one.ID = fmt.Sprintf("%s-%s-%s-%d", s.Client, f.Name, at.Op, at.Nth)
		one.Name = one.ID
		if f.Name == "dns-moves" {
			one.Registries = append(one.Registries, one.Registries[0])
		}
	}
	return one
}
