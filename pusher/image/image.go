package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"
)

// documentLimit bounds what ReadBlob reads, bytes.
const documentLimit = 16 << 20

// An Image is one as dockers since 1.10 see it.
type Image struct {
	Config []byte  // JSON
	Layers []Layer // one for each diff ID of the config, bottom first
}

// Image reads the image with that top layer. One that came without a config gets that
// which docker makes of its V1 JSON (ConfigFromV1).
//
// Errors: ErrNoLayer; that the config is damaged, or names what the chain has not.
func (s *Store) Image(id string) (Image, error) {
	var chain []Layer
	for l, err := range s.Chain(id) {
		if err != nil {
			return Image{}, err
		}
		chain = append(chain, l)
	}
	slices.Reverse(chain)
	config, err := s.readConfig(id)
	if errors.Is(err, ErrNoConfig) {
		config, err = ConfigFromV1(chain)
	}
	if err != nil {
		return Image{}, err
	}
	var c struct {
		RootFS struct {
			DiffIDs []digest.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return Image{}, fmt.Errorf("config of layer %s: %w", id, err)
	}
	img := Image{Config: config}
	for _, d := range c.RootFS.DiffIDs { // history entries without a layer lie between
		i := slices.IndexFunc(chain, func(l Layer) bool { return l.DiffID == d })
		if i < 0 {
			return Image{}, fmt.Errorf("layer %s of its config is not below layer %s", d, id)
		}
		img.Layers = append(img.Layers, chain[i])
		chain = chain[i+1:]
	}
	return img, nil
}

// readConfig reads an image's config.
//
// Errors: ErrNoConfig.
func (s *Store) readConfig(id string) ([]byte, error) {
	d, err := s.Config(id)
	if err != nil {
		return nil, err
	}
	return s.ReadBlob("config", d.Digest)
}

// ReadBlob reads a small blob, such as a config or a manifest, and verifies it. what
// names it in errors.
//
// Errors: ErrNoBlob; that it has more than 16 MiB, or not that digest.
func (s *Store) ReadBlob(what string, d digest.Digest) ([]byte, error) {
	f, err := s.OpenBlob(d)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(f, documentLimit+1))
	if err == nil && len(data) > documentLimit {
		err = fmt.Errorf("%s %s has more than %d bytes", what, d, documentLimit)
	}
	return data, err
}
