package image_test

import (
	"archive/tar"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// readAll reads what an open method gives.
func readAll(t testing.TB, r io.ReadCloser, err error) string {
	t.Helper()
	require.NoError(t, err)
	data, err := readToEnd(r)
	require.NoError(t, err)
	return data
}

func readToEnd(r io.ReadCloser) (string, error) {
	data, err := io.ReadAll(r)
	return string(data), errors.Join(err, r.Close())
}

// A seen layer is what of a layer a test compares.
type seenLayer struct {
	Tar  string // name of the tar: "base", "top", "empty"
	Blob string // media type
}

// see reads an image's chain, top first.
func see(t testing.TB, s *image.Store, id string) []seenLayer {
	t.Helper()
	names := map[string]string{baseTar(t): "base", topTar(t): "top", strings.Repeat("\x00", 1024): "empty"}
	var seen []seenLayer
	for l, err := range s.Chain(id) {
		require.NoError(t, err)
		r, err := s.OpenTar(l.ID)
		tar := readAll(t, r, err)
		require.Equal(t, l.DiffID, digestOf(tar))
		require.Equal(t, l.Size, int64(len(tar)))
		one := seenLayer{Tar: names[tar]}
		if l.Blob != nil {
			one.Blob = strings.TrimPrefix(l.Blob.MediaType, "application/vnd.")
			r, err := s.OpenBlob(l.Blob.Digest)
			blob := readAll(t, r, err)
			require.Equal(t, l.Blob.Digest, digestOf(blob))
			require.Equal(t, l.Blob.Size, int64(len(blob)))
		}
		seen = append(seen, one)
	}
	return seen
}

// A formRow is an archive of a known form, and what has to come of it.
type formRow struct {
	name  string
	files files
	chain []seenLayer // top first
	names []string
	image string // ID of the top, where it is the archive's
	bare  bool   // the source has no config
}

func formRows(t testing.TB) []formRow {
	plain := []seenLayer{{Tar: "top"}, {Tar: "empty"}, {Tar: "base"}}
	packed := func(media string) []seenLayer {
		return []seenLayer{{"top", media}, {Tar: "empty"}, {"base", media}}
	}
	app := []string{"lib/app:latest"}
	layers := func(suffix string, pack func(testing.TB, string) string) files {
		return layoutForm(t, layoutLayer{ociLayer + suffix, pack(t, baseTar(t))}, layoutLayer{ociLayer + suffix, pack(t, topTar(t))})
	}
	return []formRow{
		{"docker save before 1.10", oldForm(t), []seenLayer{{Tar: "top"}, {Tar: "base"}}, app, topID, true},
		{"docker save since 1.10", newForm(t), plain, app, "", false},
		{"compressed layers", newForm(t).with(files{
			"0/layer.tar": gzipped(t, baseTar(t)), "1/layer.tar": gzipped(t, topTar(t)),
		}), packed("docker.image.rootfs.diff.tar.gzip"), app, "", false},
		{"docker save for both", bothForm(t), []seenLayer{{Tar: "top"}, {Tar: "base"}}, app, topID, false},
		{"docker save since 25", newestForm(t), plain, []string{"lib/app:latest", "lib/other:1"}, "", false},
		{"layout, gzip", layers("+gzip", gzipped), packed("oci.image.layer.v1.tar+gzip"), app, "", false},
		{"layout, zstd", layers("+zstd", zstded), packed("oci.image.layer.v1.tar+zstd"), app, "", false},
		{"layout, plain", layers("", func(_ testing.TB, s string) string { return s }), plain, app, "", false},
	}
}

// Every form is loaded as an archive, compressed or not, and as a folder, and is
// the same from a store that was closed and opened in between.
func TestEveryFormLoads(t *testing.T) {
	t.Parallel()
	for _, row := range formRows(t) {
		archive := row.files.tar(t)
		ways := map[string]func(*image.Store) ([]image.Loaded, error){
			"tar": func(s *image.Store) ([]image.Loaded, error) {
				return s.LoadFrom(t.Context(), strings.NewReader(archive))
			},
			"gzip": func(s *image.Store) ([]image.Loaded, error) {
				return s.LoadFrom(t.Context(), strings.NewReader(gzipped(t, archive)))
			},
			"zstd": func(s *image.Store) ([]image.Loaded, error) {
				return s.LoadFrom(t.Context(), strings.NewReader(zstded(t, archive)))
			},
			"folder": func(s *image.Store) ([]image.Loaded, error) { return s.Load(t.Context(), row.files.write(t)) },
		}
		for way, load := range ways {
			t.Run(row.name+"/"+way, func(t *testing.T) {
				t.Parallel()
				m := image.NewMemory()
				s, err := image.OpenHooked(m, nil)
				require.NoError(t, err)
				loaded, err := load(s)
				require.NoError(t, err)
				s, err = image.OpenHooked(m, nil) // as if in another process
				require.NoError(t, err)
				requireForm(t, s, row, loaded)
			})
		}
	}
}

// requireForm says that a store has what a form holds.
func requireForm(t *testing.T, s *image.Store, row formRow, loaded []image.Loaded) {
	t.Helper()
	var names []string
	for _, l := range loaded {
		names = append(names, l.Name)
		tags, err := s.Tags(l.Repository)
		require.NoError(t, err)
		require.Equal(t, l.Image, tags[l.Tag])
		if row.image != "" {
			require.Equal(t, row.image, l.Image)
		}
	}
	if diff := cmp.Diff(row.names, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(row.chain, see(t, s, loaded[0].Image)); diff != "" {
		t.Errorf("chain (-want +got):\n%s", diff)
	}
	requireConsistent(t, s)
	d, err := s.Config(loaded[0].Image)
	if row.bare {
		require.ErrorIs(t, err, image.ErrNoConfig)
		return
	}
	require.NoError(t, err)
	r, err := s.OpenBlob(d.Digest)
	require.Equal(t, configJSON(t, baseTar(t), topTar(t)), readAll(t, r, err))
}

// Layer folders may be links, as skopeo writes them; their IDs hold when they are of
// the same layers, whether manifest.json leads to them or repositories does.
func TestFoldersOfLinks(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, base string // what the folder of the base links to
		own        bool   // the archive's own IDs hold
	}{
		{"the same layers", "../0/layer.tar", true},
		{"other layers", "../1/layer.tar", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			both := newForm(t).with(oldForm(t)).without(baseID+"/layer.tar", topID+"/layer.tar")
			archive := tarOf(t, append(both.entries(),
				entry{name: baseID + "/layer.tar", typ: tar.TypeSymlink, link: row.base},
				entry{name: topID + "/layer.tar", typ: tar.TypeLink, link: "1/layer.tar"})...)
			loaded, err := openStore(t).LoadFrom(t.Context(), strings.NewReader(archive))
			require.NoError(t, err)
			require.Equal(t, row.own, loaded[0].Image == topID)
		})
	}
}

