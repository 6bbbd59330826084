package image_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/image"
)

var errKilled = errors.New("killed")

// A killer lets n changes happen and none after. It does not count new files
// below tmp, which change nothing that a store has.
type killer struct {
	tmp    string
	n      int
	killed bool
	after  []string // changes that happened
}

func (k *killer) hook(op, path string) error {
	switch {
	case k.killed:
		return errKilled
	case op == "create" && strings.HasPrefix(path, k.tmp):
		return nil
	case k.n == 0:
		k.killed = true
		return errKilled
	}
	k.n--
	k.after = append(k.after, op+" "+filepath.Base(path))
	return nil
}

// requireConsistent says that all layers of a store are complete, that all tags
// lead somewhere, and that there is nothing besides.
func requireConsistent(t testing.TB, dir string, s *image.Store) {
	t.Helper()
	ids, err := s.Layers()
	require.NoError(t, err)
	need := map[string]bool{}
	for _, id := range ids {
		for l, err := range s.Chain(id) {
			require.NoError(t, err)
			r, err := s.OpenTar(l.ID)
			require.NoError(t, err)
			_, err = readToEnd(r)
			require.NoError(t, err)
			need[l.DiffID.Encoded()] = true
			if l.Blob != nil {
				need[l.Blob.Digest.Encoded()] = true
			}
		}
		origins, err := s.Origins(id)
		require.NoError(t, err)
		for _, o := range origins {
			kept := append([]image.Descriptor{o.Config}, o.Layers...)
			if o.Manifest != nil {
				kept = append(kept, *o.Manifest)
			}
			for _, d := range kept {
				r, err := s.OpenBlob(d.Digest)
				readAll(t, r, err)
				need[d.Digest.Encoded()] = true
			}
		}
	}
	for _, repository := range s.Repositories() {
		tags, err := s.Tags(repository)
		require.NoError(t, err)
		for _, id := range tags {
			require.Contains(t, ids, id)
		}
	}
	for _, blob := range blobsIn(t, dir) {
		require.True(t, need[blob], "blob %s is needed by nothing", blob)
	}
	left, err := os.ReadDir(filepath.Join(dir, "tmp"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// Whatever a store is doing when it is killed, what was there before is there
// afterwards, what came is complete, and doing it again does it.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	load := func(f files) func(t *testing.T, s *image.Store) error {
		return func(t *testing.T, s *image.Store) error {
			_, err := s.LoadFrom(t.Context(), strings.NewReader(f.tar(t)))
			return err
		}
	}
	rows := []struct {
		name    string
		do      func(t *testing.T, s *image.Store) error
		removes bool // it takes away what was there before
	}{
		{"load docker save", load(newForm(t)), false},
		{"load a layout", load(layoutForm(t, gzipLayers(t)...)), false},
		{"load what is there, with a config", load(bothForm(t)), false},
		{"make", func(t *testing.T, s *image.Store) error {
			_, err := s.Make(t.Context(), image.Recipe{Layers: []int64{10, 0}})
			return err
		}, false},
		{"tag", func(_ *testing.T, s *image.Store) error { return s.Tag("lib/before", "2", topID) }, false},
		{"set a digest", func(_ *testing.T, s *image.Store) error { return s.SetDigest(topID, "sha256:0b") }, false},
		{"untag", func(_ *testing.T, s *image.Store) error { return s.Untag("lib/before", "1") }, true},
		{"delete", func(_ *testing.T, s *image.Store) error {
			if err := s.Untag("lib/before", "1"); err != nil && !errors.Is(err, image.ErrNoRepository) {
				return err
			}
			_, err := s.Delete(topID)
			if errors.Is(err, image.ErrNoLayer) {
				err = nil // done before
			}
			return err
		}, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			deaths := 0
			for ; ; deaths++ {
				require.Less(t, deaths, 200)
				if killOnce(t, deaths, row.removes, row.do) {
					break
				}
			}
			require.Greater(t, deaths, 1)
		})
	}
}

// killOnce does it in a store that dies after n changes, and tells whether there
// were no more than those.
func killOnce(t *testing.T, n int, removes bool, do func(*testing.T, *image.Store) error) bool {
	t.Helper()
	dir := t.TempDir()
	s, err := image.Open(dir)
	require.NoError(t, err)
	before := oldForm(t).with(files{"repositories": jsonOf(t, obj{"lib/before": obj{"1": topID}})})
	loadFiles(t, s, before)
	require.NoError(t, s.SetDigest(topID, "sha256:0a"))
	require.NoError(t, s.Close())

	k := &killer{n: n + 1, tmp: filepath.Join(dir, "tmp")} // Open makes one
	s, err = image.OpenHooked(dir, k.hook)
	require.NoError(t, err)
	if err := do(t, s); err != nil {
		require.ErrorIs(t, err, errKilled)
		require.True(t, k.killed)
	}
	require.NoError(t, s.Close())

	for m := range 8 { // the Open that clears away may die as well
		if dying, err := image.OpenHooked(dir, (&killer{n: m, tmp: filepath.Join(dir, "tmp")}).hook); err == nil {
			require.NoError(t, dying.Close())
			break
		}
	}
	s, err = image.Open(dir)
	require.NoError(t, err, "after %v", k.after)
	defer func() { require.NoError(t, s.Close()) }()
	requireConsistent(t, dir, s)
	if !removes {
		require.Len(t, see(t, s, topID), 2)
		tags, err := s.Tags("lib/before")
		require.NoError(t, err)
		require.Equal(t, topID, tags["1"])
		d, err := s.Digest(topID)
		require.NoError(t, err)
		require.Contains(t, []digest.Digest{"sha256:0a", "sha256:0b"}, d)
	}
	if err := do(t, s); err != nil {
		require.ErrorIs(t, err, image.ErrNoRepository) // untagged before
	}
	requireConsistent(t, dir, s)
	return !k.killed
}
