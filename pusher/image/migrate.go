package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// ConfigFromV1 makes a config for an image that came without one, as docker 1.10
// did of the images of the dockers before it and of their archives: the top's V1
// JSON less what ties it to a chain, the layers as its root file system, and a
// history entry for each. Layers are bottom first; there is at least one.
//
// Keys come sorted. Docker also left out keys that it did not know of images that
// were made before 1.8.3; here they stay.
func ConfigFromV1(layers []Layer) ([]byte, error) {
	if len(layers) == 0 {
		return nil, errors.New("an image without layers cannot be given a config")
	}
	var config map[string]json.RawMessage
	if err := json.Unmarshal(layers[len(layers)-1].V1JSON, &config); err != nil {
		return nil, fmt.Errorf("layer %s: %w", layers[len(layers)-1].ID, err)
	}
	for _, key := range []string{"id", "parent", "Size", "parent_id", "layer_id", "throwaway"} {
		delete(config, key)
	}
	type entry struct {
		Created   time.Time `json:"created"`
		Author    string    `json:"author,omitempty"`
		CreatedBy string    `json:"created_by,omitempty"`
		Comment   string    `json:"comment,omitempty"`
	}
	var history []entry
	rootFS := struct {
		Type    string          `json:"type"`
		DiffIDs []digest.Digest `json:"diff_ids"`
	}{Type: "layers"}
	for _, l := range layers {
		var v1 struct {
			Created         time.Time              `json:"created"`
			Author          string                 `json:"author"`
			Comment         string                 `json:"comment"`
			ContainerConfig struct{ Cmd []string } `json:"container_config"`
		}
		if err := json.Unmarshal(l.V1JSON, &v1); err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.ID, err)
		}
		history = append(history, entry{v1.Created, v1.Author, strings.Join(v1.ContainerConfig.Cmd, " "), v1.Comment})
		rootFS.DiffIDs = append(rootFS.DiffIDs, l.DiffID)
	}
	for key, value := range map[string]any{"rootfs": rootFS, "history": history} {
		data, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		config[key] = data
	}
	return json.Marshal(config)
}
