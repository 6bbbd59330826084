package pusher_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/pusher/metadata"
)

// TestAMemoryThatFails: eras that are nobody's docker push on without one; docker ends,
// and the error says that it is no registry's.
func TestAMemoryThatFails(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, era := range pusher.Eras() {
		if era.Name != "best" && era.Name != "containerd" && era.Name != "docker-1.10" && era.Name != "docker-28" {
			continue
		}
		t.Run(era.Name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t)
			repository := p.host() + "/a"
			store, _ := storeWith(t, image.Recipe{Layers: []int64{10}}, repository+":t")
			known := metadata.OpenJournal(filepath.Join(broken, "journal"))
			if era.Way == pusher.WayGraph {
				known = metadata.Open(filepath.Join(broken, "folder"))
			}
			client := eraClient(t, pusher.Config{Era: era, Images: store, Metadata: known})
			_, err := client.Push(t.Context(), repository, "t", pusher.Options{})
			var memory *pusher.MemoryError
			if errors.As(err, &memory) != (era.Way == pusher.WayGraph) || memory == nil && err != nil {
				t.Error(err)
			}
			if err := known.Close(); (err == nil) != (era.Way == pusher.WayGraph) {
				t.Errorf("the journal closes with %v", err)
			}
		})
	}
}
