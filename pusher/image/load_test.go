package image_test

import (
	"errors"
	"io"
	"path/filepath"
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

// Every form is loaded as an archive, compressed or not, and as a folder, and is
// the same from a store that was closed and opened in between.
func TestEveryFormLoads(t *testing.T) {
	t.Parallel()
	config := configJSON(t, baseTar(t), topTar(t))
	plain := []seenLayer{{Tar: "top"}, {Tar: "empty"}, {Tar: "base"}}
	packed := func(media string) []seenLayer {
		return []seenLayer{{"top", media}, {Tar: "empty"}, {"base", media}}
	}
	gz, zst := "oci.image.layer.v1.tar+gzip", "oci.image.layer.v1.tar+zstd"
	app := []string{"lib/app:latest"}
	layerFiles := files{"0/layer.tar": gzipped(t, baseTar(t)), "1/layer.tar": gzipped(t, topTar(t))}
	rows := []struct {
		name  string
		files files
		want  []seenLayer
		names []string
		image string // ID of the top, where it is the archive's
		bare  bool   // the source has no config
	}{
		{"docker save before 1.10", oldForm(t), []seenLayer{{Tar: "top"}, {Tar: "base"}}, app, topID, true},
		{"docker save since 1.10", newForm(t), plain, app, "", false},
		{"docker save since 1.10, compressed layers", newForm(t).with(layerFiles), packed("docker.image.rootfs.diff.tar.gzip"), app, "", false},
		{"docker save for both", bothForm(t), []seenLayer{{Tar: "top"}, {Tar: "base"}}, app, topID, false},
		{"docker save since 25", newestForm(t), plain, []string{"lib/app:latest", "lib/other:1"}, "", false},
		{"layout, gzip", layoutForm(t, gzipLayers(t)...), packed(gz), app, "", false},
		{"layout, zstd", layoutForm(t, layoutLayer{ociLayer + "+zstd", zstded(t, baseTar(t))}, layoutLayer{ociLayer + "+zstd", zstded(t, topTar(t))}), packed(zst), app, "", false},
		{"layout, plain", layoutForm(t, layoutLayer{ociLayer, baseTar(t)}, layoutLayer{ociLayer, topTar(t)}), plain, app, "", false},
	}
	for _, row := range rows {
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
				dir := filepath.Join(t.TempDir(), "store")
				s, err := image.Open(dir)
				require.NoError(t, err)
				loaded, err := load(s)
				require.NoError(t, err)
				require.NoError(t, s.Close())
				s, err = image.Open(dir)
				require.NoError(t, err)
				defer func() { require.NoError(t, s.Close()) }()
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
				if diff := cmp.Diff(row.want, see(t, s, loaded[0].Image)); diff != "" {
					t.Errorf("chain (-want +got):\n%s", diff)
				}
				d, err := s.Config(loaded[0].Image)
				if row.bare {
					require.ErrorIs(t, err, image.ErrNoConfig)
					return
				}
				require.NoError(t, err)
				r, err := s.OpenBlob(d.Digest)
				require.Equal(t, config, readAll(t, r, err))
			})
		}
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
	if diff := cmp.Diff([]image.Loaded{{Name: "v1", Tag: "v1", Image: loaded[0].Image, Platform: "linux/amd64"}}, loaded); diff != "" {
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

// The same image with a docker manifest has the same V1 IDs, and then two origins.
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
	require.Equal(t, one, two)
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
