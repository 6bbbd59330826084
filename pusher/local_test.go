package pusher_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// TestLocalErrors: what the local store has, and what the user reads.
func TestLocalErrors(t *testing.T) {
	t.Parallel()
	g := startRegistry(t)
	app := g.host() + "/app"
	store, ids := storeWith(t, image.Recipe{Layers: []int64{0, 0}}, app+":t")
	dir := filepath.Join(t.TempDir(), "other")
	broken, err := image.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broken.Close() })
	lost, err := broken.Make(t.Context(), image.Recipe{Layers: []int64{0}, Seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	if err := broken.Tag(app, "gone", lost[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "graph", lost[0])); err != nil {
		t.Fatal(err)
	}
	garbled, _ := storeWith(t, image.Recipe{Layers: []int64{0, 0}}, app+":t")
	if err := garbled.SetDigest(ids[1], "garbage"); err != nil {
		t.Fatal(err)
	}
	odd, _ := storeWith(t, image.Recipe{Layers: []int64{0, 0}}, app+":t")
	if err := odd.SetDigest(ids[1], "md5:00"); err != nil {
		t.Fatal(err)
	}
	empty := g.host() + "/empty"
	tests := []struct {
		name, repository, tag string
		store                 *image.Store
		want                  string
	}{
		{"no such repository", g.host() + "/no", "t", store, "Repository does not exist: " + g.host() + "/no"},
		{"no such tag", app, "missing", store, "error getting tags for " + app + ": Tag does not exist for missing"},
		{"a digest for a tag", app, "sha256:00", store, "error getting tags for " + app + ": Tag does not exist for sha256:00"},
		{"an image that is gone", app, "gone", broken, "could not find image: no such id: " + lost[0]},
		{"a garbled digest cache", app, "t", garbled, "error getting image checksum: invalid checksum digest format"},
		{"a digest cache of an unknown algorithm", app, "t", odd, "error getting image checksum: unsupported digest algorithm"},
		{"nothing there", empty, "", store, "Repository does not exist: " + empty},
		{"a bad name", g.host() + "/A", "t", store, `repository name component must match "[a-z0-9]+(?:[._-][a-z0-9]+)*"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var lines []string
			_, err := newClient(t, pusher.Config{Images: tt.store}).Push(t.Context(), tt.repository, tt.tag, pusher.Options{Progress: statuses(&lines)})
			if err == nil || err.Error() != tt.want {
				t.Fatalf("error %v\nwant  %s", err, tt.want)
			}
			if told := len(lines) > 0; told == (tt.name == "a bad name") {
				t.Errorf("told %q", lines)
			}
		})
	}
}

// TestCutChain: docker signs and pushes what it has of a chain whose parent is
// lost (P-192).
func TestCutChain(t *testing.T) {
	t.Parallel()
	g := startRegistry(t)
	name := g.host() + "/a"
	dir := t.TempDir()
	store, err := image.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	ids, err := store.Make(t.Context(), image.Recipe{Layers: []int64{0, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Tag(name, "t", ids[2]); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "graph", ids[0])); err != nil {
		t.Fatal(err)
	}
	if _, err := newClient(t, pusher.Config{Images: store}).Push(t.Context(), name, "t", pusher.Options{}); err != nil {
		t.Fatal(err)
	}
	if m := g.manifests["a:t"]; bytes.Count(m, []byte(`"blobSum"`)) != 2 {
		t.Errorf("manifest %s", m)
	}
}

// TestLoopedChain: an ID that repeats ends the chain (P-190).
func TestLoopedChain(t *testing.T) {
	t.Parallel()
	g := startRegistry(t)
	name := g.host() + "/a"
	dir := t.TempDir()
	store, err := image.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	ids, err := store.Make(t.Context(), image.Recipe{Layers: []int64{0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Tag(name, "t", ids[1]); err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(dir, "graph", ids[0], "record")
	record, err := os.ReadFile(base)
	if err != nil {
		t.Fatal(err)
	}
	looped := append([]byte(`{"parent":"`+ids[1]+`",`), record[1:]...)
	if err := os.WriteFile(base, looped, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newClient(t, pusher.Config{Images: store}).Push(t.Context(), name, "t", pusher.Options{}); err != nil {
		t.Fatal(err)
	}
	if m := g.manifests["a:t"]; bytes.Count(m, []byte(`"blobSum"`)) != 2 {
		t.Errorf("manifest %s", m)
	}
}
