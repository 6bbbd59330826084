package pusher

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// configLimit bounds what is read of a config, bytes.
const configLimit = 16 << 20

// A localImage is an image as dockers since 1.10 see it.
type localImage struct {
	config []byte
	layers []image.Layer // one for each diff ID of the config, bottom first
}

// openImage reads an image by its top layer.
func openImage(images *image.Store, id string) (localImage, error) {
	var chain []image.Layer
	for l, err := range images.Chain(id) {
		if err != nil {
			return localImage{}, err
		}
		chain = append(chain, l)
	}
	slices.Reverse(chain)
	config, err := readConfig(images, id)
	if errors.Is(err, image.ErrNoConfig) {
		config, err = image.ConfigFromV1(chain)
	}
	if err != nil {
		return localImage{}, err
	}
	var c struct {
		RootFS struct {
			DiffIDs []digest.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return localImage{}, fmt.Errorf("config of layer %s: %w", id, err)
	}
	img := localImage{config: config}
	for _, d := range c.RootFS.DiffIDs { // history entries without a layer lie between
		i := slices.IndexFunc(chain, func(l image.Layer) bool { return l.DiffID == d })
		if i < 0 {
			return localImage{}, fmt.Errorf("layer %s of its config is not below layer %s", d, id)
		}
		img.layers = append(img.layers, chain[i])
		chain = chain[i+1:]
	}
	return img, nil
}

// readConfig reads an image's config.
//
// Errors: image.ErrNoConfig.
func readConfig(images *image.Store, id string) ([]byte, error) {
	d, err := images.Config(id)
	if err != nil {
		return nil, err
	}
	return readBlob(images, "config", d)
}

// readBlob reads a small blob of the store.
func readBlob(images *image.Store, what string, d image.Descriptor) ([]byte, error) {
	f, err := images.OpenBlob(d.Digest)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(f, configLimit+1))
	if err == nil && len(data) > configLimit {
		err = fmt.Errorf("%s %s has more than %d bytes", what, d.Digest, configLimit)
	}
	return data, err
}

// ErrArtifact means that what a tag stands for is no image, and the era pushes images
// alone.
var ErrArtifact = errors.New("not an image")

// lookArtifact looks whether an era that makes manifests of layers was asked to push
// what has no layers.
//
// Errors: ErrArtifact.
func (j *Job) lookArtifact() error {
	if j.Era.Way != WayGraph {
		return nil
	}
	names := []string{j.Tag}
	if j.Tag == "" {
		names = j.tagNames()
	}
	for _, tag := range names {
		o, err := j.Images.Origin(j.Name.Local, tag)
		if err != nil || o == nil || !o.Artifact {
			continue // what is wrong with it the push itself says, in its own words
		}
		return localError{
			text:  fmt.Sprintf("%s is an artifact, and %s makes manifests of images alone; the eras containerd and best push what is stored", j.familiar(tag), j.Era.Name),
			cause: ErrArtifact,
		}
	}
	return nil
}
