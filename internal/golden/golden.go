// Package golden compares what a test made with a file that a person has
// reviewed, and writes the file anew when `go test -update` asks for it.
package golden

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = declare()

// declare makes the flag in test binaries only, so that no program has it.
func declare() *bool {
	if !testing.Testing() {
		return new(bool)
	}
	return flag.Bool("update", false, "write golden files anew where they differ")
}

// Update reports whether the test run is to write golden files anew.
func Update() bool { return *update }

// Equal fails the test if the file at path does not hold got; with -update it
// writes the file instead.
func Equal(t testing.TB, path, got string) {
	t.Helper()
	want, err := os.ReadFile(path)
	if err == nil && string(want) == got {
		return
	}
	if Update() {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	t.Errorf("%s is not what the test made (-file +made); go test -update writes it anew:\n%s", path, cmp.Diff(string(want), got))
}

// NoStrays fails for every file below dir whose path from there, with slashes,
// is not among names: a golden file that no test reads says nothing.
func NoStrays(t testing.TB, dir string, names ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil && !slices.Contains(names, filepath.ToSlash(rel)) {
			t.Errorf("no test reads %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
