package engine

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/containerd/platforms"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// load answers images/load: the body is an archive or a layout in a tar. Before
// API 1.23 a success says nothing. A platform, since API 1.48, loads what is for it alone.
func (c *call) load() error {
	platform, err := c.platform("1.48")
	if err != nil {
		return err
	}
	loaded, err := c.loadFor(platform)
	if err != nil {
		return err
	}
	c.drain()
	loaded = slices.DeleteFunc(loaded, func(l image.Loaded) bool { return l.Other && l.Name != "" }) // its name is another's
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

func (c *call) loadFor(platform *v1.Platform) ([]image.Loaded, error) {
	images := c.engine.config.Images
	if platform == nil {
		return images.LoadFrom(c.r.Context(), c.r.Body)
	}
	return images.LoadFor(c.r.Context(), c.r.Body, image.Wanted{
		Name:  platforms.FormatAll(*platform),
		Match: func(written string) bool { return pusher.PlatformMatches(*platform, written) },
	})
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
