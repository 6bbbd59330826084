package engine

import (
	"errors"
	"net/http"
	"slices"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// remove answers DELETE images/{name}: a name is taken away; the image goes with
// its last name, and so do the parents that nothing needs.
func (c *call) remove() error {
	e := c.engine
	if c.flag("noprune") {
		return &apiError{http.StatusNotImplemented, "noprune: this engine takes away what nothing needs any more"}
	}
	named, err := e.lookup(c.name)
	if err != nil {
		return err
	}
	names := e.namesOf()[named.id]
	rows := []map[string]string{}
	untag := names
	switch {
	case named.repository != "":
		untag = []string{join(named.repository, named.tag)}
	case len(names) > 1 && !c.flag("force"):
		return &apiError{http.StatusConflict, "conflict: unable to delete " + c.name + " (must be forced) - image is referenced in multiple repositories"}
	}
	for _, n := range untag {
		repository, tag := splitReference(n)
		if err := e.config.Images.Untag(repository, tag); err != nil {
			return err
		}
		e.events.add("untag", n)
		rows = append(rows, map[string]string{"Untagged": n})
	}
	if len(untag) < len(names) {
		return c.reply(rows)
	}
	gone, err := e.config.Images.Delete(named.id)
	if err != nil && !(len(rows) > 0 && errors.Is(err, image.ErrInUse)) {
		return err
	}
	for _, id := range gone {
		e.events.add("delete", id)
		rows = append(rows, map[string]string{"Deleted": id})
	}
	return c.reply(slices.Clip(rows))
}

// splitReference is the inverse of join.
func splitReference(name string) (repository, tag string) {
	for i := range name {
		if name[i] == '@' {
			return name[:i], name[i+1:]
		}
	}
	return splitTag(name)
}
