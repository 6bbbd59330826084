package scenarios

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/gzips"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/pusher/metadata"
)

// defaultLayers are the sizes of an image of which nothing is said.
var defaultLayers = [...]int64{64 << 10, 1 << 10}

// layers makes the image up, or loads it, and returns its layers, bottom first.
func (w *world) layers(ctx context.Context) ([]string, error) {
	i := w.s.Image
	if i.File != "" {
		return w.load(ctx, i.File)
	}
	r := image.Recipe{Layers: i.Layers, Seed: w.seed}
	if len(r.Layers) == 0 {
		r.Layers = defaultLayers[:]
	}
	for _, group := range i.Identical {
		if r.Same == nil {
			r.Same = slices.Repeat([]int{-1}, len(r.Layers))
		}
		first := slices.Min(group) - 1
		for _, n := range group {
			if n-1 != first {
				r.Same[n-1] = first
			}
		}
	}
	if i.stored() {
		return w.makeStored(ctx, r)
	}
	return w.store.Make(ctx, r)
}

// load loads an archive or a layout that stands beside the scenario's file.
func (w *world) load(ctx context.Context, name string) ([]string, error) {
	files, name := w.s.Files, path.Join(path.Dir(w.s.Path), name)
	if files == nil {
		return nil, fmt.Errorf("%s: a scenario made in Go has no folder to find it in", name)
	}
	info, err := fs.Stat(files, name)
	if err != nil {
		return nil, err
	}
	var loaded []image.Loaded
	if info.IsDir() {
		below, subErr := fs.Sub(files, name)
		if subErr != nil {
			return nil, subErr
		}
		dir := filepath.Join(w.dir, "layout")
		if err := os.CopyFS(dir, below); err != nil {
			return nil, err
		}
		loaded, err = w.store.Load(ctx, dir)
	} else {
		f, openErr := files.Open(name)
		if openErr != nil {
			return nil, openErr
		}
		defer f.Close()
		loaded, err = w.store.LoadFrom(ctx, f)
	}
	if err != nil {
		return nil, err
	}
	if len(loaded) == 0 {
		return nil, fmt.Errorf("%s holds no image", name)
	}
	return w.choose(loaded)
}

// readContents finds out what a client will make of the layers: a gzip stream of
// the tar, as docker 1.8 makes it (P-200).
func readContents(store *image.Store, ids []string) (*contents, error) {
	c := &contents{tops: map[string]string{}}
	for i, id := range ids {
		l, err := store.Layer(id)
		if err != nil {
			return nil, err
		}
		blob, err := blobSums.of(store, l)
		if err != nil {
			return nil, err
		}
		one := content{
			name: fmt.Sprintf("layer%d", i+1), id: id, v1ID: id, diffID: l.DiffID, digest: blob.digest, size: blob.size,
			tar: l.Size, empty: l.Size <= emptyTar,
		}
		if l.Blob != nil && len(l.Blob.URLs) > 0 {
			one.foreign = true
		}
		var v1 struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(l.V1JSON, &v1) == nil && v1.ID != "" {
			one.v1ID = v1.ID
		}
		c.layers = append(c.layers, one)
	}
	c.prefix = func(layer int, n int64) digest.Digest {
		sum, size, err := gzipped(store, c.layers[layer].id, n)
		if err != nil || size < n {
			return ""
		}
		return digest.NewDigest(digest.SHA256, sum)
	}
	return c, nil
}

// rename gives layers the names that dockers since 1.10 give them over V1 (P-380).
func (c *contents) rename(store *image.Store) error {
	config, err := c.config(store)
	if err != nil {
		return err
	}
	v1, err := image.V1Images(config)
	if err != nil || len(v1) != len(c.layers) { // it cannot be pushed over V1
		return nil //nolint:nilerr // that is for who pushes it to say
	}
	for i := range v1 {
		c.layers[i].v1ID = v1[i].ID
	}
	return nil
}

// config is the config of the image: the one it came with, or what a docker since
// 1.10 makes of it.
func (c *contents) config(store *image.Store) ([]byte, error) {
	d, err := store.Config(c.layers[len(c.layers)-1].id)
	if errors.Is(err, image.ErrNoConfig) {
		var layers []image.Layer
		for _, l := range c.layers {
			one, err := store.Layer(l.id)
			if err != nil {
				return nil, err
			}
			layers = append(layers, one)
		}
		return image.ConfigFromV1(layers)
	}
	if err != nil {
		return nil, err
	}
	return readStored(store, d.Digest)
}

