package pusher

import (
	"errors"
	"fmt"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// newLaterV1List is newV1List of dockers since 1.10, whose images are made of layers
// that V1 knows no images of (P-380). What several images are made of is there once.
//
// Errors: docker's, when there is nothing to push; what is wrong with an image.
func newLaterV1List(job *Job) (*v1List, error) {
	list := &v1List{}
	at := map[string]int{} // index in images, by ID
	for _, tag := range job.tagNames() {
		if job.Tag != "" && job.Tag != tag {
			continue
		}
		img, err := job.Images.Image(job.Tags[tag])
		if err != nil {
			return nil, fmt.Errorf(job.Era.Words.NoImage, job.reference(tag), err, job.Tags[tag])
		}
		v1, err := image.V1Images(img.Config)
		if err != nil {
			return nil, err
		}
		for i, one := range v1 {
			if _, known := at[one.ID]; known {
				continue
			}
			layer := img.Layers[i]
			layer.V1JSON = one.V1JSON
			at[one.ID] = len(list.images)
			list.images = append(list.images, v1Image{layer: layer, id: one.ID})
		}
		top := at[v1[len(v1)-1].ID]
		list.images[top].tags = append(list.images[top].tags, tag)
	}
	if len(list.images) == 0 {
		return nil, errors.New("No images found for the requested repository / tag") //nolint:staticcheck,revive // docker's words
	}
	return list, nil
}

// shown is the ID under which a user hears of an image: of the layer as it is
// called locally until the registry was asked, and of what the registry knows
// afterwards; since docker 1.10 that of the layer's content (P-035).
func (s *v1Session) shown(img v1Image, asked bool) string {
	switch {
	case s.job.Era.V1.Lean:
		return img.layer.DiffID.Encoded()
	case asked:
		return img.id
	}
	return img.layer.ID
}
