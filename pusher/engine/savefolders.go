package engine

import (
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// A manifestItem is one image of manifest.json, as docker save writes it since 1.10.
type manifestItem struct {
	Config   string   // path
	RepoTags []string // null for none
	Layers   []string // paths, bottom first
}

// folders prepares an archive of a folder for each layer, and, with configs, of what
// dockers since 1.10 read of it.
func (s *saving) folders(configs bool) (func(*tarball) error, error) {
	slices.SortFunc(s.images, func(a, b *savedImage) int { return strings.Compare(a.id, b.id) })
	var items []manifestItem
	files := map[string][]byte{}
	for _, i := range s.images {
		if err := s.present(i); err != nil {
			return nil, err
		}
		if !configs {
			continue
		}
		img, err := s.engine.config.Images.Image(i.id)
		if err != nil {
			return nil, err
		}
		item := manifestItem{Config: digest.FromBytes(img.Config).Encoded() + ".json", RepoTags: i.tags()}
		for _, l := range img.Layers {
			item.Layers = append(item.Layers, l.ID+"/layer.tar")
		}
		files[item.Config] = img.Config
		items = append(items, item)
	}
	return func(t *tarball) error {
		if err := s.layers(t); err != nil {
			return err
		}
		for _, item := range items {
			config, ok := files[item.Config]
			if !ok {
				continue // two images have it
			}
			delete(files, item.Config)
			if err := t.file(item.Config, config); err != nil {
				return err
			}
		}
		if items != nil {
			if err := t.json("manifest.json", items); err != nil {
				return err
			}
		}
		return s.repositories(t, func(i *savedImage) string { return i.id })
	}, nil
}

// layers writes a folder for each layer of the images.
func (s *saving) layers(t *tarball) error {
	done := map[string]bool{}
	for _, i := range s.images {
		for l, err := range s.engine.config.Images.Chain(i.id) {
			if err != nil {
				return err
			}
			if done[l.ID] {
				break // and with it all below
			}
			done[l.ID] = true
			if err := s.layer(t, l); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *saving) layer(t *tarball, l image.Layer) error {
	if err := t.dir(l.ID); err != nil {
		return err
	}
	if err := t.file(l.ID+"/VERSION", []byte("1.0")); err != nil {
		return err
	}
	if err := t.file(l.ID+"/json", l.V1JSON); err != nil {
		return err
	}
	return t.stream(l.ID+"/layer.tar", l.Size, func() (io.ReadCloser, error) { return s.engine.config.Images.OpenTar(l.ID) })
}

// repositories writes the file of that name, unless it would be empty, and ends the
// archive. top is what it has of an image.
func (s *saving) repositories(t *tarball, top func(*savedImage) string) error {
	all := map[string]map[string]string{}
	for _, i := range s.images {
		for _, n := range i.names {
			if all[n.repository] == nil {
				all[n.repository] = map[string]string{}
			}
			all[n.repository][n.tag] = top(i)
		}
	}
	if len(all) > 0 {
		if err := t.json("repositories", all); err != nil {
			return err
		}
	}
	return t.close()
}
