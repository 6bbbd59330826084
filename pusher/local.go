package pusher

import (
	"errors"
	"fmt"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// configLimit bounds what is read of a manifest that a registry has, bytes.
const configLimit = 16 << 20

// A localImage is an image as dockers since 1.10 see it.
type localImage struct {
	config []byte
	layers []image.Layer // one for each diff ID of the config, bottom first
}

// openImage reads an image by its top layer.
func openImage(images *image.Store, id string) (localImage, error) {
	img, err := images.Image(id)
	return localImage{config: img.Config, layers: img.Layers}, err
}

// readBlob reads a small blob of the store.
func readBlob(images *image.Store, what string, d image.Descriptor) ([]byte, error) {
	return images.ReadBlob(what, d.Digest)
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
