package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
)

// An Index is an OCI index or a docker manifest list as it was where it came from.
// The bytes of all that it leads to can be had from Store.OpenBlob as they were.
type Index struct {
	Descriptor
	// Blobs is everything below it that the store keeps, each once and in order:
	// indexes, manifests, configs, layers, and whatever else a manifest names. What
	// is not among them was not where the index came from.
	Blobs []digest.Digest `json:"blobs,omitempty"`
}

// has tells whether the store keeps a blob because of the index.
func (i *Index) has(d digest.Digest) bool {
	return i.Digest == d || slices.Contains(i.Blobs, d)
}

// Index is the index that repository:tag stands for; nil when it stands for one
// image alone.
//
// Errors: ErrNoRepository, ErrNoTag.
func (s *Store) Index(repository, tag string) (*Index, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	tags, ok := s.tags[repository]
	if !ok {
		return nil, fmt.Errorf("repository %q: %w", repository, ErrNoRepository)
	}
	id, ok := tags[tag]
	if !ok {
		return nil, fmt.Errorf("repository %q: tag %q: %w", repository, tag, ErrNoTag)
	}
	want := s.indexes[repository][tag]
	if want == "" {
		return nil, nil //nolint:nilnil // one image alone is no mistake
	}
	return s.indexOf(id, want) // nil after a kill between the two files of the tags
}

// indexOf finds an index among those that the image with that top layer came with;
// nil when it is none of them. The caller holds mu.
func (s *Store) indexOf(id string, want digest.Digest) (*Index, error) {
	origins, err := s.origins(id)
	if err != nil {
		return nil, err
	}
	for _, o := range origins {
		if o.Index != nil && o.Index.Digest == want {
			return o.Index, nil
		}
	}
	return nil, nil //nolint:nilnil // as said above
}

// TagIndex points repository:tag at an index, and at the layer of the image in it
// that those who know no indexes take. The image has to have come with that index.
// With an index of "" it is Tag.
//
// Errors: ErrNoLayer, ErrNoIndex.
func (s *Store) TagIndex(repository, tag, id string, index digest.Digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.record(id); err != nil {
		return fmt.Errorf("tag %s:%s: %w", repository, tag, err)
	}
	if index != "" {
		switch found, err := s.indexOf(id, index); {
		case err != nil:
			return fmt.Errorf("tag %s:%s: %w", repository, tag, err)
		case found == nil:
			return fmt.Errorf("tag %s:%s: layer %s: index %s: %w", repository, tag, id, index, ErrNoIndex)
		}
	}
	return s.putTags([]tagging{{repository, tag, id, index}})
}

// indexFile is where the store keeps which tags stand for indexes.
const indexFile = "indexes"

// setIndexes notes which tags stand for indexes, before the tags themselves: an
// entry that its tag does not fit says nothing. The caller holds mu.
func (s *Store) setIndexes(taggings []tagging) error {
	next := make(map[string]map[string]digest.Digest, len(s.indexes))
	for repository, m := range s.indexes {
		next[repository] = maps.Clone(m)
	}
	changed := false
	for _, t := range taggings {
		if next[t.repository][t.tag] == t.index {
			continue
		}
		changed = true
		if next[t.repository] == nil {
			next[t.repository] = map[string]digest.Digest{}
		}
		next[t.repository][t.tag] = t.index
		if t.index == "" {
			delete(next[t.repository], t.tag)
		}
		if len(next[t.repository]) == 0 {
			delete(next, t.repository)
		}
	}
	if !changed {
		return nil
	}
	data, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return err
	}
	if err := s.disk.replace(indexFile+".new", indexFile, data); err != nil {
		return fmt.Errorf("indexes of tags: %w", err)
	}
	s.indexes = next
	return nil
}

// readIndexes reads which tags stand for indexes.
func (s *Store) readIndexes() error {
	s.indexes = map[string]map[string]digest.Digest{}
	data, err := fs.ReadFile(s.disk.files, indexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &s.indexes); err != nil {
		return fmt.Errorf("file %s is damaged; remove it and load the images again: %w", indexFile, err)
	}
	return nil
}
