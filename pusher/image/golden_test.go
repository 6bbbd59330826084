package image_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/image"
)

func id(two string) string { return strings.Repeat(two, 32) }

// openStore is an empty store for the time of the test.
func openStore(t testing.TB) *image.Store {
	t.Helper()
	s := image.InMemory()
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// The archive and the V1 JSON beside it are what docker 1.8.3 saved and what it
// then pushed.
func TestGoldenDocker18Archive(t *testing.T) {
	t.Parallel()
	s := openAt(t, t.TempDir())
	loaded, err := s.Load(t.Context(), filepath.Join("testdata", "docker-1.8.3", "app.tar"))
	require.NoError(t, err)
	want := []image.Loaded{
		{Name: "lib/app:env", Repository: "lib/app", Tag: "env", Image: id("e3")},
		{Name: "lib/app:latest", Repository: "lib/app", Tag: "latest", Image: id("a4")},
		{Name: "lib/app:two", Repository: "lib/app", Tag: "two", Image: id("d3")},
	}
	if diff := cmp.Diff(want, loaded); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
	tags, err := s.Tags("lib/app")
	require.NoError(t, err)
	if diff := cmp.Diff(map[string]string{"latest": id("a4"), "env": id("e3"), "two": id("d3")}, tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	chains := map[string][]string{
		"a4": {"a4", "e3", "52", "b1"}, "e3": {"e3", "52", "b1"}, "d3": {"d3", "d2", "d1"},
	}
	for top, want := range chains {
		var got []string
		for l, err := range s.Chain(id(top)) {
			require.NoError(t, err)
			got = append(got, l.ID[:2])
			v1, err := os.ReadFile(filepath.Join("testdata", "docker-1.8.3", "v1", l.ID[:12]+".json"))
			require.NoError(t, err)
			if diff := cmp.Diff(string(v1), string(l.V1JSON)); diff != "" {
				t.Errorf("V1 JSON of %s (-pushed +loaded):\n%s", l.ID[:2], diff)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("chain of %s (-want +got):\n%s", top, diff)
		}
	}
	diffIDs := map[string]digest.Digest{
		"b1": "sha256:12e7cff55c6df4a11898fb3387780f88345b1feab89035916c70d399dbbc2ffe",
		"52": "sha256:0f48bc094d7a25d03784a60f1640ce99472b450f5522982ea1c9f2f1be304c5f",
		"e3": "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
		"a4": "sha256:fa137a7923c9a2b4cee232a0777d08dafc35289be6381f51b2a51f4edf1c5646",
	}
	for two, want := range diffIDs {
		l, err := s.Layer(id(two))
		require.NoError(t, err)
		r, err := s.OpenTar(id(two))
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		if got := digest.FromBytes(data); got != want || l.DiffID != want || l.Size != int64(len(data)) {
			t.Errorf("layer %s: read %s, diff ID %s, want %s", two, got, l.DiffID, want)
		}
	}
}

func TestMakeGivesTheSameImageEverywhere(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	ids, err := s.Make(t.Context(), image.Recipe{Layers: []int64{64 << 10, 0, 1000, 64 << 10}, Seed: 1, Same: []int{-1, -1, -1, 0}})
	require.NoError(t, err)
	want := []string{
		"1eb0b1ca sha256:6e8ea614", "9d70c9ae sha256:b20096d0", "29c699c9 sha256:5f70bf18", "253ee360 sha256:6e8ea614",
	}
	var got []string
	for l, err := range s.Chain(ids[len(ids)-1]) {
		require.NoError(t, err)
		r, err := s.OpenTar(l.ID)
		require.NoError(t, err)
		d, err := digest.FromReader(r)
		require.NoError(t, err)
		require.Equal(t, l.DiffID, d)
		got = append(got, l.ID[:8]+" "+string(l.DiffID[:15]))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
