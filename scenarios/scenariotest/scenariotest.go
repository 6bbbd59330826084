// Package scenariotest runs scenario files as tests: every file and every case of
// it is a subtest.
//
//	func TestRegistry(t *testing.T) { scenariotest.Run(t, os.DirFS("testdata/scenarios")) }
//
// The subtests are named by the scenarios' IDs, so that
//
//	go test -run 'TestRegistry/auth/.*'
//
// runs those below auth. Scenarios that cannot run here are skipped with their
// reason.
package scenariotest

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/scenarios"
)

// Run runs every scenario of files as a parallel subtest of t. A file that is
// wrong fails t with all that is wrong with it, and nothing is run. So does a
// folder without scenario files.
func Run(t *testing.T, files fs.FS) {
	t.Helper()
	RunWith(t, files, &scenarios.Runner{})
}

// RunWith is Run with a Runner of the caller's own: its seeds, time limits, log.
func RunWith(t *testing.T, files fs.FS, r *scenarios.Runner) {
	t.Helper()
	list, err := load(files)
	if err != nil {
		t.Fatal(err)
	}
	runAll(t, grow(list), r)
}

// load loads every scenario of files. No scenario is an error: a renamed folder
// must not turn a test green.
func load(files fs.FS) ([]*scenarios.Scenario, error) {
	list, err := scenarios.Load(files, ".")
	if missing := new(scenarios.NotFoundError); errors.As(err, &missing) {
		return nil, fmt.Errorf("no scenario in %s: scenario files end in .yaml or .yml", placeOf(files))
	}
	return list, err
}

// placeOf names files: os.DirFS is a folder's name.
func placeOf(files fs.FS) string {
	if v := reflect.ValueOf(files); v.IsValid() && v.Kind() == reflect.String {
		return v.String()
	}
	return fmt.Sprintf("the files of %T", files)
}

// A branch is a part of the tree that the IDs make.
type branch struct {
	name     string
	scenario *scenarios.Scenario // nil where only branches are
	branches []*branch
}

// grow makes a tree of the IDs, in their order.
func grow(list []*scenarios.Scenario) []*branch {
	root := &branch{}
	for _, s := range list {
		at := root
		for name := range strings.SplitSeq(s.ID, "/") {
			i := slices.IndexFunc(at.branches, func(b *branch) bool { return b.name == name })
			if i < 0 {
				i = len(at.branches)
				at.branches = append(at.branches, &branch{name: name})
			}
			at = at.branches[i]
		}
		at.scenario = s
	}
	return root.branches
}

func runAll(t *testing.T, branches []*branch, r *scenarios.Runner) {
	t.Helper()
	for _, b := range branches {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			if b.scenario != nil {
				one(t, b.scenario, r)
			}
			runAll(t, b.branches, r)
		})
	}
}

// one runs one scenario and fails t as the command would show it.
func one(t *testing.T, s *scenarios.Scenario, r *scenarios.Runner) {
	t.Helper()
	summary, err := r.Run(t.Context(), []*scenarios.Scenario{s})
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range summary.Results {
		switch res.Outcome {
		case report.Skipped:
			t.Skip(res.Because)
		case report.Fail, report.Broken:
			var b strings.Builder
			report.NewText(&b, report.TextOptions{}).Result(res)
			t.Error("\n" + b.String())
		case report.Known:
			t.Log("known: " + res.Because)
		case report.Pass, report.Warn:
		}
	}
}
