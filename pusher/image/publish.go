package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/opencontainers/go-digest"
)

// publish moves the batch into the store, all of it or, when it cannot, nothing
// that anybody sees. ctx counts until the first move.
func (b *batch) publish(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.writeLayers(); err != nil {
		return err
	}
	s := b.store
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh, err := b.fresh()
	if err != nil {
		return err
	}
	if err := b.moveBlobs(fresh); err != nil {
		return err
	}
	for _, l := range fresh {
		if err := s.disk.rename(b.layerPath(l.id), s.path("graph", l.id)); err != nil {
			return err
		}
	}
	if err := b.mergeOrigins(fresh); err != nil {
		return err
	}
	return s.putTags(b.taggings)
}

// layerPath is where a layer's folder is made.
func (b *batch) layerPath(id string) string { return filepath.Join(b.dir, "graph-"+id) }

// writeLayers writes the folder of each layer, complete.
func (b *batch) writeLayers() error {
	for _, l := range b.layers {
		dir, d := b.layerPath(l.id), b.store.disk
		if err := d.mkdir(dir); err != nil {
			return err
		}
		if err := d.write(filepath.Join(dir, "json"), l.v1); err != nil {
			return err
		}
		if err := d.writeJSON(filepath.Join(dir, "record"), l.rec); err != nil {
			return err
		}
		if origins := b.origins[l.id]; origins != nil {
			if err := d.writeJSON(filepath.Join(dir, "origins"), origins); err != nil {
				return err
			}
		}
	}
	return nil
}

// fresh is the batch's layers that the store has not. The caller holds mu.
func (b *batch) fresh() ([]stagedLayer, error) {
	var fresh []stagedLayer
	for _, l := range b.layers {
		if parent := l.rec.Parent; parent != "" {
			if _, ok := b.byID[parent]; !ok {
				if _, err := b.store.record(parent); err != nil {
					return nil, fmt.Errorf("parent of layer %s: %w", l.id, err)
				}
			}
		}
		old, err := b.store.layer(l.id)
		switch {
		case errors.Is(err, ErrNoLayer):
			fresh = append(fresh, l)
		case err != nil:
			return nil, err
		case old.DiffID != l.rec.DiffID, old.Parent != l.rec.Parent, !l.derived && !bytes.Equal(old.V1JSON, l.v1):
			return nil, fmt.Errorf("layer %s is in the store with other content; delete it there first, or use another store", l.id)
		}
	}
	return fresh, nil
}

// moveBlobs moves the blobs that the new layers and the origins need. The caller
// holds mu.
func (b *batch) moveBlobs(fresh []stagedLayer) error {
	need := map[digest.Digest]bool{}
	for _, l := range fresh {
		if d := l.rec.blob(); d != "" {
			need[d] = true
		}
	}
	for _, origins := range b.origins {
		for _, o := range origins {
			o.refer(need)
		}
	}
	for d := range need {
		from, ok := b.staged[d]
		if !ok {
			continue // an origin may name what its source had not
		}
		to := b.store.blobPath(d)
		switch there, err := exists(to); {
		case err != nil:
			return err
		case there:
			continue
		}
		if err := b.store.disk.mkdir(filepath.Dir(to)); err != nil {
			return err
		}
		if err := b.store.disk.rename(from, to); err != nil {
			return err
		}
	}
	return nil
}

// mergeOrigins adds the origins of images that the store had already. The caller
// holds mu.
func (b *batch) mergeOrigins(fresh []stagedLayer) error {
	isFresh := map[string]bool{}
	for _, l := range fresh {
		isFresh[l.id] = true
	}
	for id, origins := range b.origins {
		if isFresh[id] {
			continue
		}
		all, err := b.store.origins(id)
		if err != nil {
			return err
		}
		before := len(all)
		for _, o := range origins {
			all = appendOrigin(all, o)
		}
		if len(all) == before {
			continue
		}
		data, err := json.Marshal(all)
		if err != nil {
			return err
		}
		if err := b.store.disk.replace(filepath.Join(b.dir, "origins-"+id), b.store.path("graph", id, "origins"), data); err != nil {
			return err
		}
	}
	return nil
}
