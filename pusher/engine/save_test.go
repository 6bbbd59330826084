package engine_test

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/tartest"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// untar is the files of a tar.
func untar(t *testing.T, data string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for r := tar.NewReader(strings.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		body, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NotContains(t, files, h.Name)
		if h.Typeflag != tar.TypeDir {
			files[h.Name] = string(body)
		}
	}
}

func hexOf(s string) string { return digest.FromString(s).Encoded() }

// A manifestItem is one image of manifest.json.
type manifestItem struct {
	Config           string
	RepoTags, Layers []string
}

// manifestJSON is the file of that name of an archive.
func manifestJSON(t *testing.T, files map[string]string) (items []manifestItem) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(files["manifest.json"]), &items))
	for _, i := range items {
		require.Contains(t, files, i.Config)
		for _, l := range i.Layers {
			require.Contains(t, files, l)
		}
	}
	return items
}

// Each era saves in its own form, always the same, and loads it. The oldest form is
// TestSaveAndLoad's.
func TestSaveForms(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		era  pusher.Era
		has  []string // files
		lack []string
	}{
		{pusher.Docker2010(), []string{"repositories", id("d3") + "/layer.tar", "manifest.json"}, []string{"index.json"}},
		{pusher.Docker28(), []string{"repositories", "manifest.json", "index.json", "oci-layout"}, []string{id("d3") + "/layer.tar"}},
		{pusher.Containerd(), []string{"manifest.json", "index.json", "oci-layout"}, []string{"repositories"}},
	} {
		t.Run(row.era.Name, func(t *testing.T) {
			t.Parallel()
			b := start(t, func(e *pusher.Era) { *e = row.era })
			require.Equal(t, 200, b.do("POST", "/images/load", strings.NewReader(string(archive(t)))).status)
			saved := b.do("GET", "/images/get?names=lib/app", nil)
			require.Equal(t, 200, saved.status, saved.body)
			files := untar(t, saved.body)
			assert.Subset(t, slices.Collect(maps.Keys(files)), row.has)
			for _, name := range row.lack {
				assert.NotContains(t, files, name)
			}
			var tags []string
			for _, i := range manifestJSON(t, files) {
				tags = append(tags, i.RepoTags...)
			}
			assert.ElementsMatch(t, []string{"lib/app:latest", "lib/app:env", "lib/app:two"}, tags)
			other := start(t, func(e *pusher.Era) { *e = row.era })
			require.Equal(t, 200, other.do("POST", "/images/load", strings.NewReader(saved.body)).status)
			assert.True(t, saved.body == other.do("GET", "/images/get?names=lib/app", nil).body, "it saves the same again") //nolint:testifylint // archives are not to be shown
			one := untar(t, b.do("GET", "/images/lib/app:two/get", nil).body)
			assert.Less(t, len(one), len(files))
		})
	}
}

// many loads an image for two platforms into an engine, under the name lib/many:v1.
func (b *bench) many(t *testing.T, as image.Stored) image.Loaded {
	t.Helper()
	as.Media, as.Platforms = image.MediaOCI, []string{"linux/amd64", "linux/arm64"}
	made, err := b.store.MakeStored(t.Context(), image.Recipe{Layers: []int64{4, 5}}, as)
	require.NoError(t, err)
	require.NoError(t, b.store.TagContent("lib/many", "v1", made[0].Image, made[0].Content))
	return made[0]
}

func platformQuery(s string) string { return "platform=" + url.QueryEscape(s) }

const (
	amd64 = `{"os":"linux","architecture":"amd64"}`
	arm64 = `{"os":"linux","architecture":"arm64","variant":"v8"}`
	s390x = `{"os":"linux","architecture":"s390x"}`
)

