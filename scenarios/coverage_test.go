package scenarios

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A scenario fails when a fault that it declares does not strike; what is declared
// is therefore what strikes.
func TestTheLibraryTriesEveryFault(t *testing.T) {
	t.Parallel()
	list, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{}
	for _, s := range list {
		reason := SkipReason(s)
		for _, f := range allFaults(s) {
			if reason == "" && !f.When.Optional {
				tried[f.Name] = true
			}
		}
	}
	for _, k := range fakeregistry.Kinds() {
		if !tried[k.Name] {
			t.Errorf("%s strikes in no scenario of the library", k.Name)
		}
	}
}

func TestCoverageSaysWhatWasReached(t *testing.T) {
	t.Parallel()
	list, err := Load(nil, "upload/read-only", "network/h2", "manifest/fake")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.ID == "network/h2/goaway" {
			s.Needs = []string{"a balancer"}
		}
	}
	c := NewCoverage(list)
	if _, err := (&Runner{Sink: c}).Run(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	got := map[string]FaultReach{}
	for _, f := range c.Faults() {
		if f.Times() > 0 || len(f.Skipped) > 0 {
			got[f.Name] = f
		}
	}
	want := map[string]FaultReach{
		"read-only":   {Name: "read-only", Layer: "status", Ops: map[wire.Op]int{wire.OpUploadStart: 1}, Scenarios: []string{"upload/read-only/fault"}},
		"commit-fake": {Name: "commit-fake", Layer: "protocol", Ops: map[wire.Op]int{wire.OpManifestPut: 1}, Scenarios: []string{"manifest/fake"}},
		"h2-goaway":   {Name: "h2-goaway", Layer: "http", Skipped: []string{"needs a balancer"}},
		"h2-reset":    {Name: "h2-reset", Layer: "http", Ops: map[wire.Op]int{wire.OpUploadPut: 2}, Scenarios: []string{"network/h2/refused", "network/h2/reset"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	for _, v := range c.Invariants() {
		if v.Broken > 0 || v.Held+v.Known == 0 || (v.Known > 0) != (v.Name == "truth") {
			t.Errorf("invariant %+v", v)
		}
	}
}