// readStored reads a config or a manifest of the local store.
func readStored(store *image.Store, d digest.Digest) ([]byte, error) {
	blob, err := store.OpenBlob(d)
	if err != nil {
		return nil, err
	}
	defer blob.Close() //nolint:errcheck // only read
	return io.ReadAll(io.LimitReader(blob, maxManifest))
}

// emptyTar is the length of a tar without entries.
const emptyTar = 1024

// errEnough ends a stream of which no more is wanted.
var errEnough = errors.New("enough")

// gzipped hashes a layer's gzip stream, at most its first n bytes unless n < 0.
func gzipped(store *image.Store, id string, n int64) (hash.Hash, int64, error) {
	tar, err := store.OpenTar(id)
	if err != nil {
		return nil, 0, err
	}
	defer tar.Close()
	out := &limitedHash{sum: sha256.New(), limit: n}
	z := gzips.Writer(out)
	defer gzips.Return(z)
	_, err = io.Copy(z, tar)
	if err == nil {
		err = z.Close()
	}
	if err != nil && !errors.Is(err, errEnough) {
		return nil, 0, err
	}
	return out.sum, out.n, nil
}

type limitedHash struct {
	sum   hash.Hash
	n     int64
	limit int64 // < 0 is none
}

// Write implements io.Writer.
func (h *limitedHash) Write(p []byte) (int, error) {
	if h.limit >= 0 && h.n+int64(len(p)) >= h.limit {
		p = p[:h.limit-h.n]
		h.sum.Write(p)
		h.n = h.limit
		return 0, errEnough
	}
	h.sum.Write(p)
	h.n += int64(len(p))
	return len(p), nil
}

// openBlob streams a layer as the client sends it.
func openBlob(store *image.Store, id string) io.ReadCloser {
	r, out := io.Pipe()
	go func() {
		tar, err := store.OpenTar(id)
		if err == nil {
			z := gzips.Writer(out)
			defer gzips.Return(z)
			_, err = io.Copy(z, tar)
			err = errors.Join(err, z.Close(), tar.Close())
		}
		_ = out.CloseWithError(err)
	}()
	return r
}

// absentDigest is the digest of bytes that no registry here has.
var absentDigest = digest.FromString("pushcheck: nowhere")

// fillCache writes the digest cache as the scenario wants it.
func (w *world) fillCache() error {
	for _, name := range sortedKeys(w.s.Client.Cache) {
		l, ok := w.contents.layer(name)
		if !ok {
			return fmt.Errorf("client.cache: there is no %s", name)
		}
		value := w.s.Client.Cache[name]
		d := digest.Digest(value)
		switch value {
		case "known":
			d = l.digest
		case "wrong":
			d = absentDigest
		case "absent":
			d = ""
		}
		if err := w.remember(l, d); err != nil {
			return err
		}
	}
	return nil
}

// remember makes the client know a layer under a digest, "" for none: in the
// digest cache, and in what dockers since 1.10 have in its place. An entry there is
// of any repository.
func (w *world) remember(l content, d digest.Digest) error {
	if err := w.metadata.Forget(l.diffID); err != nil {
		return err
	}
	if d == "" {
		return w.store.ForgetDigest(l.id)
	}
	if d.Validate() == nil {
		if err := w.metadata.Add(l.diffID, metadata.Entry{Digest: d}); err != nil {
			return err
		}
	}
	return w.store.SetDigest(l.id, d)
}

// readCache is the digest cache as it is, by layer; for dockers since 1.10 the
// last digest that each layer had.
func (w *world) readCache() map[string]string {
	cache := map[string]string{}
	for _, l := range w.contents.layers {
		if w.era.Layers.Concurrency > 0 {
			if list := w.metadata.Entries(l.diffID); len(list) > 0 {
				cache[l.name] = list[len(list)-1].Digest.String()
			}
			continue
		}
		switch d, err := w.store.Digest(l.id); {
		case err == nil:
			cache[l.name] = d.String()
		case !errors.Is(err, image.ErrNoDigest):
			cache[l.name] = w.s.Client.Cache[l.name] // what cannot be read is what was put there
		}
	}
	return cache
}
