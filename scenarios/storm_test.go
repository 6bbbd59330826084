package scenarios

import (
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// TestTheSameSeedGivesTheSameStorm runs the library's storm twice with each of some
// seeds, five blobs at a time, and compares what went over the wire byte for byte.
// Only with which words the kernel told of a line that broke is left out: a write
// and a read race for it.
func TestTheSameSeedGivesTheSameStorm(t *testing.T) {
	t.Parallel()
	list, err := Load(nil, "upload/storm")
	if err != nil {
		t.Fatal(err)
	}
	broke := regexp.MustCompile(`(?m)^! .*$`)
	struck := 0
	for seed := range uint64(6) {
		s := *list[0]
		s.Runs, s.Image.Layers = 1, []int64{32 << 10, 4 << 10, 1 << 10, 0} // one write each
		run := func() (string, []string) {
			var fired []string
			res := (&Runner{}).guarded(t.Context(), &s, seed+1, observer{struck: func(list []struckFault) {
				for _, f := range list {
					fired = append(fired, f.Fault+" "+string(f.Op)+" "+f.content)
				}
			}})
			slices.Sort(fired)
			return broke.ReplaceAllString(wire.FormatTrace(res.Trace), "! broke"), fired
		}
		one, fired := run()
		two, again := run()
		if diff := cmp.Diff(one, two) + cmp.Diff(fired, again); diff != "" {
			t.Errorf("seed %d (-one +two):\n%s", seed+1, diff)
		}
		struck += len(fired)
	}
	if struck < 6 {
		t.Errorf("only %d faults struck", struck)
	}
}
