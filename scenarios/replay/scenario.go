package replay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/pusher/metadata"
)

// A stage is where the steps of one scenario are played: a server on one address
// and a store of images.
type stage struct {
	*runner
	dir    string // removed at the end
	server *server
	clock  clock.Clock
	images *image.Store
	ids    []string                     // of every layer
	tags   map[string]map[string]string // as the archives have them: repository → tag → image
	carry  map[string]digest.Digest     // the digest cache that the last step left
	hidden []string                     // layers that were taken out of the store

	metadata *metadata.Store                // what the last step left, of dockers since 1.10
	tops     []string                       // of every image
	measured map[digest.Digest]measuredBlob // by diff ID
}

// scenario plays the steps of a scenario in order.
//
// Errors: of the images; ctx's.
func (r *runner) scenario(ctx context.Context, s recording.Scenario) error {
	client := ""
	for _, step := range s.Steps {
		if client = step.Client; client != "" {
			break
		}
	}
	st, err := r.newStage(ctx, client)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Dir, err)
	}
	defer st.close()
	for _, step := range s.Steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.reached(st.step(ctx, step))
	}
	return ctx.Err()
}

func (r *runner) newStage(ctx context.Context, client string) (*stage, error) {
	st := &stage{runner: r, clock: clock.NewVirtual(clock.Epoch), carry: map[string]digest.Digest{}, metadata: metadata.InMemory(), measured: map[digest.Digest]measuredBlob{}}
	if err := st.open(ctx, client); err != nil {
		st.close()
		return nil, err
	}
	return st, nil
}

// open gets everything that close gives back.
func (st *stage) open(ctx context.Context, client string) (err error) {
	if st.dir, err = os.MkdirTemp(st.options.TempDir, "pushcheck-replay-"); err != nil {
		return err
	}
	if st.images, err = image.Open(filepath.Join(st.dir, "store")); err != nil {
		return err
	}
	if err = st.load(ctx, client); err != nil {
		return err
	}
	st.server, err = startServer(ctx, st.clock, st.cert)
	return err
}

func (st *stage) close() {
	if st.server != nil {
		st.server.close()
	}
	if st.images != nil {
		_ = st.images.Close()
	}
	if st.dir != "" {
		_ = os.RemoveAll(st.dir)
	}
}

// load fills the store with the images of a client.
func (st *stage) load(ctx context.Context, client string) error {
	var own, all []string
	entries, err := os.ReadDir(st.runner.images)
	switch info, statErr := os.Stat(st.runner.images); {
	case statErr == nil && info.Mode().IsRegular():
		all = []string{st.runner.images}
	case err != nil:
		return err
	}
	for _, e := range entries {
		path := filepath.Join(st.runner.images, e.Name())
		if all = append(all, path); client != "" && strings.HasPrefix(e.Name(), client) {
			own = append(own, path)
		}
	}
	if len(own) > 0 {
		all = own
	}
	if len(all) == 0 {
		return fmt.Errorf("no images in %s", st.runner.images)
	}
	st.tags = map[string]map[string]string{}
	for _, path := range all {
		loaded, err := st.images.Load(ctx, path)
		if err != nil {
			return err
		}
		for _, l := range loaded {
			repository, tag, _ := strings.Cut(l.Name, ":")
			if st.tags[repository] == nil {
				st.tags[repository] = map[string]string{}
			}
			st.tags[repository][tag] = l.Image
			st.tops = append(st.tops, l.Image)
			st.ids = append(st.ids, st.chain(l.Image)...)
		}
	}
	return nil
}

// chain is a chainFunc over the store.
func (st *stage) chain(id string) []string {
	var ids []string
	for layer, err := range st.images.Chain(id) {
		if err != nil {
			return ids
		}
		ids = append(ids, layer.ID)
	}
	return ids
}

// present is chain without absent layers and what is below them.
func (st *stage) present(absent []string) chainFunc {
	return func(id string) []string {
		ids := st.chain(id)
		if i := slices.IndexFunc(ids, func(id string) bool { return slices.Contains(absent, id) }); i >= 0 {
			ids = ids[:i]
		}
		return ids
	}
}

// hide takes layers out of the store behind its back, as a damaged docker lacked
// them: nothing that the store does itself leaves a reference to nowhere.
func (st *stage) hide(ids []string) error {
	for _, id := range ids {
		if err := os.Rename(st.graph(id), filepath.Join(st.dir, id)); err != nil {
			return err
		}
		st.hidden = append(st.hidden, id)
	}
	return nil
}

// restore puts hidden layers back.
func (st *stage) restore() {
	for _, id := range st.hidden {
		_ = os.Rename(filepath.Join(st.dir, id), st.graph(id)) // arrange complains of what is missing
	}
	st.hidden = nil
}

func (st *stage) graph(id string) string { return filepath.Join(st.dir, "store", "graph", id) }

// tagsOf is what the archives call the image of a repository's tags: under its
// own name, or under the only name that there is.
func (st *stage) tagsOf(name string) map[string]string {
	for _, known := range []string{name, strings.TrimPrefix(name, recording.Host+"/")} {
		if tags, ok := st.tags[known]; ok {
			return tags
		}
	}
	if len(st.tags) == 1 {
		for _, tags := range st.tags {
			return tags
		}
	}
	return nil
}

// arrange gives the store the tags and the digest cache of a state.
func (st *stage) arrange(repository string, s state) error {
	for _, name := range st.images.Repositories() {
		tags, err := st.images.Tags(name)
		if err != nil {
			return err
		}
		for tag := range tags {
			if err := st.images.Untag(name, tag); err != nil {
				return err
			}
		}
	}
	for tag, id := range s.tags {
		if id == "" {
			return fmt.Errorf("the image of tag %s is not among the images in %s", tag, st.runner.images)
		}
		if err := st.images.Tag(repository, tag, id); err != nil {
			return err
		}
	}
	for _, id := range st.ids {
		if err := st.images.ForgetDigest(id); err != nil {
			return err
		}
		if d, ok := s.digests[id]; ok {
			if err := st.images.SetDigest(id, d); err != nil {
				return err
			}
		}
	}
	return st.hide(s.absent)
}

// cache reads the store's digest cache. An entry that is no digest is there as
// what arrange makes of it.
func (st *stage) cache() map[string]digest.Digest {
	found := map[string]digest.Digest{}
	for _, id := range st.ids {
		switch d, err := st.images.Digest(id); {
		case err == nil:
			found[id] = d
		case errors.Is(err, digest.ErrDigestInvalidFormat):
			found[id] = garbageFormat
		case errors.Is(err, digest.ErrDigestUnsupported):
			found[id] = garbageAlgorithm
		}
	}
	return found
}
