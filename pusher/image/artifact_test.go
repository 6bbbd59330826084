package image_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/image"
)

const dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"

// artifactForm is a layout with a manifest that is none of an image and refers to one
// that is elsewhere. It returns the manifest as well.
func artifactForm(t testing.TB) (f files, manifest string) {
	f = files{}
	manifest = jsonOf(t, obj{
		"schemaVersion": 2, "mediaType": ociManifest, "artifactType": "application/vnd.example", "subject": descriptor(ociManifest, "elsewhere"),
		"config": descriptor("application/vnd.oci.empty.v1+json", "{}"), "layers": list{descriptor("text/plain", "sbom")},
	})
	for _, body := range []string{manifest, "{}", "sbom"} {
		f[blobName(body)] = body
	}
	return f.index(t, named(descriptor(ociManifest, manifest), "sbom")), manifest
}

// A loader loads a layout in one of the forms that there are.
type loader struct {
	name string
	load func(t *testing.T, f files) (*image.Store, []image.Loaded, error)
}

func loaders() []loader {
	tarred := func(f func(testing.TB, string) string) func(t *testing.T, one files) (*image.Store, []image.Loaded, error) {
		return func(t *testing.T, one files) (*image.Store, []image.Loaded, error) {
			t.Helper()
			s := openStore(t)
			loaded, err := s.LoadFrom(t.Context(), strings.NewReader(f(t, one.tar(t))))
			return s, loaded, err
		}
	}
	return []loader{
		{"folder in place", func(t *testing.T, f files) (*image.Store, []image.Loaded, error) {
			t.Helper()
			s, loaded, err := image.OpenLayout(t.Context(), f.write(t))
			if err == nil {
				t.Cleanup(func() { require.NoError(t, s.Close()) })
			}
			return s, loaded, err
		}},
		{"folder", func(t *testing.T, f files) (*image.Store, []image.Loaded, error) {
			t.Helper()
			s := openStore(t)
			loaded, err := s.Load(t.Context(), f.write(t))
			return s, loaded, err
		}},
		{"tar", tarred(func(_ testing.TB, s string) string { return s })},
		{"gzip", tarred(gzipped)},
		{"zstd", tarred(zstded)},
	}
}

// TestArtifact: what is no image is loaded out of every form of a layout, whole, with
// what it names, and not what it refers to.
func TestArtifact(t *testing.T) {
	t.Parallel()
	f, manifest := artifactForm(t)
	for _, from := range loaders() {
		t.Run(from.name, func(t *testing.T) {
			t.Parallel()
			s, loaded, err := from.load(t, f)
			require.NoError(t, err)
			require.Len(t, loaded, 1)
			assert.Equal(t, image.Loaded{Name: "sbom", Tag: "sbom", Image: hexOf(manifest), Content: digestOf(manifest), Artifact: true}, loaded[0])
			require.NoError(t, s.TagContent("a", "t", loaded[0].Image, loaded[0].Content))
			o, err := s.Origin("a", "t")
			require.NoError(t, err)
			assert.True(t, o.Artifact)
			assert.Equal(t, image.Descriptor{MediaType: ociManifest, Digest: digestOf(manifest), Size: int64(len(manifest))}, *o.Manifest)
			for _, body := range []string{manifest, "{}", "sbom"} {
				r, err := s.OpenBlob(digestOf(body))
				assert.Equal(t, body, readAll(t, r, err))
			}
			_, _, err = from.load(t, f.without(blobName("sbom")))
			require.ErrorContains(t, err, blobName("sbom")+": it is missing, and "+blobName(manifest)+" names it")
		})
	}
}

// TestArtifactIsKept: it outlives the store that loaded it, and goes when it is deleted.
func TestArtifactIsKept(t *testing.T) {
	t.Parallel()
	f, manifest := artifactForm(t)
	dir := t.TempDir()
	s := openAt(t, dir)
	loaded := loadFiles(t, s, f)
	require.NoError(t, s.TagContent("a", "t", loaded[0].Image, loaded[0].Content))
	require.NoError(t, s.Close())
	s = openAt(t, dir)
	assert.Equal(t, digestOf(manifest), s.Content("a", "t"))
	other, err := s.Make(t.Context(), image.Recipe{Layers: []int64{1}})
	require.NoError(t, err)
	_, err = s.Delete(other[0]) // which sweeps
	require.NoError(t, err)
	for _, body := range []string{manifest, "{}", "sbom"} {
		assert.True(t, s.HasBlob(digestOf(body)), body)
	}
	require.NoError(t, s.Untag("a", "t"))
	_, err = s.Delete(loaded[0].Image)
	require.NoError(t, err)
	left, err := s.Files()
	require.NoError(t, err)
	assert.False(t, slices.ContainsFunc(left, func(name string) bool { return strings.HasPrefix(name, filepath.ToSlash("blobs/")) }), left)
}

