package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/pusher/metadata"
)

// A digestCache remembers, between pushes, the digest that each layer's blob
// had: what docker keeps beside its layers. Without an entry docker 1.8 uploads a
// layer without asking whether it is there (P-194). Entries are found by the
// digest of the layer's tar, so that two layers never share one by mistake. It is
// only ever a hint: what cannot be read or written is left out.
type digestCache struct {
	dir string // "" is none
	era string
}

func (c digestCache) path(l image.Layer) string {
	return filepath.Join(c.dir, "digests", c.era, l.DiffID.Encoded())
}

// layers is what is known of layers that were pushed before. The caller closes it.
func (c digestCache) layers(era pusher.Era) *metadata.Store {
	if era.Way == pusher.WayGraph {
		return metadata.Open(c.layersPath(era))
	}
	return metadata.OpenJournal(c.layersPath(era))
}

// layersPath is a folder for a docker, and else a file.
func (c digestCache) layersPath(era pusher.Era) string {
	path := filepath.Join(c.dir, "layers", era.Name)
	if era.Way != pusher.WayGraph {
		path += ".journal"
	}
	return path
}

// fill gives the store's layers the digests that are remembered.
func (c digestCache) fill(store *image.Store) {
	c.each(store, func(l image.Layer) {
		data, err := os.ReadFile(c.path(l))
		if err != nil {
			return
		}
		if d, err := digest.Parse(strings.TrimSpace(string(data))); err == nil {
			_ = store.SetDigest(l.ID, d)
		}
	})
}

// keep remembers the digests that the store has now.
func (c digestCache) keep(store *image.Store) {
	c.each(store, func(l image.Layer) {
		d, err := store.Digest(l.ID)
		if err != nil {
			return
		}
		path := c.path(l)
		if os.MkdirAll(filepath.Dir(path), 0o755) != nil {
			return
		}
		if os.WriteFile(path+".new", []byte(d.String()+"\n"), 0o644) == nil {
			_ = os.Rename(path+".new", path)
		}
	})
}

func (c digestCache) each(store *image.Store, do func(image.Layer)) {
	if c.dir == "" {
		return
	}
	done := map[string]bool{}
	for _, repository := range store.Repositories() {
		tags, _ := store.Tags(repository)
		for _, id := range tags {
			for layer, err := range store.Chain(id) {
				if err != nil {
					break
				}
				if !done[layer.ID] {
					done[layer.ID] = true
					do(layer)
				}
			}
		}
	}
}
