package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
)

// EmptyLayerBlob is the digest that schema 1 gives to a history entry without a
// layer: a gzip of the tar without entries (P-377).
const EmptyLayerBlob digest.Digest = "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"

// emptyDiffID is the digest of the tar without entries.
const emptyDiffID digest.Digest = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

// An imageConfig is what of an image config matters here.
type imageConfig struct {
	Created      time.Time `json:"created"`
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Variant      string    `json:"variant,omitempty"`
	RootFS       struct {
		Type    string          `json:"type"`
		DiffIDs []digest.Digest `json:"diff_ids"`
	} `json:"rootfs"`
	History []historyEntry `json:"history"`
}

// A historyEntry is one step of an image's making.
type historyEntry struct {
	Created    time.Time `json:"created"`
	CreatedBy  string    `json:"created_by,omitempty"`
	Comment    string    `json:"comment,omitempty"`
	EmptyLayer bool      `json:"empty_layer,omitempty"`
}

// A V1Layer is one fsLayer and history pair that schema 1 makes of a config.
type V1Layer struct {
	ID     string        // 64 hex digits
	Parent string        // "" for the base
	Blob   digest.Digest // EmptyLayerBlob where Empty
	V1JSON []byte
	Empty  bool // the history entry has no layer of the config
}

// V1FromConfig gives an image that has a config the layers with V1 IDs that
// schema 1 speaks of, bottom first: one per history entry, with docker's own errors
// (P-377). blobs are the digests of the config's layers, bottom first.
func V1FromConfig(config []byte, blobs []digest.Digest) ([]V1Layer, error) {
	var c imageConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	switch {
	case len(c.History) == 0:
		return nil, errors.New("empty history when trying to create schema1 manifest")
	case len(blobs) != len(c.RootFS.DiffIDs):
		return nil, errors.New("number of descriptors and number of layers in rootfs must match")
	}
	return v1Layers(config, c.History, blobs)
}

// localV1 is V1FromConfig for an image that comes into a store. The history is
// optional there: without one there is an entry per layer, and one without a layer
// where there is none. Layers that a history leaves out are an error.
func localV1(config []byte, blobs []digest.Digest) ([]V1Layer, error) {
	var c imageConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	layers := 0
	for _, h := range c.History {
		if !h.EmptyLayer {
			layers++
		}
	}
	switch {
	case len(c.History) == 0 && len(blobs) == 0:
		c.History = []historyEntry{{EmptyLayer: true}}
	case len(c.History) == 0:
		c.History = make([]historyEntry, len(blobs))
	case layers != len(blobs):
		return nil, fmt.Errorf("the history in its config has %d layers, and its rootfs %d", layers, len(blobs))
	}
	return v1Layers(config, c.History, blobs)
}

// v1Layers makes the pairs (P-377).
func v1Layers(config []byte, history []historyEntry, blobs []digest.Digest) ([]V1Layer, error) {
	var layers []V1Layer
	parent := ""
	for i, h := range history {
		l := V1Layer{Parent: parent, Empty: h.EmptyLayer, Blob: EmptyLayerBlob}
		if !h.EmptyLayer {
			if len(blobs) == 0 {
				return nil, errors.New("too many non-empty layers in History section")
			}
			l.Blob, blobs = blobs[0], blobs[1:]
		}
		var err error
		if i == len(history)-1 {
			l.ID = digest.FromString(l.Blob.Encoded() + " " + parent + " " + string(config)).Encoded()
			l.V1JSON, err = topV1JSON(config, l)
		} else {
			l.ID = digest.FromString(l.Blob.Encoded() + " " + parent).Encoded()
			l.V1JSON, err = lowerV1JSON(h, l)
		}
		if err != nil {
			return nil, err
		}
		layers = append(layers, l)
		parent = l.ID
	}
	return layers, nil
}

// lowerV1JSON is the V1 JSON of a layer that is not the top (P-377).
func lowerV1JSON(h historyEntry, l V1Layer) ([]byte, error) {
	type containerConfig struct{ Cmd []string }
	return json.Marshal(struct {
		ID              string          `json:"id"`
		Parent          string          `json:"parent,omitempty"`
		Comment         string          `json:"comment,omitempty"`
		Created         time.Time       `json:"created"`
		ContainerConfig containerConfig `json:"container_config"`
		ThrowAway       bool            `json:"throwaway,omitempty"`
	}{l.ID, l.Parent, h.Comment, h.Created, containerConfig{[]string{h.CreatedBy}}, l.Empty})
}

// topV1JSON is the V1 JSON of the top: the config less rootfs and history, more
// its IDs; keys in order (P-377).
func topV1JSON(config []byte, l V1Layer) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(config, &fields); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if fields == nil {
		return nil, errors.New("config: it is null, not an object")
	}
	delete(fields, "rootfs")
	delete(fields, "history")
	fields["id"] = quoted(l.ID)
	if l.Parent != "" {
		fields["parent"] = quoted(l.Parent)
	}
	if l.Empty {
		fields["throwaway"] = json.RawMessage("true")
	}
	return json.Marshal(fields)
}

// quoted is hex digits as a JSON string.
func quoted(hex string) json.RawMessage {
	return bytes.Join([][]byte{{'"'}, []byte(hex), {'"'}}, nil)
}
