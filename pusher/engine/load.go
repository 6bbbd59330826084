package engine

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// load answers images/load: the body is an archive or a layout in a tar. Before
// API 1.23 a success says nothing.
func (c *call) load() error {
	loaded, err := c.engine.config.Images.LoadFrom(c.r.Context(), c.r.Body)
	if err != nil {
		return err
	}
	c.drain()
	for _, l := range loaded {
		if l.Repository != "" {
			c.engine.events.add("load", join(l.Repository, l.Tag))
		}
	}
	if versionLess(c.version, "1.23") {
		c.status = http.StatusOK
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.status = http.StatusOK
	for _, l := range loaded {
		line := fmt.Sprintf("Loaded image ID: %s\n", l.Image)
		if l.Repository != "" {
			line = fmt.Sprintf("Loaded image: %s\n", join(l.Repository, l.Tag))
		}
		if err := writeObject(c.w, map[string]string{"stream": line}); err != nil {
			return err
		}
	}
	return nil
}

// writeObject writes one object of a JSON stream.
func writeObject(w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\r', '\n'))
	return err
}
