package image

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/opencontainers/go-digest"
)

// Layers lists the IDs of all layers, in order.
func (s *Store) Layers() ([]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.layers()
}

// layers is Layers for those who hold mu.
func (s *Store) layers() ([]string, error) {
	entries, err := fs.ReadDir(s.disk.files, "graph")
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, entry := range entries {
		if validID(entry.Name()) {
			ids = append(ids, entry.Name())
		}
	}
	return ids, nil
}

// Delete removes a layer, then each ancestor that no tag and no other layer needs,
// and the blobs that nothing needs any more. It returns the IDs of the layers that
// are gone, top first. Readers that are open stay valid.
//
// Errors: ErrNoLayer; ErrInUse when a tag or another layer needs the layer itself.
func (s *Store) Delete(id string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if there, err := s.disk.exists(join("graph", id)); !validID(id) || (err == nil && !there) {
		return nil, fmt.Errorf("layer %q: %w", id, ErrNoLayer)
	}
	needs, err := s.needs()
	if err != nil {
		return nil, err
	}
	if by := needs[id]; len(by) > 0 {
		return nil, fmt.Errorf("layer %s: %w: %s needs it", id, ErrInUse, by[0])
	}
	grave, err := s.newFolder("delete")
	if err != nil {
		return nil, err
	}
	var gone []string
	for id != "" && len(needs[id]) == 0 {
		rec, err := s.record(id)
		if errors.Is(err, ErrNoLayer) {
			break // a parent that is not there
		}
		if err := s.disk.rename(join("graph", id), join(grave, id)); err != nil {
			return gone, err
		}
		gone = append(gone, id)
		if rec.Parent != "" {
			needs[rec.Parent] = without(needs[rec.Parent], "layer "+id)
		}
		id = rec.Parent // "" when the record is damaged
	}
	if err := s.sweep(); err != nil {
		return gone, err
	}
	return gone, s.disk.removeAll(grave)
}

// needs says of each layer which tags and layers need it. The caller holds mu.
func (s *Store) needs() (map[string][]string, error) {
	needs := map[string][]string{}
	for repository, tags := range sorted(s.tags) {
		for tag, id := range sorted(tags) {
			needs[id] = append(needs[id], "tag "+repository+":"+tag)
		}
	}
	ids, err := s.layers()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if rec, err := s.record(id); err == nil && rec.Parent != "" {
			needs[rec.Parent] = append(needs[rec.Parent], "layer "+id)
		}
	}
	return needs, nil
}

func without(list []string, gone string) []string {
	var left []string
	for _, s := range list {
		if s != gone {
			left = append(left, s)
		}
	}
	return left
}

// sweep removes blobs that no layer refers to. The caller holds mu, or has the
// store to itself. A blob that cannot be removed, as on systems that keep open
// files, waits for the next sweep.
func (s *Store) sweep() error {
	need, err := s.referred()
	if err != nil {
		return err
	}
	algorithms, err := fs.ReadDir(s.disk.files, "blobs")
	if err != nil {
		return err
	}
	for _, algorithm := range algorithms {
		blobs, err := fs.ReadDir(s.disk.files, join("blobs", algorithm.Name()))
		if err != nil {
			return err
		}
		for _, blob := range blobs {
			d := digest.NewDigestFromEncoded(digest.Algorithm(algorithm.Name()), blob.Name())
			if need[d] {
				continue
			}
			if err := s.disk.removeAll(s.blobPath(d)); err != nil && !errors.Is(err, fs.ErrPermission) {
				return err
			}
		}
	}
	return nil
}

// referred is every blob that a layer or an image needs. What is damaged refers
// to nothing.
func (s *Store) referred() (map[digest.Digest]bool, error) {
	need := map[digest.Digest]bool{}
	ids, err := s.layers()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if rec, err := s.record(id); err == nil {
			rec.refer(need)
		}
		origins, err := s.origins(id)
		if err != nil {
			continue
		}
		for _, o := range origins {
			o.refer(need)
		}
	}
	return need, nil
}
