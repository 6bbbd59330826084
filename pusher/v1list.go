package pusher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// A v1List is what a V1 push is about: every image of the tags to push, the
// parents of a tag's image before it, none twice (P-421).
type v1List struct {
	images []v1Image
}

// A v1Image is one layer as V1 has it: an image of its own.
type v1Image struct {
	layer image.Layer
	id    string   // the ID in its JSON, which is the one on the wire (P-422)
	tags  []string // that point at it, in the order of the push
}

// newV1List walks from each tag to its base. A chain that cannot be walked to its
// end is cut short without a word to the user, as docker does it (P-192).
//
// Errors: docker's, when there is nothing to push; what is wrong with a JSON.
func newV1List(ctx context.Context, job *Job) (*v1List, error) {
	list := &v1List{}
	at := map[string]int{} // index in images, by layer ID
	for _, tag := range job.tagNames() {
		if job.Tag != "" && job.Tag != tag {
			continue
		}
		top := job.Tags[tag]
		var chain []v1Image
		for layer, err := range job.Images.Chain(top) {
			if err != nil {
				job.Log.WarnContext(ctx, "the chain of layers is cut short", "tag", tag, "err", err)
				break
			}
			if _, known := at[layer.ID]; known {
				break // and so are its parents
			}
			id, err := v1ID(layer)
			if err != nil {
				return nil, err
			}
			chain = append(chain, v1Image{layer: layer, id: id})
		}
		for _, img := range slices.Backward(chain) {
			at[img.layer.ID] = len(list.images)
			list.images = append(list.images, img)
		}
		if i, ok := at[top]; ok {
			list.images[i].tags = append(list.images[i].tags, tag)
		}
	}
	if len(list.images) == 0 {
		return nil, errors.New("No images found for the requested repository / tag") //nolint:staticcheck,revive // docker's words
	}
	return list, nil
}

// v1ID is the ID that a layer's JSON names.
func v1ID(layer image.Layer) (string, error) {
	var img struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(layer.V1JSON, &img); err != nil {
		return "", fmt.Errorf("image JSON of layer %s: %w", layer.ID, err)
	}
	if img.ID == "" {
		return layer.ID, nil
	}
	return img.ID, nil
}

// A v1Entry is one line of the image list on the wire: an image, once for each
// of its tags. The key of the tag has a capital (P-423).
type v1Entry struct {
	ID  string `json:"id"`
	Tag string `json:"Tag,omitempty"`
}

// index is the list as the registry's index is told it.
func (l *v1List) index() []v1Entry {
	var entries []v1Entry
	for _, img := range l.images {
		if len(img.tags) == 0 {
			entries = append(entries, v1Entry{ID: img.id})
		}
		for _, tag := range img.tags {
			entries = append(entries, v1Entry{ID: img.id, Tag: tag})
		}
	}
	return entries
}
