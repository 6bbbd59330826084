package engine

import (
	"net/http"
	"strings"

	"github.com/distribution/reference"

	"github.com/pushcheck/pushcheck/pusher"
)

// tag answers images/{name}/tag. A tag that points elsewhere moves, as it does
// since docker 1.10.
func (c *call) tag() error {
	e := c.engine
	named, err := e.lookup(c.name)
	if err != nil {
		return err
	}
	q := c.r.URL.Query()
	repository, tag, err := newName(q.Get("repo"), q.Get("tag"))
	if err != nil {
		return err
	}
	content := e.config.Images.Content(named.repository, named.tag) // "" when it was named by its ID
	if err := e.config.Images.TagContent(repository, tag, named.id, content); err != nil {
		return err
	}
	e.events.add("tag", join(repository, tag))
	c.status = http.StatusCreated
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

// newName checks a name that is about to be given. repo may carry the tag itself.
func newName(repo, tag string) (repository, tagged string, err error) {
	if tag == "" {
		repo, tag = splitTag(repo)
	}
	name, err := pusher.ParseName(repo)
	if err != nil {
		return "", "", &apiError{http.StatusBadRequest, err.Error()}
	}
	if parsed, err := reference.WithName(name.Canonical); err == nil {
		_, err = reference.WithTag(parsed, tag)
		if err != nil {
			return "", "", &apiError{http.StatusBadRequest, "invalid tag " + quote(tag) + ": a tag is at most 128 letters, digits, underscores, dots and hyphens, and begins with neither of the last two"}
		}
	}
	return name.Local, tag, nil
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
