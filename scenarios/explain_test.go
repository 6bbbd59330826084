package scenarios_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios"
)

// TestEveryNameIsExplained: whatever completion offers has a sentence, and rows that
// say something.
func TestEveryNameIsExplained(t *testing.T) {
	t.Parallel()
	names := scenarios.Explainable()
	for _, must := range []string{"skopeo", "kaniko", "any", "any-of", "after", "ttl", "answer-header", "latency", "exit", "truth", "130", "best"} {
		if !slices.Contains(names, must) {
			t.Errorf("%s is not among the names", must)
		}
	}
	cases := 0
	for _, name := range names {
		if strings.Contains(name, "/") { // a scenario: lint has read it
			if cases++; cases%50 != 0 {
				continue
			}
		}
		list, err := scenarios.Explain(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, e := range list {
			if e.Name != name || e.What == "" || e.Doc == "" || e.What != "scenario" && !strings.HasSuffix(e.Doc, ".") && !strings.HasSuffix(e.Doc, "?") {
				t.Errorf("%s is explained as %s %s: %q", name, e.What, e.Name, e.Doc)
			}
			for _, r := range e.Rows {
				if r.Name == "" || r.Doc == "" && r.Type == "" && r.Default == "" {
					t.Errorf("%s has an empty row: %+v", name, r)
				}
			}
		}
	}
}

// TestErasSayHowLongANameMayBe: it is data of the era, and differs.
func TestErasSayHowLongANameMayBe(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, era := range []pusher.Era{pusher.Docker113(), pusher.Docker2010(), pusher.Docker28()} {
		list, err := scenarios.Explain(era.Name)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(list[0].Rows, func(r scenarios.Row) bool { return r.Name == "names" })
		if i < 0 || !strings.Contains(list[0].Rows[i].Doc, "255 characters") {
			t.Errorf("%s does not say it: %+v", era.Name, list[0].Rows)
			continue
		}
		seen[list[0].Rows[i].Doc] = true
	}
	if len(seen) != 3 {
		t.Errorf("three eras take names of %d lengths: %v", len(seen), seen)
	}
}