// An index is saved whole by an era that keeps it, of a platform its image alone; an
// era that has one image saves that, and says what it lacks.
func TestSaveIndex(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		era   pusher.Era
		query string
		code  int
		want  string // "index", "manifest", "config", or a part of the error
	}{
		{"all of it", pusher.Containerd(), "", 200, "index"},
		{"best, all of it", pusher.Best(), "", 200, "index"},
		{"one of it", pusher.Containerd(), "&" + platformQuery(arm64), 200, "manifest"},
		{"none of it", pusher.Containerd(), "&" + platformQuery(s390x), 404, "no suitable export target found: image with reference lib/many:v1 was found but does not provide the specified platform (linux/s390x)"},
		{"best, none of it", pusher.Best(), "&" + platformQuery(s390x), 404, "no suitable export target found: lib/many:v1 is not there for linux/s390x; it is there for linux/amd64, linux/arm64"},
		{"the graph's own", pusher.Docker28(), "&" + platformQuery(amd64), 200, "config"},
		{"another than the graph's", pusher.Docker28(), "&" + platformQuery(arm64), 404, "image with reference lib/many:v1 was found but its platform (linux/amd64) does not match the specified platform (linux/arm64/v8)"},
		{"no platform", pusher.Containerd(), "&platform=x", 400, "failed to parse platform"},
		{"no image", pusher.Containerd(), "&names=lib/none:v1", 404, "No such image: lib/none:v1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := start(t, func(e *pusher.Era) { *e = row.era })
			made := b.many(t, image.Stored{})
			saved := b.do("GET", "/v1.48/images/get?names=lib/many:v1"+row.query, nil)
			require.Equal(t, row.code, saved.status, saved.body)
			if row.code != 200 {
				assert.Contains(t, saved.body, row.want)
				return
			}
			files := untar(t, saved.body)
			items := manifestJSON(t, files)
			require.Len(t, items, 1)
			assert.Equal(t, []string{"lib/many:v1"}, items[0].RepoTags)
			assert.Contains(t, files["index.json"], `"io.containerd.image.name":"docker.io/lib/many:v1","org.opencontainers.image.ref.name":"v1"`)

			other := start(t, func(e *pusher.Era) { *e = row.era })
			require.Contains(t, other.do("POST", "/images/load", strings.NewReader(saved.body)).body, "Loaded image: lib/many:v1")
			content := other.store.Content("lib/many", "v1")
			switch row.want {
			case "index":
				assert.Equal(t, made.Content, content)
				index, err := other.store.Index("lib/many", "v1")
				require.NoError(t, err)
				assert.Len(t, index.Blobs, 8) // of each platform a manifest, a config and two layers
			case "manifest":
				o, err := other.store.Origin("lib/many", "v1")
				require.NoError(t, err)
				assert.Equal(t, "linux/arm64", o.Platform)
				assert.Equal(t, content, o.Manifest.Digest)
			default:
				img, err := b.store.Image(made.Image)
				require.NoError(t, err)
				again, err := other.store.Origin("lib/many", "v1")
				require.NoError(t, err)
				r, err := other.store.ReadBlob("config", again.Config.Digest)
				require.NoError(t, err)
				assert.Equal(t, string(img.Config), string(r))
			}
		})
	}
}

// An index of which something is missing is saved as far as it is there.
func TestSaveSparseIndex(t *testing.T) {
	t.Parallel()
	b := start(t, func(e *pusher.Era) { *e = pusher.Containerd() })
	made := b.many(t, image.Stored{Missing: []string{"linux/arm64"}})
	other := start(t, func(e *pusher.Era) { *e = pusher.Containerd() })
	require.Equal(t, 200, other.do("POST", "/images/load", strings.NewReader(b.do("GET", "/images/lib/many:v1/get", nil).body)).status)
	assert.Equal(t, made.Content, other.store.Content("lib/many", "v1"))
	assert.Equal(t, 404, b.do("GET", "/images/lib/many:v1/get?"+platformQuery(arm64), nil).status)
}

// An artifact is saved whole, and loads again.
func TestSaveArtifact(t *testing.T) {
	t.Parallel()
	b := start(t, func(e *pusher.Era) { *e = pusher.Containerd() })
	blob := func(s string) string { return "blobs/sha256/" + hexOf(s) }
	artifact := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.example","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:` +
		hexOf("{}") + `","size":2},"layers":[]}`
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []any{map[string]any{
		"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + hexOf(artifact), "size": len(artifact),
		"annotations": map[string]string{"io.containerd.image.name": "docker.io/lib/sbom:v1"},
	}}})
	require.NoError(t, err)
	layout := tartest.Files(t, blob(artifact), artifact, blob("{}"), "{}", "index.json", string(index))
	require.Contains(t, b.do("POST", "/images/load", strings.NewReader(string(layout))).body, "Loaded image: lib/sbom:v1")
	saved := b.do("GET", "/images/lib/sbom:v1/get", nil)
	files := untar(t, saved.body)
	assert.Equal(t, artifact, files[blob(artifact)])
	assert.Equal(t, "{}", files[blob("{}")])
	assert.NotContains(t, files, "manifest.json")
	other := start(t, func(e *pusher.Era) { *e = pusher.Containerd() })
	require.Contains(t, other.do("POST", "/images/load", strings.NewReader(saved.body)).body, "Loaded image: lib/sbom:v1")
	assert.Equal(t, 404, b.do("GET", "/images/lib/sbom:v1/get?"+platformQuery(amd64), nil).status)
}

