package pusher

import (
	"errors"
	"fmt"
)

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
