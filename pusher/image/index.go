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

// Index is the index that repository:tag stands for; nil when it stands for one
// image alone.
//
// Errors: ErrNoRepository, ErrNoTag.
func (s *Store) Index(repository, tag string) (*Index, error) {
	o, err := s.Origin(repository, tag)
	if o == nil || err != nil || s.Content(repository, tag) != o.indexDigest() {
		return nil, err
	}
	return o.Index, nil
}

// Content is what registries know that by what repository:tag stands for: the digest
// of an index or of a manifest; "" when it came with neither.
func (s *Store) Content(repository, tag string) digest.Digest {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.contents[repository][tag]
}

// Origin is how what repository:tag stands for came into the store; nil for an image
// that came without a config.
//
// Errors: ErrNoRepository, ErrNoTag.
func (s *Store) Origin(repository, tag string) (*Origin, error) {
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
	origins, err := s.origins(id)
	if err != nil || len(origins) == 0 {
		return nil, err
	}
	// Without content, or after a kill between the two files of the tags, the first
	// that has a manifest.
	i := originOf(origins, s.contents[repository][tag])
	if i < 0 {
		i = max(0, slices.IndexFunc(origins, func(o Origin) bool { return o.Manifest != nil }))
	}
	return &origins[i], nil
}

// originOf finds who came with an index or a manifest; -1 for nobody.
func originOf(origins []Origin, content digest.Digest) int {
	return slices.IndexFunc(origins, func(o Origin) bool {
		return content != "" && (o.indexDigest() == content || o.Manifest != nil && o.Manifest.Digest == content)
	})
}

// indexDigest is the digest of the index that an image came with; "" for none.
func (o Origin) indexDigest() digest.Digest {
	if o.Index == nil {
		return ""
	}
	return o.Index.Digest
}

// TagContent points repository:tag at an index or a manifest, and at the layer of the
// image that it is, or that those take of it who know no indexes. The image has to
// have come with it. With content of "" it is Tag.
//
// Errors: ErrNoLayer, ErrNoContent.
func (s *Store) TagContent(repository, tag, id string, content digest.Digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.record(id); err != nil {
		return fmt.Errorf("tag %s:%s: %w", repository, tag, err)
	}
	if content != "" {
		origins, err := s.origins(id)
		if err == nil && originOf(origins, content) < 0 {
			err = fmt.Errorf("layer %s: %s: %w", id, content, ErrNoContent)
		}
		if err != nil {
			return fmt.Errorf("tag %s:%s: %w", repository, tag, err)
		}
	}
	return s.putTags([]tagging{{repository, tag, id, content}})
}

// contentFile is where the store keeps which content tags stand for.
const contentFile = "contents"

// setContents notes which content tags stand for, before the tags themselves: an
// entry that its tag does not fit says nothing. The caller holds mu.
func (s *Store) setContents(taggings []tagging) error {
	next := make(map[string]map[string]digest.Digest, len(s.contents))
	for repository, m := range s.contents {
		next[repository] = maps.Clone(m)
	}
	changed := false
	for _, t := range taggings {
		if next[t.repository][t.tag] == t.content {
			continue
		}
		changed = true
		if next[t.repository] == nil {
			next[t.repository] = map[string]digest.Digest{}
		}
		next[t.repository][t.tag] = t.content
		if t.content == "" {
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
	if err := s.disk.replace(contentFile+".new", contentFile, data); err != nil {
		return fmt.Errorf("contents of tags: %w", err)
	}
	s.contents = next
	return nil
}

// readContents reads which content tags stand for.
func (s *Store) readContents() error {
	s.contents = map[string]map[string]digest.Digest{}
	data, err := fs.ReadFile(s.disk.files, contentFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &s.contents); err != nil {
		return fmt.Errorf("file %s is damaged; remove it and load the images again: %w", contentFile, err)
	}
	return nil
}