// What a graph has not it cannot save, and says so before the first byte.
func TestSaveAbsentLayer(t *testing.T) {
	t.Parallel()
	b := start(t, func(e *pusher.Era) { *e = pusher.Docker28() })
	c := start(t, func(e *pusher.Era) { *e = pusher.Containerd() })
	made, err := c.store.MakeStored(t.Context(), image.Recipe{Layers: []int64{4, 5}}, image.Stored{Media: image.MediaDocker, Foreign: []int{0}})
	require.NoError(t, err)
	require.NoError(t, c.store.TagContent("lib/app", "v1", made[0].Image, made[0].Content))
	o, err := c.store.Origin("lib/app", "v1")
	require.NoError(t, err)
	files := untar(t, c.do("GET", "/images/lib/app:v1/get", nil).body)
	delete(files, "blobs/sha256/"+o.Layers[0].Digest.Encoded())
	delete(files, "manifest.json")
	var list []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, name, files[name])
	}
	require.Equal(t, 200, b.do("POST", "/images/load", strings.NewReader(string(tartest.Files(t, list...)))).status)
	a := b.do("GET", "/images/lib/app:v1/get", nil)
	assert.Equal(t, 500, a.status)
	assert.Contains(t, a.body, "lives at https://layers.example/linux/amd64/layer1 and is not here, so docker-28 cannot save it; an engine of era containerd saves the image without it")
}

// What is loaded for a platform is what is for it, in every form that says so.
func TestLoadPlatform(t *testing.T) {
	t.Parallel()
	b := start(t, func(e *pusher.Era) { *e = pusher.Containerd() })
	made := b.many(t, image.Stored{})
	layout := b.do("GET", "/images/lib/many:v1/get", nil).body
	files := untar(t, layout)
	saver := start(t, func(e *pusher.Era) { *e = pusher.Docker113() })
	saver.many(t, image.Stored{})
	saved := saver.do("GET", "/images/lib/many:v1/get", nil).body
	for _, row := range []struct {
		name, body, version, platform string
		code                          int
		want                          string
	}{
		{"of an index, one", layout, "1.48", arm64, 200, "linux/arm64"},
		{"of an index, another", layout, "1.48", amd64, 200, "linux/amd64"},
		{"an API that has no platform", layout, "1.47", s390x, 200, "linux/amd64"},
		{"of an index, none", layout, "1.48", s390x, 404, "archive: it has none for linux/s390x; what it has is for linux/amd64, linux/arm64; ask for a platform that it has, or for none"},
		{"of manifest.json", saved, "1.48", amd64, 200, "linux/amd64"},
		{"of manifest.json, none", saved, "1.48", arm64, 404, "archive: it has none for linux/arm64/v8; what it has is for linux/amd64;"},
		{"of docker 1.8's archive", string(archive(t)), "1.48", amd64, 500, "an archive of its age does not say what platform its images are for; ask for none"},
		{"no platform", layout, "1.48", "x", 400, "failed to parse platform"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			other := start(t, func(e *pusher.Era) { *e = pusher.Containerd() })
			a := other.do("POST", "/v"+row.version+"/images/load?"+platformQuery(row.platform), strings.NewReader(row.body))
			require.Equal(t, row.code, a.status, a.body)
			if row.code != 200 {
				assert.Contains(t, a.body, row.want)
				assert.Empty(t, other.store.Repositories())
				return
			}
			assert.Equal(t, 1, strings.Count(a.body, "Loaded image: lib/many:v1"), a.body)
			o, err := other.store.Origin("lib/many", "v1")
			require.NoError(t, err)
			assert.Equal(t, row.want, o.Platform)
			if row.version == "1.48" && row.body == layout {
				assert.Equal(t, made.Content, other.store.Content("lib/many", "v1"), "the index stays")
				index, err := other.store.Index("lib/many", "v1")
				require.NoError(t, err)
				assert.Len(t, index.Blobs, 4, "of the one image: %d files", len(files))
			}
		})
	}
}
