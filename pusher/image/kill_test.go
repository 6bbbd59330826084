package image_test

import (
	"errors"
	"path"
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
	n      int
	killed bool
	after  []string // changes that happened
}

func (k *killer) hook(op, path string) error {
	switch {
	case k.killed:
		return errKilled
	case op == "create" && strings.HasPrefix(path, "tmp/"):
		return nil
	case k.n == 0:
		k.killed = true
		return errKilled
	}
	k.n--
	k.after = append(k.after, op+" "+path)
	return nil
}

// requireConsistent says that all layers of a store are complete, that all tags
// lead somewhere, and that there is nothing besides.
func requireConsistent(t testing.TB, s *image.Store) {
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
	for _, blob := range blobsOf(t, s) {
		require.True(t, need[blob], "blob %s is needed by nothing", blob)
	}
	requireTidy(t, s)
}

// blobsOf lists the blobs that a store keeps, without their algorithms.
func blobsOf(t testing.TB, s *image.Store) []string {
	t.Helper()
	names, err := s.Files()
	require.NoError(t, err)
	var blobs []string
	for _, name := range names {
		if strings.HasPrefix(name, "blobs/") {
			blobs = append(blobs, path.Base(name))
		}
	}
	return blobs
}

// requireTidy says that nothing is left of work in progress.
func requireTidy(t testing.TB, s *image.Store) {
	t.Helper()
	names, err := s.Files()
	require.NoError(t, err)
	for _, name := range names {
		require.False(t, strings.HasPrefix(name, "tmp/"), name)
	}
}

// Whatever a store is doing when it is killed, what was there before is there
// afterwards, what came is complete, and doing it again does it.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	load := func(f files) action {
		return func(t *testing.T, s *image.Store) error {
			_, err := s.LoadFrom(t.Context(), strings.NewReader(f.tar(t)))
			return err
		}
	}
	rows := []struct {
		name    string
		do      action
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
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			requireSurvival(t, 1, row.removes, row.do, func() opener {
				m := image.NewMemory()
				return func(hook hook) (*image.Store, error) { return image.OpenHooked(m, hook) }
			})
		})
		if i > 0 {
			continue
		}
		t.Run(row.name+" on disk", func(t *testing.T) {
			t.Parallel()
			requireSurvival(t, 5, row.removes, row.do, func() opener {
				dir := t.TempDir()
				return func(hook hook) (*image.Store, error) { return image.OpenHookedAt(dir, hook) }
			})
		})
	}
}

type (
	hook   = func(op, name string) error
	opener = func(hook) (*image.Store, error) // opens the same store each time
	action = func(*testing.T, *image.Store) error
)

// requireSurvival kills new stores after no change, after so many, and so on.
func requireSurvival(t *testing.T, every int, removes bool, do action, store func() opener) {
	t.Helper()
	deaths := 0
	for !killOnce(t, deaths, removes, do, store()) {
		deaths += every
		require.Less(t, deaths, 200)
	}
	require.Greater(t, deaths, 1)
}

// killOnce does it in a store that dies after n changes, and tells whether there
// were no more than those.
func killOnce(t *testing.T, n int, removes bool, do action, open opener) bool {
	t.Helper()
	s, err := open(nil)
	require.NoError(t, err)
	before := oldForm(t).with(files{"repositories": jsonOf(t, obj{"lib/before": obj{"1": topID}})})
	loadFiles(t, s, before)
	require.NoError(t, s.SetDigest(topID, "sha256:0a"))
	require.NoError(t, s.Close())

	k := &killer{n: n}
	s, err = open(k.hook)
	require.NoError(t, err)
	if err := do(t, s); err != nil {
		require.ErrorIs(t, err, errKilled)
		require.True(t, k.killed)
	}
	require.NoError(t, s.Close())

	for m := range 8 { // the Open that clears away may die as well
		if dying, err := open((&killer{n: m}).hook); err == nil {
			require.NoError(t, dying.Close())
			break
		}
	}
	s, err = open(nil)
	require.NoError(t, err, "after %v", k.after)
	defer func() { require.NoError(t, s.Close()) }()
	requireConsistent(t, s)
	if !removes {
		requireBefore(t, s)
	}
	if err := do(t, s); err != nil {
		require.ErrorIs(t, err, image.ErrNoRepository) // untagged before
	}
	requireConsistent(t, s)
	return !k.killed
}

// requireBefore says that what was in the store first is there.
func requireBefore(t *testing.T, s *image.Store) {
	t.Helper()
	require.Len(t, see(t, s, topID), 2)
	tags, err := s.Tags("lib/before")
	require.NoError(t, err)
	require.Equal(t, topID, tags["1"])
	d, err := s.Digest(topID)
	require.NoError(t, err)
	require.Contains(t, []digest.Digest{"sha256:0a", "sha256:0b"}, d)
}
