package pusher

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/docker/libtrust"
	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/schema1"
)

// A schema1Layer is what a schema 1 manifest says of one layer.
type schema1Layer struct {
	Digest digest.Digest // of the blob as the registry has it
	V1JSON []byte        // the layer's v1Compatibility, byte for byte
}

// A schema1Signed is a signed manifest, with the digest and the length in bytes
// of its payload (P-287).
type schema1Signed struct {
	Bytes  []byte
	Digest digest.Digest
	Size   int64
}

// signSchema1 builds the manifest of one tag and signs it. Layers are top first;
// the architecture is the top layer's (P-220). The name is the remote name
// (P-055).
func signSchema1(name, tag string, layers []schema1Layer, key libtrust.PrivateKey) (schema1Signed, error) {
	m := schema1.Manifest{SchemaVersion: 1, Name: name, Tag: tag}
	for i, l := range layers {
		if i == 0 {
			m.Architecture = architecture(l.V1JSON)
		}
		m.FSLayers = append(m.FSLayers, schema1.FSLayer{BlobSum: l.Digest})
		m.History = append(m.History, schema1.History{V1Compatibility: string(l.V1JSON)})
	}
	unsigned, err := m.Encode()
	if err != nil {
		return schema1Signed{}, fmt.Errorf("manifest of %s:%s: %w", name, tag, err)
	}
	signed, err := schema1.Sign(unsigned, key)
	if err != nil {
		return schema1Signed{}, fmt.Errorf("manifest of %s:%s: %w", name, tag, err)
	}
	s := schema1Signed{Bytes: signed}
	s.Digest, s.Size = schema1.Digest(signed)
	return s, nil
}

// architecture is what an image JSON says of it, "" when it says nothing.
func architecture(v1JSON []byte) string {
	var image struct {
		Architecture string `json:"architecture"`
	}
	if json.Unmarshal(v1JSON, &image) != nil {
		return ""
	}
	return image.Architecture
}

// repairChain makes the parents of a chain's V1 JSON fit, as docker 1.9 does: the
// base has none, every other layer the one below it (P-221). Layers are top first.
func repairChain(layers []schema1Layer) error {
	below := ""
	for i := len(layers) - 1; i >= 0; i-- {
		fields := map[string]json.RawMessage{}
		if err := json.Unmarshal(layers[i].V1JSON, &fields); err != nil {
			return err
		}
		var id, parent string
		if fields["id"] == nil || json.Unmarshal(fields["id"], &id) != nil {
			return errors.New("missing id key in v1compatibility file")
		}
		has := fields["parent"] != nil
		if has {
			_ = json.Unmarshal(fields["parent"], &parent) // what is no text fits nothing
		}
		base := i == len(layers)-1
		switch {
		case !base && !has:
			return errors.New("missing parent key in v1compatibility file")
		case parent != below:
			delete(fields, "parent")
			if !base {
				fields["parent"] = json.RawMessage(`"` + below + `"`)
			}
			data, err := json.Marshal(fields)
			if err != nil {
				return err
			}
			layers[i].V1JSON = data
		}
		below = id
	}
	return nil
}
