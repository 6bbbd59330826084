package scenarios_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios"
)

// unprepared says which era cannot cope with which oddity, and why.
func unprepared(era, oddity string) string {
	if oddity == "throttle" && strings.HasPrefix(era, "docker-") {
		return "a 429 ends the push (P-546)"
	}
	return ""
}

// orneryScenario pushes one image to two repositories of an ornery registry: the
// second time there is something to mount.
func orneryScenario(era string, seed uint64, oddities ...string) *scenarios.Scenario {
	return &scenarios.Scenario{
		ID: fmt.Sprintf("ornery/%s/%d/%d", era, seed, len(oddities)), Title: "an ornery registry is pushed to", Seed: seed,
		Registries: []scenarios.Registry{{Kind: scenarios.KindFake, Ornery: oddities, Auth: "bearer"}},
		Image:      scenarios.Image{Layers: []int64{4 << 10, 512}},
		Client:     scenarios.Client{Era: era},
		Steps:      []scenarios.Step{{Push: "team/app:v1"}, {Push: "team/other:v1"}},
		Expect:     scenarios.Expect{Result: scenarios.ResultPushed},
	}
}

// Every era pushes to registries that are lawful and difficult in all ways at once;
// what it cannot cope with stands in unprepared, and there it fails indeed.
func TestEveryEraPushesToOrneryRegistries(t *testing.T) {
	t.Parallel()
	for _, e := range pusher.Eras() {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			var list []*scenarios.Scenario
			var lawful []string
			for _, name := range fakeregistry.OddityNames() {
				if unprepared(e.Name, name) == "" {
					lawful = append(lawful, name)
				} else {
					list = append(list, orneryScenario(e.Name, 1, name))
				}
			}
			hopeless := len(list)
			for seed := range uint64(2) {
				list = append(list, orneryScenario(e.Name, seed+1, lawful...))
			}
			summary, err := (&scenarios.Runner{}).Run(t.Context(), list)
			if err != nil {
				t.Fatal(err)
			}
			for i, res := range summary.Results {
				if want := i >= hopeless; want != (res.Outcome == report.Pass) {
					t.Errorf("%s: %s %s %v", res.ID, res.Outcome, res.Because, res.Failures)
				}
			}
		})
	}
}
