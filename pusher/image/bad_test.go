package image_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// Each bad archive has one clear error, and leaves nothing behind.
func TestBadArchives(t *testing.T) {
	t.Parallel()
	rows := slices.Concat(badStreams(t), badEntries(t), badOldSaves(t), badNewSaves(t), badLayouts(t))
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			s.Bound(4096, 100, 1<<20, 100)
			loaded, err := s.LoadFrom(t.Context(), strings.NewReader(row.archive))
			require.Empty(t, loaded)
			require.Error(t, err)
			if diff := cmp.Diff(row.want, legible(t, err.Error())); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			var known *image.LoadError
			require.ErrorAs(t, err, &known)
			requireEmpty(t, s)
		})
	}
}

// legible replaces what is long in an error by names.
func legible(t *testing.T, text string) string {
	config := configJSON(t, baseTar(t), topTar(t))
	layers := gzipLayers(t)
	f := files{}
	manifest := f.addManifest(t, config, layers...)
	text = strings.NewReplacer(
		topID, "TOP", baseID, "BASE", lostID, "LOST", hexOf(config), "CONFIG", hexOf(manifest), "MANIFEST",
		hexOf(layers[0].blob), "BASEGZ", hexOf(layers[1].blob), "TOPGZ", hexOf(baseTar(t)), "BASETAR", hexOf(topTar(t)), "TOPTAR",
	).Replace(text)
	return regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllString(text, "OTHER")
}

func testdata(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(data)
}

// requireEmpty says that nothing is in a store, or was left of what was tried.
func requireEmpty(t testing.TB, s *image.Store) {
	t.Helper()
	names, err := s.Files()
	require.NoError(t, err)
	require.Empty(t, names)
	require.Empty(t, s.Repositories())
}

func TestFolderThatLeavesItself(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	folder := oldForm(t).without(topID + "/layer.tar").write(t)
	outside := filepath.Join(t.TempDir(), "layer.tar")
	require.NoError(t, os.WriteFile(outside, []byte(topTar(t)), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(folder, topID, "layer.tar")))
	_, err := s.Load(t.Context(), folder)
	require.ErrorContains(t, err, folder+": "+topID+"/layer.tar: it cannot be read: ")
	require.ErrorContains(t, err, "; make it a file within the folder that you may read")
	requireEmpty(t, s)

	require.NoError(t, os.Remove(filepath.Join(folder, topID, "layer.tar")))
	require.NoError(t, os.Mkdir(filepath.Join(folder, topID, "layer.tar"), 0o700))
	_, err = s.Load(t.Context(), folder)
	require.ErrorContains(t, err, "layer.tar: it is not a file: its mode is drwx------")
	requireEmpty(t, s)
}

func TestLoadOfNoFile(t *testing.T) {
	t.Parallel()
	_, err := openStore(t).Load(t.Context(), filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A layer's ID says what it is: another layer of that ID is refused.
func TestLayerOfOtherContentIsRefused(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	loadFiles(t, s, oldForm(t))
	other := oldForm(t).with(files{topID + "/layer.tar": baseTar(t)})
	_, err := s.LoadFrom(t.Context(), strings.NewReader(other.tar(t)))
	require.EqualError(t, err, "archive: layer "+topID+" is in the store with other content; delete it there first, or use another store")
	other = oldForm(t).with(files{topID + "/json": jsonOf(t, obj{"id": topID, "parent": baseID, "comment": "other"})})
	_, err = s.LoadFrom(t.Context(), strings.NewReader(other.tar(t)))
	require.ErrorContains(t, err, "is in the store with other content")
}

// A parent may have come before, as with docker.
func TestParentInTheStore(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	loadFiles(t, s, oldForm(t))
	upper := strings.ReplaceAll(topID, "a0", "e0")
	loaded := loadFiles(t, s, files{
		upper + "/json": jsonOf(t, obj{"id": upper, "parent": topID}), upper + "/layer.tar": topTar(t),
	})
	if diff := cmp.Diff([]image.Loaded{{Image: upper}}, loaded); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
	require.Len(t, see(t, s, upper), 3)
}

func TestCancelledLoadLeavesNothing(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	r := readerFunc(func(p []byte) (int, error) {
		cancel()
		return copy(p, oldForm(t).tar(t)[:600]), nil
	})
	_, err := s.LoadFrom(ctx, r)
	require.ErrorIs(t, err, context.Canceled)
	requireEmpty(t, s)
	_, err = s.Make(ctx, image.Recipe{Layers: []int64{1}})
	require.ErrorIs(t, err, context.Canceled)
	requireEmpty(t, s)
}

// An error of the stream itself is passed on.
func TestStreamError(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	gone := errors.New("the line is dead")
	_, err := s.LoadFrom(t.Context(), readerFunc(func([]byte) (int, error) { return 0, gone }))
	require.ErrorIs(t, err, gone)
	requireEmpty(t, s)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
