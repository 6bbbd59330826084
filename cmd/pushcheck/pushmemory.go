package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/pusher/metadata"
)

// cacheDir is where digests are remembered between pushes; "" is nowhere.
func (f pushFlags) cacheDir(o outside) string {
	if f.cache == "none" {
		return ""
	}
	if f.cache != "" {
		return f.cache
	}
	if dir := o.getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "pushcheck")
	}
	if home := o.getenv("HOME"); home != "" {
		return filepath.Join(home, ".cache", "pushcheck")
	}
	return ""
}

// memory is what remembers layers for later pushes, and what keeps it when the push has
// ended; nil is none. Where nobody named the folder, a push does without one that cannot
// be written, and says so.
func (f pushFlags) memory(era pusher.Era, store *image.Store, o outside) (known *metadata.Store, keep func(), err error) {
	c := digestCache{dir: f.cacheDir(o), era: era.Name}
	if c.dir == "" {
		return nil, func() {}, nil
	}
	switch err := c.try(era); {
	case err != nil && f.cache != "":
		return nil, nil, broken("--cache names another folder; --cache none remembers nothing", fmt.Errorf("--cache: %w", err))
	case err != nil:
		warnForgetful(o, err)
		return nil, func() {}, nil
	}
	if era.Way == pusher.WayGraph { // the others know the digests of what they send
		c.fill(store)
	}
	known = c.layers(era)
	return known, func() {
		if era.Way == pusher.WayGraph {
			c.keep(store)
		}
		if err := known.Close(); err != nil { // the push did without
			warnForgetful(o, err)
		}
	}, nil
}

func warnForgetful(o outside, err error) {
	fmt.Fprintf(o.stderr, "pushcheck: warning: nothing is remembered for later pushes (--cache names another folder): %v\n", err)
}

// tried is how much a folder must take, bytes: a block of any file system.
const tried = 64 << 10

// try writes where the push of an era will, and removes it again.
func (c digestCache) try(era pusher.Era) error {
	path := c.layersPath(era)
	dir := path
	if era.Way != pusher.WayGraph {
		dir = filepath.Dir(path)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if dir != path {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			err = f.Close()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := os.CreateTemp(dir, ".try-")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, tried))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
