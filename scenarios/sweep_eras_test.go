package scenarios_test

import (
	"slices"
	"testing"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/scenarios"
)

// No era breaks anything under a fault but what it is known to break: a sample of
// what make sweep-eras asks.
func TestNoEraBreaksWhatItIsNotKnownTo(t *testing.T) {
	t.Parallel()
	for _, sweep := range []scenarios.Sweep{
		{Client: "docker-1.8", Faults: []string{"reset", "bad-chunk"}, Steps: []string{"ping", "manifest.put"}},
		{Client: "docker-20.10", Faults: []string{"corrupt", "location-downgrade"}, Steps: []string{"upload.start 1", "manifest.put"}},
		{Client: "containerd", Faults: []string{"bad-chunk", "corrupt"}, Steps: []string{"manifest.put"}},
		{Client: "best", Faults: []string{"bad-chunk", "gc-strikes", "rate-limit"}, Steps: []string{"manifest.head 3"}},
		{Client: "best", Faults: []string{"stall", "rate-limit"}, Steps: []string{"upload.put 3"}},
	} {
		t.Run(sweep.Client, func(t *testing.T) {
			t.Parallel()
			rep, err := (&scenarios.Runner{}).Sweep(t.Context(), sweep, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range rep.Breaks() {
				t.Errorf("%s: %s\n%s", c.Name, c.Because(), c.Text)
			}
		})
	}
}

// A step is the same request whenever it is swept: the fault strikes the layer that
// the step is said to be about, however many are pushed at once.
func TestAStepIsOfOneLayer(t *testing.T) {
	t.Parallel()
	for _, client := range []string{"best", "docker-20.10", "containerd"} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			sweep := scenarios.Sweep{Client: client, Ground: "plain", Faults: []string{"respond"}, Steps: []string{"blob.head", "upload.*"}}
			rep, err := (&scenarios.Runner{}).Sweep(t.Context(), sweep, nil)
			if err != nil {
				t.Fatal(err)
			}
			layers := map[string]bool{}
			for i, c := range rep.Cells[0] {
				step := rep.Steps[i]
				layers[step.What] = true
				lines := c.Result.Scrubbed().Lines()
				at := slices.IndexFunc(lines, func(l report.Line) bool { return l.Faults == "respond" })
				if at < 0 || lines[at].Op != step.Op || lines[at].Seq != rep.Clean.Trace[step.Place-1].Seq {
					t.Errorf("%s: the fault struck elsewhere", step)
					continue
				}
				if what := lines[at].What; step.What != "config" && step.Op == "blob.head" && what != step.What {
					t.Errorf("%s of %s: the fault struck one of %s", step, step.What, what)
				}
			}
			if !layers["layer1"] || !layers["layer2"] || layers[""] {
				t.Errorf("the steps are about %v", layers)
			}
		})
	}
}
