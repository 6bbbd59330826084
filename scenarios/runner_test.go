package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// made decodes a file.
func made(t *testing.T, src string) []*Scenario {
	t.Helper()
	list, err := Decode("x.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// ran runs a file that is one scenario.
func ran(t *testing.T, src string) Result {
	t.Helper()
	summary, err := (&Runner{}).Run(t.Context(), made(t, src))
	if err != nil {
		t.Fatal(err)
	}
	return summary.Results[0]
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	const start = "scenario: x\nregistry: fake\npush: a/b:v1\nimage: {layers: [1KiB]}\n"
	for _, tt := range []struct {
		name, src string
		outcome   report.Outcome
		says      string // a part of the reason or of the first failure
	}{
		{"it passes", start, report.Pass, ""},
		{"it fails", start + "expect: {result: failed}", report.Fail, "expect.result: the push succeeded; failed was expected"},
		{"it is known to fail", start + "expect: {result: failed}\nknown: {docker-1.8: {fails: result, because: it is}}", report.Known, "it is"},
		{"a part of what fails is known", start + "expect: {via: v1, count: {manifest.put: 2}}\nknown: {docker-1.8: {fails: via, because: it is}}", report.Fail, "expect.via"},
		{"another result is known", start + "expect: {result: failed, via: v1}\nknown: {docker-1.8: {fails: result, because: it is}}", report.Known, "it is"},
		{"all that fails is known", start + "expect: {result: failed, via: v1}\nknown: {docker-1.8: {fails: [result, via], because: it is}}", report.Known, "it is"},
		{"more is known than fails", start + "expect: {result: failed}\nknown: {docker-1.8: {fails: [result, via], because: it is}}", report.Fail, "expect.result"},
		{"something else is known to fail", start + "expect: {result: failed}\nknown: {docker-1.8: {fails: via, because: it is}}", report.Fail, "expect.result"},
		{"another client is known to fail", start + "expect: {result: failed}\nknown: {skopeo: {fails: result, because: it is}}", report.Fail, "expect.result"},
		{"it is known to fail and passes", start + "known: {docker-1.8: {fails: result, because: it is}}", report.Fail, "it passed, although it is known to fail: it is"},
		{"its client is not here", start + "client: ctr", report.Skipped, "needs the client ctr, which is driven only when it is asked for"},
		{"its need is not met", start + "needs: [teleport]", report.Skipped, "needs teleport"},
		{"its fault never strikes", start + "faults: [{reset: blob.get}]", report.Fail, "invariant fired: fault reset never struck"},
		{"its optional fault never strikes", start + "faults: [{reset: blob.get, optional: true}]", report.Pass, ""},
		{"it hangs", start + "faults: [{stall: upload.patch}]", report.Fail, "the push did not end within the time limit of 1h0m0s"},
		{"it hangs in a wait", "scenario: x\nregistry: fake\ntimeout: 1m\nsteps: [{push: a/b:v1}, {wait: 2m}]", report.Fail, "it did not end within 1m0s of its own time"},
		{"its image is not there", "scenario: x\nregistry: fake\npush: a/b:v1\nimage: nowhere.tar", report.Broken, "nowhere.tar"},
		{"it deletes what is not there", "scenario: x\nregistry: fake\nsteps: [{delete: {blob: layer1, from: a/b}}, {push: a/b:v1}]", report.Broken, "layer1 is not in a/b"},
		{"a probe", start + "probe: [{before: upload.put, ask: {blob.head: layer1}, expect: 404}, {after: upload.put, ask: {blob.get: layer1}, expect: {status: 200, body: layer1}}]", report.Pass, ""},
		{"a probe that is wrong", start + "probe: [{before: upload.put, ask: {blob.head: layer1}, expect: 200}]", report.Fail, "probe[1]: blob.head of layer1 was answered 404, not 200"},
		{"a probe that is never asked", start + "probe: [{before: upload.cancel, ask: {blob.head: layer1}, expect: 200}]", report.Fail, "its moment did not come"},
		{"any fault of several", start + "faults: [{any-of: [unavailable, reset], at: upload.start, nth: 1}]\nexpect: {result: truthful}", report.Pass, ""},
		{"a fault at each request", start + "faults: [{respond: \"upload.*\", status: 500, nth: each}]\nexpect: {result: failed}", report.Pass, ""},
		{"a fault at each request, of which one does not matter", start + "faults: [{digest-missing: \"*.put\", nth: each}]\nexpect: {result: failed}", report.Fail, "(fault digest-missing at request 1)"},
		{"a later step fails first", "scenario: x\nregistry: fake\nsteps: [{push: a/b:v1, expect: {result: failed}}, {push: a/b:v1}]", report.Fail, "steps[1].expect.result"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res := ran(t, tt.src)
			said := res.Because
			if len(res.Failures) > 0 && res.Outcome == report.Fail {
				said = res.Failures[0].Name + ": " + res.Failures[0].Message
			}
			if res.Outcome != tt.outcome || !strings.Contains(said, tt.says) {
				t.Errorf("it is %s (%s), want %s (%s)", res.Outcome, said, tt.outcome, tt.says)
			}
		})
	}
}

func TestResultsComeInTheScenariosOrder(t *testing.T) {
	t.Parallel()
	var list []*Scenario
	for i := range 12 {
		s := made(t, "scenario: x\nregistry: fake\npush: a/b:v1\nimage: {layers: [1KiB]}\n")[0]
		s.ID = fmt.Sprintf("s%02d", i)
		if i%3 == 0 {
			s.Image.Layers = []int64{256 << 10} // takes longer
		}
		list = append(list, s)
	}
	var mu sync.Mutex
	var emitted, done []string
	r := &Runner{
		Parallel: 4,
		Emit:     func(res Result) { emitted = append(emitted, res.ID) },
		Done:     func(res Result) { mu.Lock(); done = append(done, res.ID); mu.Unlock() },
	}
	summary, err := r.Run(t.Context(), list)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(emitted) || len(emitted) != 12 || len(done) != 12 || summary.Counts[report.Pass] != 12 {
		t.Errorf("emitted %v, done %v, counts %v", emitted, done, summary.Counts)
	}
}

func TestInterruptedRunKeepsWhatFinished(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	list := made(t, "scenario: x\nregistry: fake\npush: a/b:v1\nimage: {layers: [1KiB]}\nmatrix: {n: [1, 2, 3, 4, 5, 6]}\nseed: ${{ n }}\n")
	r := &Runner{Parallel: 1, Emit: func(Result) { cancel() }}
	summary, err := r.Run(ctx, list)
	if !errors.Is(err, context.Canceled) || len(summary.Results) == 0 || len(summary.Results) == len(list) {
		t.Errorf("%d results and %v", len(summary.Results), err)
	}
	if got := ExitCode(summary, err); got != ExitInterrupted {
		t.Errorf("the exit code is %d, want %d", got, ExitInterrupted)
	}
}

func TestRunsEndAtTheFirstSeedThatFails(t *testing.T) {
	t.Parallel()
	src := "scenario: x\nregistry: fake\npush: a/b:v1\nimage: {layers: [1KiB]}\nruns: 20\nseed: 7\n" +
		"faults: [{unavailable: upload.start, chance: 40%, optional: true}]\n"
	res := ran(t, src)
	if res.Outcome != report.Fail || res.Seed <= 7 {
		t.Fatalf("seed %d is %s", res.Seed, res.Outcome)
	}
	again := made(t, src)
	summary, err := (&Runner{Seed: res.Seed, Runs: 1}).Run(t.Context(), again)
	if err != nil || summary.Results[0].Outcome != report.Fail || summary.Results[0].Seed != res.Seed {
		t.Errorf("the same seed again is %v (%v)", summary.Results, err)
	}
	if want := fmt.Sprintf("pushcheck run x --seed %d --trace", res.Seed); res.Again != want {
		t.Errorf("it is run again by %q, want %q", res.Again, want)
	}
}

func TestTheSameSeedGivesTheSameWire(t *testing.T) {
	t.Parallel()
	for _, registry := range []string{"v2", "fake", "v1"} {
		src := "scenario: x\nregistry: {kind: " + registry + "}\npush: a/b:v1\n"
		one, two := ran(t, src), ran(t, src)
		if diff := cmp.Diff(wire.FormatTrace(one.Trace), wire.FormatTrace(two.Trace)); diff != "" && registry != "v1" { // V1 look-ups race (P-425)
			t.Errorf("%s: two runs (-one +two):\n%s", registry, diff)
		}
		if len(one.Trace) != len(two.Trace) || len(one.Trace) < 8 {
			t.Errorf("%s: %d and %d exchanges", registry, len(one.Trace), len(two.Trace))
		}
	}
}

func TestBothSidesSawTheSame(t *testing.T) {
	t.Parallel()
	for _, registry := range []string{"v2", "fake", "v1", "v1+v2", "{kind: v2, auth: basic}", "{kind: v2, auth: bearer}", "{kind: fake, tls: true}"} {
		t.Run(registry, func(t *testing.T) {
			t.Parallel()
			s := made(t, "scenario: x\nregistry: "+registry+"\nclient: {era: docker-1.8, login: \"alice:s3cret\"}\nsteps: [{push: a/b:v1}, {push: a/b:v2}]\n")[0]
			w, err := newWorld(t.Context(), s, 1, t.TempDir(), nil, changes{})
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			pushes, err := w.steps(t.Context(), changes{})
			if err != nil || !pushes[0].succeeded() || !pushes[1].succeeded() {
				t.Fatalf("%v, %s, %s", err, pushes[0].ending(), pushes[1].ending())
			}
			if diff := wire.Diff(w.recorder.Trace(), w.hosts[0].server.Trace(), "s3cret"); diff != "" {
				t.Errorf("client (-) and server (+):\n%s", diff)
			}
		})
	}
}

func TestFaultsAreMarkedInTheClientsTrace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fault, op string }{
		{"respond: upload.start\n    status: 500", "upload.start"}, {"reset: upload.patch", "upload.patch"}, {"commit-lost: manifest.put", "manifest.put"},
	} {
		res := ran(t, "scenario: x\nregistry: fake\npush: a/b:v1\nfaults:\n  - "+tt.fault+"\nexpect: {result: failed}\n")
		i := slices.IndexFunc(res.Trace, func(e wire.Exchange) bool { return e.Fault != "" })
		if i < 0 || string(res.Trace[i].Route.Op) != tt.op || !strings.HasPrefix(tt.fault, res.Trace[i].Fault) || res.Outcome != report.Pass {
			t.Errorf("%s: %s, and exchange %d is marked", tt.fault, res.Outcome, i)
		}
	}
}

