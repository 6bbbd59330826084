package scenarios_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/scenarios"
)

func tree() fstest.MapFS {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{
		"one.yaml":             file("scenario: one\npush: a/b:v1\n"),
		"own/fallback.yaml":    file("scenario: mine\npush: a/b:v1\n"),
		"own/cases.yml":        file("scenario: cases\npush: a/b:v1\ncases: {x: {seed: 1}, xy: {seed: 2}}\n"),
		"own/deep/two.yaml":    file("scenario: two\npush: a/b:v1\nclient: [docker-1.8, skopeo]\n"),
		"own/.hidden/no.yaml":  file("nonsense"),
		"own/readme.md":        file("nonsense"),
		"own/pushcheck.yaml":   file("nonsense"),
		"empty/nothing.txt":    file(""),
		"fallback/v2-only.txt": file(""),
	}
}

func ids(list []*scenarios.Scenario) []string {
	var names []string
	for _, s := range list {
		names = append(names, s.ID)
	}
	return names
}

func TestLoadByName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		names []string
		want  []string
	}{
		{"a file", []string{"one.yaml"}, []string{"one"}},
		{"a file without its ending", []string{"one"}, []string{"one"}},
		{"a folder", []string{"own"}, []string{"own/cases/x", "own/cases/xy", "own/deep/two@docker-1.8", "own/deep/two@skopeo", "own/fallback"}},
		{"a folder and all below", []string{"./own/deep/..."}, []string{"own/deep/two@docker-1.8", "own/deep/two@skopeo"}},
		{"a glob", []string{"own/*.yml"}, []string{"own/cases/x", "own/cases/xy"}},
		{"a case", []string{"own/cases/x"}, []string{"own/cases/x"}},
		{"a case of a file with its ending", []string{"own/cases.yml/xy"}, []string{"own/cases/xy"}},
		{"a client", []string{"own/deep/two@skopeo"}, []string{"own/deep/two@skopeo"}},
		{"twice the same", []string{"one.yaml", "one"}, []string{"one"}},
		{"a file before a built-in scenario", []string{"own/fallback.yaml"}, []string{"own/fallback"}},
		{"a built-in one by its base name", []string{"fallback.yaml"}, []string{"fallback/fallback"}},
		{"a built-in one by its ID", []string{"fallback/v2-only"}, []string{"fallback/v2-only"}},
		{"a built-in one with its folder in the name", []string{"auth-basic.yaml/wrong-password"}, []string{"auth/basic/wrong-password"}},
		{"a built-in case", []string{"auth/basic/wrong-password"}, []string{"auth/basic/wrong-password"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			list, err := scenarios.Load(tree(), tt.names...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, ids(list)); diff != "" {
				t.Errorf("scenarios (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryScenarioIsFoundByWhatItIsCalled(t *testing.T) {
	t.Parallel()
	own, err := scenarios.Load(tree(), "own", "one")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(own, scenarios.List()...) {
		list, err := scenarios.Load(tree(), s.Name)
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		if !slices.Contains(ids(list), s.ID) {
			t.Errorf("%s finds %v, not %s", s.Name, ids(list), s.ID)
		}
	}
}

func TestLoadNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, want string }{
		{"falback.yaml", "falback.yaml: no such file, folder or built-in scenario; did you mean fallback/fallback?"},
		{"auth/basik", "auth/basik: no such file, folder or built-in scenario; did you mean auth/basic?"},
		{"empty", "no scenario in ./empty"},
		{"fallback", "no scenario in ./fallback"}, // a folder that is there, and one of the library
		{"./empty/...", "no scenario in ./empty/..."},
		{"", "the name of a scenario is empty"},
		{"own/cases/z", "own/cases/z: no such file, folder or built-in scenario; did you mean one of x, xy?"},
		{"*.nothing", "no scenario in ./*.nothing"},
	} {
		_, err := scenarios.Load(tree(), tt.name)
		var missing *scenarios.NotFoundError
		if !errors.As(err, &missing) || err.Error() != tt.want {
			t.Errorf("%s gives %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestLoadReportsTheProblemsOfEveryFile(t *testing.T) {
	t.Parallel()
	files := tree()
	files["bad/a.yaml"] = &fstest.MapFile{Data: []byte("scenario: a\npsh: x\n")}
	files["bad/b.yaml"] = &fstest.MapFile{Data: []byte("scenario: b\npush: a/b:v1\nexpekt: {}\n")}
	_, err := scenarios.Load(files, "one", "bad")
	if err == nil || !strings.Contains(err.Error(), "bad/a.yaml:2:1: ") || !strings.Contains(err.Error(), "bad/b.yaml:3:1: ") {
		t.Errorf("the problems are %v", err)
	}
}

func TestDirOpensWhatAPersonTypes(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "up.yaml")
	if err := os.WriteFile(file, []byte("scenario: up\npush: a/b:v1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../up.yaml", file, "../*.yaml", ".."} {
		list, err := scenarios.Load(scenarios.Dir(filepath.Join(root, "sub")), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(list) != 1 || !strings.HasSuffix(list[0].ID, "up") || strings.HasPrefix(list[0].ID, ".") {
			t.Errorf("%s gives %v", name, ids(list))
		}
	}
}

func TestEnvironmentIsPutInAfterParsing(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"e.yaml": &fstest.MapFile{Data: []byte("scenario: ${TITLE}\npush: ${REPO:-team/app}:${TAG}\n")}}
	loader := &scenarios.Loader{Files: files, Env: func(name string) (string, bool) {
		v, ok := map[string]string{"TITLE": "it: {is} #odd"}[name]
		return v, ok
	}}
	list, err := loader.Load("e")
	if err != nil {
		t.Fatal(err)
	}
	if s := list[0]; s.Title != "it: {is} #odd" || s.Steps[0].Push != "team/app:" || !slices.Equal(s.Unset, []string{"TAG"}) {
		t.Errorf("title %q, push %q, unset %v", s.Title, s.Steps[0].Push, s.Unset)
	}
	if got, want := scenarios.SkipReason(list[0]), "needs the environment variable TAG"; got != want {
		t.Errorf("it is skipped because %q, want %q", got, want)
	}
}
