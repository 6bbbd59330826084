package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/opencontainers/go-digest"
)

// A publication is one batch on its way into the store. Whoever has one holds the
// store's mu.
type publication struct {
	*batch
	fresh []stagedLayer  // those that the store has not
	undo  []func() error // takes back what was done, in order
}

// publish moves the batch into the store, all of it or, when it cannot, nothing.
// ctx counts until the first move.
func (b *batch) publish(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.writeLayers(); err != nil {
		return err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	p := &publication{batch: b}
	for _, step := range []func() error{p.compare, p.moveBlobs, p.moveLayers, p.mergeOrigins, p.setTags} {
		if err := step(); err != nil {
			for _, undo := range slices.Backward(p.undo) {
				err = errors.Join(err, undo())
			}
			return err
		}
	}
	return nil
}

// layerPath is where a layer's folder is made.
func (b *batch) layerPath(id string) string { return join(b.dir, "graph-"+id) }

// writeLayers writes the folder of each layer, complete.
func (b *batch) writeLayers() error {
	for _, l := range b.layers {
		dir, d := b.layerPath(l.id), b.store.disk
		if err := d.mkdir(dir); err != nil {
			return err
		}
		if err := d.write(join(dir, "json"), l.v1); err != nil {
			return err
		}
		if err := d.writeJSON(join(dir, "record"), l.rec); err != nil {
			return err
		}
		if origins := b.origins[l.id]; origins != nil {
			if err := d.writeJSON(join(dir, "origins"), origins); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare finds the layers that the store has not, and what stands in their way:
// other layers may have come and gone since the batch was begun.
func (p *publication) compare() error {
	for _, t := range p.taggings {
		if err := p.present(t.id); err != nil {
			return fmt.Errorf("tag %s:%s: %w", t.repository, t.tag, err)
		}
	}
	for _, l := range p.layers {
		if parent := l.rec.Parent; parent != "" {
			if err := p.present(parent); err != nil {
				return fmt.Errorf("parent of layer %s: %w", l.id, err)
			}
		}
		old, err := p.store.layer(l.id)
		switch {
		case errors.Is(err, ErrNoLayer):
			p.fresh = append(p.fresh, l)
		case err != nil:
			return err
		case old.DiffID != l.rec.DiffID, old.Parent != l.rec.Parent, !l.derived && !bytes.Equal(old.V1JSON, l.v1):
			return fmt.Errorf("layer %s is in the store with other content; delete it there first, or use another store", l.id)
		}
	}
	return nil
}

// present tells whether a layer is in the batch or in the store.
func (p *publication) present(id string) error {
	if _, ok := p.byID[id]; ok {
		return nil
	}
	_, err := p.store.record(id)
	return err
}

// move renames and can take it back.
func (p *publication) move(from, to string) error {
	d := p.store.disk
	if err := d.rename(from, to); err != nil {
		return err
	}
	p.undo = append(p.undo, func() error { return d.rename(to, from) })
	return nil
}

// moveBlobs moves the blobs that the new layers and the origins need.
func (p *publication) moveBlobs() error {
	need := map[digest.Digest]bool{}
	for _, l := range p.fresh {
		l.rec.refer(need)
	}
	for _, origins := range p.origins {
		for _, o := range origins {
			o.refer(need)
		}
	}
	for d := range sorted(need) {
		to := p.store.blobPath(d)
		if there, err := p.store.disk.exists(to); err != nil || there {
			if err != nil {
				return err
			}
			continue
		}
		from, ok := p.staged[d]
		if !ok {
			return fmt.Errorf("blob %s: %w; load it again", d, ErrNoBlob) // deleted since it was looked for
		}
		if err := p.store.disk.mkdir(path.Dir(to)); err != nil {
			return err
		}
		if err := p.move(from, to); err != nil {
			return err
		}
	}
	return nil
}

func (p *publication) moveLayers() error {
	for _, l := range p.fresh {
		if err := p.move(p.layerPath(l.id), join("graph", l.id)); err != nil {
			return err
		}
	}
	return nil
}

// mergeOrigins adds the origins of images that the store had already.
func (p *publication) mergeOrigins() error {
	for id, more := range sorted(p.origins) {
		if slices.ContainsFunc(p.fresh, func(l stagedLayer) bool { return l.id == id }) {
			continue
		}
		old, err := p.store.origins(id)
		if err != nil {
			return err
		}
		all := slices.Clone(old)
		for _, o := range more {
			all = appendOrigin(all, o)
		}
		if len(all) == len(old) {
			continue
		}
		if err := p.writeOrigins(id, all); err != nil {
			return err
		}
		p.undo = append(p.undo, func() error { return p.writeOrigins(id, old) })
	}
	return nil
}

func (p *publication) writeOrigins(id string, origins []Origin) error {
	data, err := json.Marshal(origins)
	if err != nil {
		return err
	}
	return p.store.disk.replace(p.newPath(), join("graph", id, "origins"), data)
}

func (p *publication) setTags() error { return p.store.putTags(p.taggings) }