// A listener is a sink that writes down what it is told.
type listener struct {
	report.Sink
	said []string
}

func (l *listener) Start(r report.Run)     { l.said = append(l.said, "start "+r.ID) }
func (l *listener) Ended(r report.Run)     { l.said = append(l.said, "ended "+r.ID) }
func (l *listener) Result(r report.Result) { l.said = append(l.said, "result "+r.ID) }
func (l *listener) Fault(_ report.Run, f report.Firing) {
	l.said = append(l.said, "fault "+f.Fault+" "+f.Source)
}
func (l *listener) Exchange(report.Run, wire.Exchange)   { l.add("exchange") }
func (l *listener) Progress(report.Run, report.Progress) { l.add("progress") }

func (l *listener) add(what string) {
	if l.said[len(l.said)-1] != what {
		l.said = append(l.said, what)
	}
}

func TestSinkHearsHowARunGoes(t *testing.T) {
	t.Parallel()
	l := &listener{}
	list := made(t, "scenario: x\nregistry: fake\npush: a/b:v1\nimage: {layers: [1KiB]}\nclient: [docker-1.8, skopeo]\nfaults: [{delay: ping}]\n")
	if _, err := (&Runner{Parallel: 1, Sink: l}).Run(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	said := slices.DeleteFunc(l.said, func(s string) bool { return s == "exchange" || s == "progress" })
	want := []string{"start x@docker-1.8", "fault delay x.yaml:6:11", "ended x@docker-1.8", "result x@docker-1.8", "result x@skopeo"}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("the sink heard (-want +got):\n%s", diff)
	}
}

