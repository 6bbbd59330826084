package scenarios

import (
	"flag"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/pusher"
)

var full = flag.Bool("full", false, "run in full what else is a sample: every era beside the scenarios of another, every witness of a scenario")

// everyPosition is about what becomes of a push, which others may well survive.
const everyPosition = "era-best/every-position"

// TestErasAreApart holds that what stands in the folder of an era is what that era
// alone does: every other fails there, and not for want of a fault alone. Without
// -full the neighbours of an era stand for all, as witnesses.
func TestErasAreApart(t *testing.T) {
	t.Parallel()
	eras := pusher.Eras()
	files := map[string]map[string]bool{}
	var tries []*Scenario
	for _, s := range List() {
		i := slices.IndexFunc(eras, func(e pusher.Era) bool { return strings.HasPrefix(s.ID, "era-"+e.Name+"/") })
		if i < 0 || EraName(s.Client) != eras[i].Name || strings.HasPrefix(s.ID, everyPosition) {
			continue
		}
		own := eras[i].Name
		if files[own] == nil {
			files[own] = map[string]bool{}
		}
		files[own][path.Clean(s.Position.File)] = true
		for _, other := range eras {
			if other.Name != own {
				tries = append(tries, withEra(s, other.Name))
			}
		}
	}
	for _, e := range eras {
		if n := len(files[e.Name]); n < 5 {
			t.Errorf("%d scenarios are of %s alone; want 5", n, e.Name)
		}
	}
	if !*full {
		return
	}
	summary, err := (&Runner{}).Run(t.Context(), tries)
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range summary.Results {
		if !failsByItself(res) {
			t.Errorf("%s: %s %s", res.ID, res.Outcome, res.Because)
		}
	}
}

// neighbours are the witnesses of the scenarios of each docker: the eras before and
// after it.
func neighbours() map[string][]witness {
	m := map[string][]witness{}
	eras := pusher.Eras()
	for i, e := range eras {
		if !strings.HasPrefix(e.Name, "docker-") {
			continue
		}
		for _, k := range []int{i - 1, i + 1} {
			if k >= 0 {
				m["era-"+e.Name] = append(m["era-"+e.Name], era("is "+eras[k].Name, func(e *pusher.Era) { *e = eras[k] }))
			}
		}
	}
	return m
}

// withEra is a scenario that another era tries, with nothing excused but what that
// era always breaks.
func withEra(s *Scenario, name string) *Scenario {
	c := copied(s)
	c.Client.Era, c.Client.Name = name, name
	c.ID = fmt.Sprintf("%s, tried by %s", s.ID, name)
	c.Known = nil
	return c
}

// failsByItself tells of a failure that more than a fault without effect shows.
func failsByItself(r Result) bool {
	return r.Outcome == report.Fail &&
		slices.ContainsFunc(r.Failures, func(f report.Failure) bool { return f.Name != "invariant fired" })
}
