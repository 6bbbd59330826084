package scenariotest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func TestAPlaceWithoutScenariosFails(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "nosuch")
	list, err := load(os.DirFS(missing))
	if want := "no scenario in " + missing + ": "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("a folder that is not there gives %d scenarios and %v, want %s", len(list), err, want)
	}
	list, err = load(fstest.MapFS{"notes.txt": {}})
	if want := "no scenario in the files of fstest.MapFS: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("a folder without scenarios gives %d scenarios and %v, want %s", len(list), err, want)
	}
}

func TestAPlaceWithAScenarioIsRun(t *testing.T) {
	t.Parallel()
	Run(t, fstest.MapFS{"own/one.yaml": {Data: []byte("scenario: one\npush: team/app:v1\n")}})
}
