package image_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// Loads, tags, deletes and pushes at once leave the store consistent, and none of
// them sees anything half done.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("on disk", func(t *testing.T) {
		t.Parallel()
		s := openAt(t, t.TempDir())
		doEverything(t, s, 2)
		requireConsistent(t, s)
	})
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		s := openStore(t)
		doEverything(t, s, 8)
		requireConsistent(t, s)
	})
}

// doEverything does it with one archive of each form.
func doEverything(t *testing.T, s *image.Store, rounds int) {
	archives := []string{
		oldForm(t).tar(t), bothForm(t).tar(t), newForm(t).tar(t), layoutForm(t, gzipLayers(t)...).tar(t),
	}
	var all sync.WaitGroup
	for _, archive := range archives {
		all.Go(func() {
			for range rounds {
				loaded, err := s.LoadFrom(t.Context(), strings.NewReader(archive))
				if err != nil {
					t.Errorf("load: %v", err)
					return
				}
				allow(t, "tag", s.Tag("lib/mine", "1", loaded[0].Image), image.ErrNoLayer)
				allow(t, "digest", s.SetDigest(loaded[0].Image, "sha256:0a"), image.ErrNoLayer)
			}
		})
		all.Go(func() {
			for range rounds {
				deleteAll(t, s)
			}
		})
		all.Go(func() {
			for range rounds {
				pushAll(t, s)
			}
		})
	}
	all.Go(func() {
		for i := range rounds {
			_, err := s.Make(t.Context(), image.Recipe{Layers: []int64{1, 0, 2}, Seed: uint64(i % 2)})
			allow(t, "make", err)
		}
	})
	all.Wait()
}

// allow reports an error that is none of those.
func allow(t *testing.T, what string, err error, known ...error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, k := range known {
		if errors.Is(err, k) {
			return
		}
	}
	t.Errorf("%s: %v", what, err)
}

func deleteAll(t *testing.T, s *image.Store) {
	for _, repository := range s.Repositories() {
		tags, err := s.Tags(repository)
		allow(t, "tags", err, image.ErrNoRepository)
		for tag := range tags {
			allow(t, "untag", s.Untag(repository, tag), image.ErrNoRepository, image.ErrNoTag)
		}
	}
	ids, err := s.Layers()
	allow(t, "layers", err)
	for _, id := range ids {
		_, err := s.Delete(id)
		allow(t, "delete", err, image.ErrNoLayer, image.ErrInUse)
	}
}

func pushAll(t *testing.T, s *image.Store) {
	for _, repository := range s.Repositories() {
		tags, err := s.Tags(repository)
		allow(t, "tags", err, image.ErrNoRepository)
		for _, id := range tags {
			for l, err := range s.Chain(id) {
				allow(t, "chain", err, image.ErrNoLayer)
				if err != nil {
					break
				}
				r, err := s.OpenTar(l.ID)
				allow(t, "open", err, image.ErrNoLayer)
				if err == nil {
					_, err = readToEnd(r)
					allow(t, "read", err)
				}
			}
		}
	}
}

func TestOneLayerLoadedByMany(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	archive := bothForm(t).tar(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := s.LoadFrom(t.Context(), strings.NewReader(archive))
			allow(t, "load", err)
		})
	}
	all.Wait()
	requireConsistent(t, s)
	require.Len(t, see(t, s, topID), 2)
}
