package scenarios_test

import (
	"path"
	"strings"
	"testing"

	"github.com/pushcheck/pushcheck/scenarios"
	"github.com/pushcheck/pushcheck/scenarios/library"
	"github.com/pushcheck/pushcheck/scenarios/scenariotest"
)

// TestLibrary runs every built-in scenario.
func TestLibrary(t *testing.T) { scenariotest.Run(t, library.Files) }

func TestLibraryIsInOrder(t *testing.T) {
	t.Parallel()
	list, err := scenarios.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	folders, titles := map[string]int{}, map[string]string{}
	for _, s := range list {
		folders[strings.Split(s.ID, "/")[0]]++
		file := path.Clean(s.Position.File)
		if other, ok := titles[s.Title]; ok && other != file {
			t.Errorf("%s and %s say the same: %s", file, other, s.Title)
		}
		titles[s.Title] = file
		for _, r := range s.Registries {
			if r.Kind == scenarios.KindExternal && scenarios.SkipReason(s) == "" {
				t.Errorf("%s runs in real time, against a registry of somebody else's that nobody named", s.ID)
			}
		}
		if s.Client.Era == "" && s.Client.Adapter == "" {
			t.Errorf("%s does not name who pushes", s.ID)
		}
		if scenarios.EraName(s.Client) == "docker-1.8" && strings.HasPrefix(scenarios.SkipReason(s), "needs fault") {
			t.Errorf("%s: %s", s.ID, scenarios.SkipReason(s))
		}
	}
	for _, folder := range []string{
		"fallback", "auth", "blob-exists", "digest-cache", "upload", "manifest", "v1", "local", "network", "eras", "era-best", "era-containerd",
		"era-docker-1.8", "era-docker-1.9", "era-docker-1.10", "era-docker-1.11", "era-docker-1.12", "era-docker-1.13", "era-docker-20.10", "era-docker-28",
	} {
		if folders[folder] < 4 {
			t.Errorf("folder %s has %d scenarios", folder, folders[folder])
		}
	}
	if len(folders) < 10 || len(titles) < 40 {
		t.Errorf("there are %d folders and %d files", len(folders), len(titles))
	}
}
