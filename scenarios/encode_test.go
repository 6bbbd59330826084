package scenarios

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sameScenario compares what scenarios do, not where they were read.
var sameScenario = cmp.Options{
	cmpopts.IgnoreFields(Scenario{}, "CaseClient", "ID", "Name", "Position", "Files", "Path", "Unset", "Positions", "Lines"),
	cmpopts.IgnoreFields(Fault{}, "Position"),
	cmpopts.EquateEmpty(),
}

// TestEncodedLibraryDecodesToItself holds that nothing of a built-in scenario is
// lost when it is written as a file of its own.
func TestEncodedLibraryDecodesToItself(t *testing.T) {
	t.Parallel()
	list, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if len(s.Unset) > 0 {
			continue // what it says depends on where it runs
		}
		src := Encode(s)
		again, err := Decode("again.yaml", src)
		if err != nil || len(again) != 1 {
			t.Errorf("%s does not lint: %v\n%s", s.ID, err, src)
			continue
		}
		if diff := cmp.Diff(s, again[0], sameScenario); diff != "" {
			t.Errorf("%s (-file +encoded):\n%s\n%s", s.ID, diff, src)
		}
	}
}
