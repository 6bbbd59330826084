package pusher_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/tartest"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// referringArtifact is a layout as its files, and the manifest in it: none of an image,
// and referring to one.
func referringArtifact(subject image.Descriptor) (files map[string]string, artifact string) {
	artifact = fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.example.sbom",`+
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":%q,"size":2},"layers":[],"subject":{"mediaType":%q,"digest":%q,"size":%d}}`,
		digest.FromString("{}"), subject.MediaType, subject.Digest, subject.Size)
	return map[string]string{
		"blobs/sha256/" + digest.FromString(artifact).Encoded(): artifact,
		"blobs/sha256/" + digest.FromString("{}").Encoded():     "{}",
		"index.json": fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d}]}`,
			digest.FromString(artifact), len(artifact)),
	}, artifact
}

// layoutInPlace opens a layout where it lies.
func layoutInPlace(t *testing.T, files map[string]string) (*image.Store, []image.Loaded) {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store, loaded, err := image.OpenLayout(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store, loaded
}

// layoutInATar loads a layout out of a tar.
func layoutInATar(t *testing.T, files map[string]string) (*image.Store, []image.Loaded) {
	t.Helper()
	var list []string
	for name, body := range files {
		list = append(list, name, body)
	}
	store := image.InMemory()
	loaded, err := store.LoadFrom(t.Context(), bytes.NewReader(tartest.Files(t, list...)))
	if err != nil {
		t.Fatal(err)
	}
	return store, loaded
}

// TestReferringArtifact: what is no image goes out of a layout as it is, whichever form
// that has, and into the list of its subject's referrers with its own type.
func TestReferringArtifact(t *testing.T) {
	t.Parallel()
	subject, _ := image.Subject("base")
	files, artifact := referringArtifact(subject)
	for _, row := range []struct {
		name string
		era  pusher.Era
		load func(*testing.T, map[string]string) (*image.Store, []image.Loaded)
		list bool // kept by the client
	}{
		{"best, a folder", pusher.Best(), layoutInPlace, true},
		{"best, a tar", pusher.Best(), layoutInATar, true},
		{"containerd, a folder", pusher.Containerd(), layoutInPlace, false},
		{"containerd, a tar", pusher.Containerd(), layoutInATar, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t)
			store, loaded := row.load(t, files)
			if err := store.TagContent(p.host()+"/a", "t", loaded[0].Image, loaded[0].Content); err != nil {
				t.Fatal(err)
			}
			if _, err := eraClient(t, pusher.Config{Era: row.era, Images: store}).Push(t.Context(), p.host()+"/a", "t", pusher.Options{}); err != nil {
				t.Fatal(err)
			}
			if got := p.manifest(t, "a", "t"); got != artifact {
				t.Errorf("it came as %s", got)
			}
			if !row.list {
				return
			}
			if list := p.manifest(t, "a", strings.Replace(subject.Digest.String(), ":", "-", 1)); !strings.Contains(list, `"artifactType":"application/vnd.example.sbom"`) {
				t.Error(list)
			}
		})
	}
}

// TestArtifactOfAGraph: an era that makes manifests of layers says that it cannot push
// what has none, by name and of all tags, and sends nothing.
func TestArtifactOfAGraph(t *testing.T) {
	t.Parallel()
	p := startPeer(t)
	subject, _ := image.Subject("base")
	files, _ := referringArtifact(subject)
	store, loaded := layoutInATar(t, files)
	if err := store.TagContent(p.host()+"/a", "t", loaded[0].Image, loaded[0].Content); err != nil {
		t.Fatal(err)
	}
	for _, era := range pusher.Eras() {
		for _, tag := range []string{"t", ""} {
			if era.Way != pusher.WayGraph {
				continue
			}
			_, err := eraClient(t, pusher.Config{Era: era, Images: store}).Push(t.Context(), p.host()+"/a", tag, pusher.Options{})
			want := p.host() + "/a:t is an artifact, and " + era.Name + " makes manifests of images alone; the eras containerd and best push what is stored"
			if !errors.Is(err, pusher.ErrArtifact) || err.Error() != want {
				t.Errorf("%s: error %v\nwant  %s", era.Name, err, want)
			}
		}
	}
}
