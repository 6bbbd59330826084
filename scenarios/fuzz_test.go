package scenarios_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/pushcheck/pushcheck/scenarios"
	"github.com/pushcheck/pushcheck/scenarios/library"
)

// FuzzScenario holds that decoding never panics, that every problem has a place
// in the file, and that what was decoded without one can be run.
func FuzzScenario(f *testing.F) {
	err := fs.WalkDir(library.Files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		src, err := fs.ReadFile(library.Files, path)
		f.Add(src)
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("scenario: x\npush: a/b:v1\nmatrix: {a: [1, [2], {b: c}]}\nimage: {layers: [\"${{ a }}\"]}\n"))
	f.Add([]byte("scenario: &a x\npush: *a\n<<: *a\n---\n!!str y\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		list, err := scenarios.Decode("fuzz.yaml", src)
		if err != nil {
			checkProblems(t, err)
			return
		}
		for _, s := range list {
			if s.ID == "" || s.Title == "" || len(s.Steps) == 0 {
				t.Errorf("decoded without a problem into %+v", s)
			}
		}
	})
}

func checkProblems(t *testing.T, err error) {
	t.Helper()
	var wrong *scenarios.Errors
	if !errors.As(err, &wrong) || len(wrong.Problems) == 0 {
		t.Fatalf("the error is %T: %v", err, err)
	}
	for _, p := range wrong.Problems {
		if p.Position.Line < 1 || p.Position.Column < 1 || p.Message == "" {
			t.Errorf("a problem without a place or a message: %+v", p)
		}
	}
	_ = wrong.Error()
}
