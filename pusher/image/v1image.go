package image

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
)

// V1Images are an image's layers as dockers since 1.10 push them over V1, bottom
// first: each named by its chain with a JSON that says no more than that, the top by
// the config, which is its JSON less what V1 did not know (P-380). It needs a config
// with at least one layer.
func V1Images(config []byte) ([]V1Layer, error) {
	var c struct {
		RootFS struct {
			DiffIDs []digest.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if len(c.RootFS.DiffIDs) == 0 {
		return nil, errors.New("an image without layers cannot be pushed over V1")
	}
	var layers []V1Layer
	parent := ""
	for i, chain := range identity.ChainIDs(append([]digest.Digest{}, c.RootFS.DiffIDs...)) {
		l := V1Layer{ID: chain.Encoded(), Parent: parent}
		var err error
		if i == len(c.RootFS.DiffIDs)-1 {
			l.ID = digest.FromBytes(config).Encoded()
			l.V1JSON, err = topV1JSON(config, l)
		} else {
			l.V1JSON, err = json.Marshal(struct {
				ID     string `json:"id"`
				Parent string `json:"parent,omitempty"`
			}{l.ID, parent})
		}
		if err != nil {
			return nil, err
		}
		layers = append(layers, l)
		parent = l.ID
	}
	return layers, nil
}
