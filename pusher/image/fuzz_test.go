package image_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// Whatever bytes are loaded: nothing panics, an error leaves nothing, and what was
// loaded is consistent, reads back, and loads again to the same.
func FuzzLoad(f *testing.F) {
	for _, form := range []files{
		oldForm(f), newForm(f), bothForm(f), newestForm(f), layoutForm(f, gzipLayers(f)...),
		layoutForm(f, layoutLayer{ociLayer + "+zstd", zstded(f, baseTar(f))}, layoutLayer{ociLayer, topTar(f)}),
	} {
		f.Add([]byte(form.tar(f)))
		f.Add([]byte(gzipped(f, form.tar(f))))
	}
	f.Add([]byte(testdata(f, "sparse.tar")))
	f.Fuzz(loadAnything)
}

func loadAnything(t *testing.T, archive []byte) {
	s := openStore(t)
	s.Bound(64<<10, 200, 1<<20, 100)
	loaded, err := s.LoadFrom(t.Context(), bytes.NewReader(archive))
	if err != nil {
		require.Empty(t, loaded)
		requireEmpty(t, s)
		return
	}
	require.NotEmpty(t, loaded)
	requireConsistent(t, s)
	for _, l := range loaded {
		_, err := s.Layer(l.Image)
		require.NoError(t, err)
	}
	again, err := s.LoadFrom(t.Context(), bytes.NewReader(archive))
	require.NoError(t, err)
	require.Equal(t, loaded, again)
}

// A recipe gives tars of its sizes, whatever they are.
func FuzzMake(f *testing.F) {
	f.Add(int64(0), uint64(0))
	f.Add(int64(511), uint64(1))
	f.Add(int64(512), uint64(2))
	f.Fuzz(func(t *testing.T, size int64, seed uint64) {
		s := openStore(t)
		size %= 1 << 20
		ids, err := s.Make(t.Context(), image.Recipe{Layers: []int64{size}, Seed: seed})
		if size < 0 {
			require.Error(t, err)
			requireEmpty(t, s)
			return
		}
		require.NoError(t, err)
		require.Len(t, ids, 1)
		requireConsistent(t, s)
	})
}

// Whatever one document of an archive says, the same holds.
func FuzzDocument(f *testing.F) {
	forms := []files{oldForm(f), bothForm(f), newestForm(f), layoutForm(f, gzipLayers(f)...)}
	manifest := files{}.addManifest(f, configJSON(f, baseTar(f), topTar(f)), gzipLayers(f)...)
	names := []string{
		"repositories", topID + "/json", "manifest.json", "index.json", "oci-layout",
		hexOf(configJSON(f, baseTar(f), topTar(f))) + ".json", blobName(manifest),
	}
	for form := range forms {
		for name := range names {
			if body, ok := forms[form][names[name]]; ok {
				f.Add(form, name, body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, form, name int, body string) {
		if form < 0 || form >= len(forms) || name < 0 || name >= len(names) {
			return // there is no such form or document
		}
		archive := forms[form].with(files{names[name]: body})
		if names[name] == blobName(manifest) { // let its digest be right
			archive[blobName(body)] = body
			archive = archive.index(t, descriptor(ociManifest, body))
		}
		loadAnything(t, []byte(archive.tar(t)))
	})
}