// TestKindsOfArtifacts: of what may be called a manifest and is none of an image.
func TestKindsOfArtifacts(t *testing.T) {
	t.Parallel()
	image1 := files{}
	app := image1.addManifest(t, configJSON(t, baseTar(t), topTar(t)), gzipLayers(t)...)
	_, sbom := artifactForm(t)
	one, _ := artifactForm(t)
	draft := jsonOf(t, obj{"mediaType": "application/vnd.oci.artifact.manifest.v1+json", "artifactType": "application/vnd.example", "blobs": list{descriptor("text/plain", "sbom")}})
	plugin := jsonOf(t, obj{
		"schemaVersion": 2, "mediaType": dockerManifest,
		"config": descriptor("application/vnd.docker.plugin.v1+json", "{}"), "layers": list{descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", "sbom")},
	})
	unsaid := jsonOf(t, obj{"schemaVersion": 2, "mediaType": ociManifest, "config": descriptor("application/vnd.cncf.helm.config.v1+json", "{}"), "layers": list{}})
	cache := jsonOf(t, obj{"schemaVersion": 2, "mediaType": ociIndex, "manifests": list{
		descriptor(ociLayer+"+gzip", "sbom"), descriptor("application/vnd.buildkit.cacheconfig.v0", "{}"),
	}})
	alone := jsonOf(t, obj{"schemaVersion": 2, "mediaType": ociIndex, "manifests": list{descriptor(ociManifest, sbom)}})
	all := one.with(image1)
	for _, body := range []string{draft, plugin, unsaid, cache, alone} {
		all[blobName(body)] = body
	}
	withoutKind := descriptor("", unsaid)
	delete(withoutKind, "mediaType")
	for _, row := range []struct {
		name    string
		listed  list
		content string // what the tag stands for
		index   bool
		images  int // beside it
	}{
		{"the manifest that was once drafted", list{named(descriptor("application/vnd.oci.artifact.manifest.v1+json", draft), "t")}, draft, false, 0},
		{"a plugin of docker", list{named(descriptor(dockerManifest, plugin), "t")}, plugin, false, 0},
		{"a chart, of a media type that its descriptor leaves out", list{named(withoutKind, "t")}, unsaid, false, 0},
		{"a cache of a build", list{named(descriptor(ociIndex, cache), "t")}, cache, true, 0},
		{"an index of artifacts", list{named(descriptor(ociIndex, alone), "t")}, alone, true, 0},
		{"beside an image", list{named(descriptor(ociManifest, app), "v1"), named(descriptor(ociManifest, sbom), "t")}, sbom, false, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			loaded := loadFiles(t, s, all.index(t, row.listed...))
			require.Len(t, loaded, 1+row.images)
			l := loaded[row.images]
			assert.True(t, l.Artifact)
			assert.Equal(t, digestOf(row.content), l.Content)
			require.NoError(t, s.TagContent("a", "t", l.Image, l.Content))
			index, err := s.Index("a", "t")
			require.NoError(t, err)
			assert.Equal(t, row.index, index != nil)
			assert.True(t, s.HasBlob(digestOf(row.content)))
		})
	}
}

// TestNameOfAnImageAndAnArtifact: a name that both have leads to the image.
func TestNameOfAnImageAndAnArtifact(t *testing.T) {
	t.Parallel()
	f, sbom := artifactForm(t)
	app := f.addManifest(t, strings.Replace(configJSON(t, baseTar(t), topTar(t)), `"amd64"`, `"arm64"`, 1), gzipLayers(t)...)
	s := openStore(t)
	loaded := loadFiles(t, s, f.index(t, named(descriptor(ociManifest, sbom), "lib/app:v1"), named(descriptor(ociManifest, app), "lib/app:v1")))
	require.Len(t, loaded, 2)
	assert.True(t, loaded[0].Other)
	assert.Equal(t, digestOf(app), s.Content("lib/app", "v1"))
}
