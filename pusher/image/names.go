package image

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/distribution/reference"
)

// named has an image tagged when the batch is published. entry is where the name
// stands.
func (s *source) named(entry, repository, tag, id string) (Loaded, error) {
	name := repository + ":" + tag
	parsed, err := reference.ParseNormalizedNamed(repository)
	if err == nil && !reference.IsNameOnly(parsed) {
		err = reference.ErrNameNotCanonical
	}
	if err == nil {
		_, err = reference.WithTag(parsed, tag)
	}
	if err != nil {
		return Loaded{}, &LoadError{Source: s.name, Entry: entry, Problem: fmt.Sprintf("%q is not the name of an image", name), Advice: "tag the image anew and save it again", Err: err}
	}
	s.batch.taggings = append(s.batch.taggings, tagging{repository, tag, id})
	return Loaded{Name: name, Repository: repository, Tag: tag, Image: id}, nil
}

// sorted goes through a map in the order of its keys.
func sorted[K cmp.Ordered, V any](m map[K]V) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
