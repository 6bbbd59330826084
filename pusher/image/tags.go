package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// Repositories lists the local names ("127.0.0.1:5000/lib/app", "ubuntu") in order.
func (s *Store) Repositories() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.tags))
}

// Tags is the local map of a repository: tag (or digest reference) → layer ID.
// The map is a copy.
//
// Errors: ErrNoRepository.
func (s *Store) Tags(repository string) (map[string]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	tags, ok := s.tags[repository]
	if !ok {
		return nil, fmt.Errorf("repository %q: %w", repository, ErrNoRepository)
	}
	return maps.Clone(tags), nil
}

// Tag points repository:tag at a layer, which must be there, in whichever way it came
// (see TagContent). Whether the names are good ones is the caller's to know; here they
// are one line each.
//
// Errors: ErrNoLayer.
func (s *Store) Tag(repository, tag, id string) error {
	return s.TagContent(repository, tag, id, "")
}

// Untag removes one tag; layers stay. A repository without tags is gone.
//
// Errors: ErrNoRepository, ErrNoTag.
func (s *Store) Untag(repository, tag string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.tags[repository]; !ok {
		return fmt.Errorf("repository %q: %w", repository, ErrNoRepository)
	}
	if _, ok := s.tags[repository][tag]; !ok {
		return fmt.Errorf("repository %q: tag %q: %w", repository, tag, ErrNoTag)
	}
	if err := s.setContents([]tagging{{repository: repository, tag: tag}}); err != nil {
		return err
	}
	next := cloneTags(s.tags)
	delete(next[repository], tag)
	if len(next[repository]) == 0 {
		delete(next, repository)
	}
	return s.writeTags(next)
}

// A tagging is a tag to be set.
type tagging struct {
	repository, tag, id string
	content             digest.Digest // index or manifest; "" for none in particular
}

// putTags sets tags on disk and then in memory. The caller holds mu.
func (s *Store) putTags(taggings []tagging) error {
	if len(taggings) == 0 {
		return nil
	}
	next := cloneTags(s.tags)
	for _, t := range taggings {
		if !oneLine(t.repository) || !oneLine(t.tag) {
			return fmt.Errorf("tag %q:%q: a name and a tag are one line of text each", t.repository, t.tag)
		}
		if next[t.repository] == nil {
			next[t.repository] = map[string]string{}
		}
		next[t.repository][t.tag] = t.id
	}
	if err := s.setContents(taggings); err != nil {
		return err
	}
	return s.writeTags(next)
}

// writeTags replaces the file of the tags and then the map. The caller holds mu.
func (s *Store) writeTags(next map[string]map[string]string) error {
	data, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return err
	}
	if err := s.disk.replace("repositories.new", "repositories", data); err != nil {
		return fmt.Errorf("tags: %w", err)
	}
	s.tags = next
	return nil
}

// readTags reads the file of the tags.
func (s *Store) readTags() error {
	s.tags = map[string]map[string]string{}
	data, err := fs.ReadFile(s.disk.files, "repositories")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &s.tags); err != nil {
		return fmt.Errorf("file repositories is damaged; remove it and tag the images again: %w", err)
	}
	return nil
}

func cloneTags(tags map[string]map[string]string) map[string]map[string]string {
	next := make(map[string]map[string]string, len(tags))
	for repository, m := range tags {
		next[repository] = maps.Clone(m)
	}
	return next
}

// oneLine tells whether a name can be shown and kept: something, without control
// characters.
func oneLine(name string) bool {
	return name != "" && len(name) <= 4096 &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}
