package scenarios_test

import (
	"testing"

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
