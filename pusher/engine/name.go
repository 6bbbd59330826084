package engine

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/pusher"
)

// An imageName is a name as the path of a request has it, looked up in the store.
type imageName struct {
	id         string // of the top layer
	repository string // the local name; "" when the image was named by its ID
	tag        string
}

// lookup finds the image that name means: repository[:tag], or the beginning of
// an ID that only one layer has.
func (e *Engine) lookup(name string) (imageName, error) {
	repository, tag := splitTag(name)
	if parsed, err := pusher.ParseName(repository); err == nil {
		if tags, err := e.config.Images.Tags(parsed.Local); err == nil {
			if id, ok := tags[tag]; ok {
				return imageName{id, parsed.Local, tag}, nil
			}
		}
	}
	id := strings.TrimPrefix(name, "sha256:")
	if strings.Trim(id, "0123456789abcdef") != "" || id == "" {
		return imageName{}, noSuchImage(name)
	}
	ids, err := e.config.Images.Layers()
	if err != nil {
		return imageName{}, err
	}
	var found []string
	for _, have := range ids {
		if strings.HasPrefix(have, id) {
			found = append(found, have)
		}
	}
	switch len(found) {
	case 0:
		return imageName{}, noSuchImage(name)
	case 1:
		return imageName{id: found[0]}, nil
	}
	return imageName{}, &apiError{http.StatusConflict, fmt.Sprintf("%s is the beginning of %d image IDs: %s; give more of it", name, len(found), strings.Join(found, ", "))}
}

func noSuchImage(name string) error {
	return &apiError{http.StatusNotFound, "No such image: " + name}
}

// splitTag takes repository[:tag] apart; without a tag it is "latest".
func splitTag(name string) (repository, tag string) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 || strings.ContainsRune(name[i:], '/') {
		return name, "latest"
	}
	return name[:i], name[i+1:]
}

// namesOf maps each layer that has one to its names, sorted.
func (e *Engine) namesOf() map[string][]string {
	names := map[string][]string{}
	for _, repository := range e.config.Images.Repositories() {
		tags, err := e.config.Images.Tags(repository)
		if err != nil {
			continue // deleted meanwhile
		}
		for _, tag := range slices.Sorted(maps.Keys(tags)) {
			names[tags[tag]] = append(names[tags[tag]], join(repository, tag))
		}
	}
	return names
}

// join puts a repository and a tag, or a digest reference, together.
func join(repository, tag string) string {
	if strings.Contains(tag, ":") {
		return repository + "@" + tag
	}
	return repository + ":" + tag
}