func TestWatchdogEndsWhatItsOwnClockDoesNot(t *testing.T) {
	t.Parallel()
	s := made(t, "scenario: x\nregistry: fake\npush: a/b:v1\n")[0]
	stuck := changes{trace: func(trace wire.Trace) wire.Trace { time.Sleep(300 * time.Millisecond); return trace }}
	r := &Runner{Watchdog: 100 * time.Millisecond, changes: stuck}
	summary, err := r.Run(t.Context(), []*Scenario{s})
	if err != nil {
		t.Fatal(err)
	}
	if res := summary.Results[0]; res.Outcome != report.Broken || !strings.Contains(res.Because, "did not end within 100ms of real time") {
		t.Errorf("it is %s: %s", res.Outcome, res.Because)
	}
}

func TestScenariosMadeInGo(t *testing.T) {
	t.Parallel()
	ok := &Scenario{ID: "go", Title: "It is pushed", Registries: []Registry{{Kind: KindFake}}, Steps: []Step{{Push: "a/b:v1"}}}
	summary, err := (&Runner{}).Run(t.Context(), []*Scenario{ok})
	if err != nil || summary.Results[0].Outcome != report.Pass {
		t.Errorf("%v, %v", summary.Results, err)
	}
	bad := &Scenario{ID: "bad", Faults: []Fault{{Name: "rset"}}, Expect: Expect{Cache: map[string]string{"layer9": "known"}}}
	_, err = (&Runner{}).Run(t.Context(), []*Scenario{ok, bad})
	for _, want := range []string{"bad: there is no title", "bad: no step pushes", `"rset" is not a fault; did you mean "reset"?`, "the image has no layer9"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the problems are %v, want %s", err, want)
		}
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	sum := func(outcomes ...report.Outcome) Summary {
		s := Summary{Counts: map[report.Outcome]int{}}
		for _, o := range outcomes {
			s.Results = append(s.Results, Result{Outcome: o})
			s.Counts[o]++
		}
		return s
	}
	for _, tt := range []struct {
		name string
		s    Summary
		err  error
		want int
	}{
		{"all is well", sum(report.Pass, report.Skipped, report.Known, report.Warn), nil, 0},
		{"one failed", sum(report.Pass, report.Fail), nil, 1},
		{"one is broken", sum(report.Pass, report.Broken), nil, 3},
		{"a failure wins over a broken one", sum(report.Broken, report.Fail), nil, 1},
		{"a file is wrong", Summary{}, &Errors{}, 2},
		{"a name stands for nothing", Summary{}, fmt.Errorf("load: %w", &NotFoundError{}), 4},
		{"nothing was chosen", Summary{}, nil, 4},
		{"reading failed", Summary{}, errors.New("disk"), 3},
		{"interrupted", sum(report.Pass, report.Fail), context.Canceled, 130},
	} {
		if got := ExitCode(tt.s, tt.err); got != tt.want {
			t.Errorf("%s: exit code %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestEachPositionOfAFaultIsRun(t *testing.T) {
	t.Parallel()
	l := &listener{}
	list := made(t, "scenario: x\nregistry: fake\npush: a/b:v1\nimage: {layers: [1KiB]}\nfaults: [{respond: \"upload.*\", status: 500, nth: each}]\nexpect: {result: failed}\n")
	if _, err := (&Runner{Sink: l}).Run(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, said := range l.said {
		if strings.HasPrefix(said, "fault respond") {
			n++
		}
	}
	if n != 3 { // start, patch, put
		t.Errorf("the fault struck %d times, want once at each of three requests: %v", n, l.said)
	}
}

func TestRunAgainNamesTheClientThatWasPutIn(t *testing.T) {
	t.Parallel()
	s := made(t, "scenario: x\nregistry: fake\npush: a/b:v1\nimage: {layers: [1KiB]}\n")[0]
	s.Client.Era, s.Client.Name, s.As = "best", "", "best"
	summary, err := new(Runner).Run(t.Context(), []*Scenario{s})
	if want := "pushcheck run x --client best --seed 1 --trace"; err != nil || summary.Results[0].Again != want {
		t.Errorf("it is run again by %q, want %q (%v)", summary.Results[0].Again, want, err)
	}
}

func TestChanceInAStepIsJudgedOverAllRuns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ chance, says string }{
		{"0.0001%", "fault delay struck in none of the 3 runs"},
		{"99%", ""},
	} {
		res := ran(t, "scenario: x\nregistry: fake\nimage: {layers: [1KiB]}\nruns: 3\nsteps:\n  - push: a/b:v0\n  - push: a/b:v1\n    faults: [{delay: manifest.put, by: 1s, chance: "+tt.chance+"}]\n")
		said := ""
		for _, f := range res.Failures {
			said += f.Message
		}
		if said != tt.says {
			t.Errorf("by a chance of %s it is %s: %q", tt.chance, res.Outcome, said)
		}
	}
}

func TestChanceIsJudgedOverAllRuns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, faults, runs, says string }{
		{"one run that draws nothing", "{delay: upload.start, by: 1s, chance: 0.0001%}", "1", ""},
		{"one run of any-of that draws nothing", "{any-of: [delay], chance: 0.0001%}", "1", ""},
		{"nothing to strike", "{delay: blob.get, chance: 50%}", "1", "fault delay never had a request that it could strike"},
		{"no run draws", "{delay: upload.start, by: 1s, chance: 0.0001%}", "3", "fault delay struck in none of the 3 runs"},
		{"no run of any-of draws", "{any-of: [delay], chance: 0.0001%}", "3", "fault any-of struck in none of the 3 runs"},
		{"some run draws", "{delay: upload.start, by: 1s, chance: 99%}", "12", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res := ran(t, "scenario: x\nregistry: fake\npush: a/b:v1\nimage: {layers: [1KiB]}\nruns: "+tt.runs+"\nfaults: ["+tt.faults+"]\n")
			said := ""
			for _, f := range res.Failures {
				said += f.Message
			}
			if said != tt.says || (res.Outcome == report.Fail) != (tt.says != "") {
				t.Errorf("it is %s (%q), want %q", res.Outcome, said, tt.says)
			}
		})
	}
}