// Names are shown as they were, and kept in docker's short form.
func TestNames(t *testing.T) {
	t.Parallel()
	layout := func(annotations obj) files {
		f := files{}
		d := descriptor(ociManifest, f.addManifest(t, configJSON(t, baseTar(t), topTar(t)), gzipLayers(t)...))
		d["annotations"] = annotations
		return f.index(t, d)
	}
	ref := func(name string) files { return layout(obj{"org.opencontainers.image.ref.name": name}) }
	old := func(name string) files {
		return oldForm(t).with(files{"repositories": jsonOf(t, obj{name: obj{"1": topID}})})
	}
	rows := []struct {
		name  string
		files files
		want  image.Loaded
	}{
		{"docker.io in repositories", old("docker.io/library/app"), image.Loaded{Name: "docker.io/library/app:1", Repository: "app", Tag: "1"}},
		{"a port in repositories", old("127.0.0.1:5000/lib/app"), image.Loaded{Name: "127.0.0.1:5000/lib/app:1", Repository: "127.0.0.1:5000/lib/app", Tag: "1"}},
		{"a tag", ref("v1.2"), image.Loaded{Name: "v1.2", Tag: "v1.2"}},
		{"a reference", ref("docker.io/library/app:1"), image.Loaded{Name: "docker.io/library/app:1", Repository: "app", Tag: "1"}},
		{"a reference without a host", ref("app:1"), image.Loaded{Name: "app:1", Repository: "app", Tag: "1"}},
		{"a reference with a port", ref("127.0.0.1:5000/app"), image.Loaded{Name: "127.0.0.1:5000/app"}},
		{"a reference by digest", ref("app@" + string(digestOf(""))), image.Loaded{Name: "app@" + string(digestOf(""))}},
		{"no reference", ref("A://"), image.Loaded{Name: "A://"}},
		{
			"of containerd", layout(obj{"io.containerd.image.name": "docker.io/lib/app:1", "org.opencontainers.image.ref.name": "1"}),
			image.Loaded{Name: "docker.io/lib/app:1", Repository: "lib/app", Tag: "1"},
		},
		{"none", layout(nil), image.Loaded{}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			loaded := loadFiles(t, s, row.files)
			require.Len(t, loaded, 1)
			got := image.Loaded{Name: loaded[0].Name, Repository: loaded[0].Repository, Tag: loaded[0].Tag}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("loaded (-want +got):\n%s", diff)
			}
			if row.want.Repository == "" {
				require.Empty(t, s.Repositories())
				return
			}
			tags, err := s.Tags(row.want.Repository)
			require.NoError(t, err)
			require.Equal(t, map[string]string{row.want.Tag: loaded[0].Image}, tags)
		})
	}
}

