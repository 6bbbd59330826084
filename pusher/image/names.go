package image

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// named has an image tagged when the batch is published. entry is where the name
// stands.
func (s *source) named(entry, repository, tag string, img Loaded) (Loaded, error) {
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
	repository = reference.FamiliarName(parsed) // docker normalizes on loading, too
	s.batch.taggings = append(s.batch.taggings, tagging{repository, tag, img.Image, img.Content})
	return Loaded{Name: name, Repository: repository, Tag: tag, Image: img.Image, Content: img.Content}, nil
}

// A refName is the name that a descriptor of a layout carries.
type refName struct {
	shown           string // as it stands there
	repository, tag string // in docker's short form; repository is "" for a mere tag
}

// nameOf is the name of a descriptor of a layout: containerd's annotation, which
// is a whole reference, or that of the specification, which is a whole reference
// in some layouts and a mere tag in others.
func nameOf(annotations map[string]string) refName {
	shown := annotations["io.containerd.image.name"]
	if shown == "" {
		shown = annotations[v1.AnnotationRefName]
		if !strings.ContainsAny(shown, "/:@") {
			return refName{shown: shown, tag: shown}
		}
	}
	name := refName{shown: shown}
	if parsed, err := reference.ParseNormalizedNamed(shown); err == nil {
		if tagged, ok := parsed.(reference.Tagged); ok {
			name.repository, name.tag = reference.FamiliarName(parsed), tagged.Tag()
		}
	}
	return name
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
