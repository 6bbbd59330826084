package scenarios

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/pusher"
)

// forgetful is a pusher that cancels no upload session, as docker, and says nothing
// of it.
func forgetful(e *pusher.Era) {
	*e = pusher.Docker2010()
	e.Known = nil
}

func TestStormIsShrunkToOneFault(t *testing.T) {
	t.Parallel()
	list, err := Load(nil, "upload/storm")
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{changes: changes{era: forgetful}}
	var files [2][]byte
	for i := range files {
		shrunk, err := r.Shrink(t.Context(), list[0], 1)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = shrunk.Source
		s := shrunk.Scenario
		if len(s.Faults) != 1 || s.Faults[0].When.Nth != 1 || s.Faults[0].When.Chance != 0 || shrunk.Struck < 3 {
			t.Errorf("of %d strikes these are left: %+v", shrunk.Struck, s.Faults)
		}
		if !slices.Equal(s.Image.Layers, []int64{1 << 10}) || s.Client.Concurrency != 0 || s.Registries[0].Auth != "" {
			t.Errorf("it is not as plain as it could be:\n%s", shrunk.Source)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Errorf("the same seed was shrunk to\n%sand to\n%s", files[0], files[1])
	}
	again, err := Decode("shrunk.yaml", files[0])
	if err != nil {
		t.Fatalf("%v\n%s", err, files[0])
	}
	summary, err := r.Run(t.Context(), again)
	if err != nil {
		t.Fatal(err)
	}
	if res := summary.Results[0]; res.Outcome != report.Fail || len(res.Failures) != 1 || res.Failures[0].Name != "invariant clean-up" {
		t.Errorf("by itself it is %s: %v", res.Outcome, res.Failures)
	}
	if _, err := r.Shrink(t.Context(), made(t, "scenario: x\nregistry: fake\npush: a/b:v1\n")[0], 1); !errors.Is(err, ErrPassed) {
		t.Errorf("a scenario that passes: %v", err)
	}
}

// TestWhatTwoFaultsDoKeepsBoth holds that no fault goes that the failure needs, in
// steps and for the whole scenario.
func TestWhatTwoFaultsDoKeepsBoth(t *testing.T) {
	t.Parallel()
	s := made(t, `scenario: x
registry: fake
client: docker-20.10
image: {layers: [4KiB, 2KiB, 1KiB]}
steps:
  - push: a/b:v0
  - push: a/b:v1
    faults:
      - any-of: [respond, delay]
        at: manifest.put
        chance: 100%
        times: 1
faults:
  - delay: upload.patch
    by: 1s
    chance: 90%
expect: {count: {manifest.put: 2}}
`)[0]
	s.Steps[1].Faults[0].AnyOf = []string{"respond"}
	shrunk, err := new(Runner).Shrink(t.Context(), s, 1)
	if err != nil {
		t.Fatal(err)
	}
	if kindOf(shrunk.Failure) != "expect.result" || len(declaredAtoms(shrunk.Scenario)) != 1 || len(shrunk.Scenario.Steps) != 1 {
		t.Errorf("%s: %s is left:\n%s", shrunk.Failure.Name, shrunk.Failure.Message, shrunk.Source)
	}
	if f := declaredAtoms(shrunk.Scenario)[0].fault; f.Name != "respond" || f.When != (fakeregistry.Trigger{Nth: 1}) {
		t.Errorf("the fault that matters is %+v", f)
	}
}

func TestMinimise(t *testing.T) {
	t.Parallel()
	all := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	for _, want := range [][]int{nil, {1}, {11}, {2, 9}, {1, 6, 11}, {3, 4, 5}, all} {
		asked := 0
		got := minimise(all, func(list []int) bool {
			asked++
			for _, n := range want {
				if !slices.Contains(list, n) {
					return false
				}
			}
			return true
		})
		if !slices.Equal(got, want) || asked > 150 {
			t.Errorf("%v was found to be %v after %d questions", want, got, asked)
		}
	}
}