// A layout's manifest, config and blobs come out as they went in.
func TestLayoutKeepsWhatItWas(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	layers := gzipLayers(t)
	f := files{}
	config := configJSON(t, baseTar(t), topTar(t))
	manifest := f.addManifest(t, config, layers...)
	loaded, err := s.Load(t.Context(), f.index(t, named(descriptor(ociManifest, manifest), "v1")).write(t))
	require.NoError(t, err)
	if diff := cmp.Diff([]image.Loaded{{Name: "v1", Tag: "v1", Image: loaded[0].Image, Platform: "linux/amd64", Content: digestOf(manifest)}}, loaded); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
	if names := s.Repositories(); len(names) > 0 {
		t.Errorf("a mere tag names %v in the store", names)
	}
	origins, err := s.Origins(loaded[0].Image)
	require.NoError(t, err)
	want := []image.Origin{{
		Config:   image.Descriptor{MediaType: ociConfig, Digest: digestOf(config), Size: int64(len(config))},
		Manifest: &image.Descriptor{MediaType: ociManifest, Digest: digestOf(manifest), Size: int64(len(manifest))},
		Layers: []image.Descriptor{
			{MediaType: layers[0].media, Digest: digestOf(layers[0].blob), Size: int64(len(layers[0].blob))},
			{MediaType: layers[1].media, Digest: digestOf(layers[1].blob), Size: int64(len(layers[1].blob))},
		},
		Platform: "linux/amd64",
	}}
	if diff := cmp.Diff(want, origins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	for _, content := range []string{config, manifest, layers[0].blob, layers[1].blob} {
		r, err := s.OpenBlob(digestOf(content))
		require.Equal(t, content, readAll(t, r, err))
	}
}

// The same image with a docker manifest has the same V1 IDs, and then two origins; a
// tag says which of them it stands for.
func TestOneImageOfTwoManifests(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	config := configJSON(t, baseTar(t), topTar(t))
	f := files{}
	first := f.addManifest(t, config, gzipLayers(t)...)
	second := strings.ReplaceAll(first, ociManifest, "application/vnd.docker.distribution.manifest.v2+json")
	f[blobName(second)] = second
	one, err := s.Load(t.Context(), f.index(t, descriptor(ociManifest, first)).write(t))
	require.NoError(t, err)
	two, err := s.Load(t.Context(), f.index(t, descriptor("application/vnd.docker.distribution.manifest.v2+json", second)).write(t))
	require.NoError(t, err)
	require.Equal(t, one[0].Image, two[0].Image)
	for _, l := range [][]image.Loaded{two, one} {
		require.NoError(t, s.TagContent("a", "t", l[0].Image, l[0].Content))
		o, err := s.Origin("a", "t")
		require.NoError(t, err)
		require.Equal(t, l[0].Content, o.Manifest.Digest)
	}
	origins, err := s.Origins(one[0].Image)
	require.NoError(t, err)
	var manifests []digest.Digest
	for _, o := range origins {
		manifests = append(manifests, o.Manifest.Digest)
	}
	if diff := cmp.Diff([]digest.Digest{digestOf(first), digestOf(second)}, manifests); diff != "" {
		t.Errorf("manifests (-want +got):\n%s", diff)
	}
	r, err := s.OpenBlob(digestOf(second))
	require.Equal(t, second, readAll(t, r, err))
}

func TestIndexLeadsToItsPlatform(t *testing.T) {
	t.Parallel()
	config := func(arch string) string {
		return strings.ReplaceAll(configJSON(t, baseTar(t), topTar(t)), "amd64", arch)
	}
	platform := func(d obj, arch string) obj {
		d["platform"] = obj{"os": "linux", "architecture": arch}
		return d
	}
	f := files{}
	arm := platform(descriptor(ociManifest, f.addManifest(t, config("arm64"), gzipLayers(t)...)), "arm64")
	amd := platform(descriptor(ociManifest, f.addManifest(t, config("amd64"), gzipLayers(t)...)), "amd64")
	lost := platform(descriptor(ociManifest, "of a platform that was not saved"), "s390x")
	attested := obj{"mediaType": ociManifest, "digest": digestOf("x"), "size": 1, "platform": obj{"os": "unknown", "architecture": "unknown"}}
	nest := func(manifests ...any) obj {
		inner := jsonOf(t, obj{"schemaVersion": 2, "mediaType": ociIndex, "manifests": manifests})
		f[blobName(inner)] = inner
		return descriptor(ociIndex, inner)
	}
	rows := []struct {
		name  string
		index files
		want  []string // platforms, the picked one marked
	}{
		{"an index", f.index(t, named(nest(arm, amd, attested, lost), "lib/app:1")), []string{"linux/arm64", "linux/amd64 picked"}},
		{"an index in an index", f.index(t, named(nest(nest(arm), nest(nest(amd))), "lib/app:1")), []string{"linux/arm64", "linux/amd64 picked"}},
		{"two manifests of one name", f.index(t, named(arm, "lib/app:1"), named(amd, "lib/app:1")), []string{"linux/arm64", "linux/amd64 picked"}},
		{"none for the platform", f.index(t, named(nest(lost, arm), "lib/app:1")), []string{"linux/arm64 picked"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			loaded, err := s.LoadFrom(t.Context(), strings.NewReader(row.index.tar(t)))
			require.NoError(t, err)
			tags, err := s.Tags("lib/app")
			require.NoError(t, err)
			var got []string
			for _, l := range loaded {
				one := l.Platform
				if !l.Other {
					one += " picked"
				}
				if tags["1"] == l.Image != !l.Other {
					t.Errorf("the tag leads to %s, but %s is picked: %v", tags["1"], l.Image, !l.Other)
				}
				require.Len(t, see(t, s, l.Image), 3)
				got = append(got, one)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
		})
	}
}
